//! The pool: every wait has an end, every connection an age.

use super::connect::Target;
use super::{Engine, Error};
use crate::config::{self, millis};
use deadpool_postgres::{
    Connect, Hook, HookError, Manager, ManagerConfig, Metrics, Pool, RecyclingMethod, Runtime,
    Timeouts,
};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config};

/// Opens connections on the main runtime, whoever asks for one: a connection that an HTTP worker opened would end with it.
struct OnMainRuntime {
    handle: Handle,
    target: Target,
    engine: Arc<OnceLock<Engine>>,
}

type Connected = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for OnMainRuntime {
    fn connect(&self, _: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        let (target, engine) = (self.target.clone(), self.engine.clone());
        let opening = self.handle.spawn(async move {
            let (client, found, task) = target.connect().await?;
            engine.get_or_init(|| found);
            Ok((client, task))
        });
        Box::pin(async move { opening.await.expect("opening a connection does not panic") })
    }
}

/// Builds the pool; no connection is opened yet.
pub(super) fn build(
    settings: &config::Database,
    url: &str,
    engine: Arc<OnceLock<Engine>>,
) -> Result<Pool, Error> {
    let (connect, statement) = (
        millis(settings.connect_timeout_ms),
        millis(settings.statement_timeout_ms),
    );
    let target = Target::parse(url, connect, statement)?;
    let config = target.config.clone();
    let opener = OnMainRuntime {
        handle: Handle::current(),
        target,
        engine,
    };
    // Fast: a dead connection shows at its first statement, which is then repeated on another one.
    let manager = Manager::from_connect(
        config,
        opener,
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    let lifetime = Duration::from_secs(settings.max_lifetime_seconds);
    let retire = Hook::sync_fn(move |_, metrics| {
        if is_old(metrics, lifetime) {
            Err(HookError::message("old"))
        } else {
            Ok(())
        }
    });
    let builder = Pool::builder(manager)
        .max_size(settings.pool_size)
        .runtime(Runtime::Tokio1)
        .pre_recycle(retire);
    builder
        .timeouts(timeouts(settings))
        .build()
        .map_err(|reason| Error::Url(reason.to_string()))
}

fn timeouts(settings: &config::Database) -> Timeouts {
    let connect = millis(settings.connect_timeout_ms);
    // Connecting takes several round trips, each of which the library's own limit covers alone.
    Timeouts {
        wait: Some(millis(settings.wait_timeout_ms)),
        create: Some(connect),
        recycle: Some(connect),
    }
}

fn is_old(metrics: &Metrics, longest: Duration) -> bool {
    metrics.age() > age_limit(metrics.created, longest)
}

/// A connection's own age limit, between half of the longest and all of it. It follows from the moment of its birth, so that it
/// is the same at each check: connections that were opened together do not all go together.
fn age_limit(born: Instant, longest: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    born.hash(&mut hasher);
    let part = hasher.finish() as f64 / u64::MAX as f64;
    longest.mul_f64(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_opened_together_go_one_after_the_other() {
        let (first, longest) = (Instant::now(), Duration::from_secs(1_000));
        let limits: Vec<u64> = (0..1_000)
            .map(|number| age_limit(first + Duration::from_micros(number), longest).as_secs())
            .collect();
        for from in (500..1_000).step_by(50) {
            let going = limits
                .iter()
                .filter(|limit| (from..from + 50).contains(*limit));
            let count = going.count();
            assert!((60..140).contains(&count), "{count} go from {from} s on");
        }
        assert_eq!(age_limit(first, longest), age_limit(first, longest));
    }
}
