//! Whether this node should get traffic: kept by a heartbeat, read by `/readyz`.

use crate::metric_names::READY;
use crate::store::Store;
use metrics::gauge;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, timeout};

const BEAT: Duration = Duration::from_secs(1);
/// Without a sign of life for this long the database counts as gone.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is known of this node's state.
#[derive(Debug, Default)]
pub struct Health(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    draining: bool,
    schema_is_behind: bool,
    last_answer: Option<Instant>,
}

impl Health {
    /// Why this node should get no traffic; `None` when it should.
    pub fn why_not_ready(&self) -> Option<&'static str> {
        let inner = self.0.lock().expect("no holder panics");
        if inner.draining {
            return Some("draining");
        }
        if inner.last_answer.is_none_or(|at| at.elapsed() > PATIENCE) {
            return Some("the database does not answer");
        }
        inner.schema_is_behind.then_some("the schema is behind")
    }

    /// From now on this node wants no traffic.
    pub fn drain(&self) {
        self.0.lock().expect("no holder panics").draining = true;
    }

    fn heard(&self, schema_is_behind: bool) {
        let mut inner = self.0.lock().expect("no holder panics");
        inner.last_answer = Some(Instant::now());
        inner.schema_is_behind = schema_is_behind;
    }

    /// Asks the database about once a second, for as long as the process lives.
    pub async fn watch(&self, store: Store) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut schema_is_behind = true;
        loop {
            beats.tick().await;
            if schema_is_behind {
                schema_is_behind =
                    !matches!(store.pending_steps().await, Ok(steps) if steps.is_empty());
            }
            if let Ok(Ok(())) = timeout(PATIENCE, store.ping()).await {
                self.heard(schema_is_behind);
            }
            gauge!(READY).set(if self.why_not_ready().is_none() {
                1.0
            } else {
                0.0
            });
        }
    }
}
