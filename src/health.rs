//! Whether this node should get traffic: kept by a heartbeat, read by `/readyz`.
//!
//! The heartbeat is a write, through the same door as everybody's: a database that answers but can't write is of no use.

use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::metric_names::{CLOCK_AHEAD, READY};
use crate::store::{Error, Store};
use metrics::gauge;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, timeout};
use uuid::Uuid;

const BEAT: Duration = Duration::from_secs(1);
/// Without a heartbeat for this long the database counts as gone.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is known of this node's state.
#[derive(Debug)]
pub struct Health {
    clock: Arc<Clock>,
    /// How far the machine's clock may be from the database's.
    max_clock_difference: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    draining: bool,
    schema_is_behind: bool,
    last_beat: Option<Instant>,
    /// What the database said when it refused the last heartbeat.
    refusal: Option<String>,
    /// What keeps topics of legacy records from being taken in, by source. Requests do not depend on it.
    backfills: BTreeMap<String, String>,
}

impl Health {
    /// Nothing is known yet; heartbeats keep the clock.
    pub fn new(clock: Arc<Clock>, max_clock_difference: Duration) -> Self {
        Self {
            clock,
            max_clock_difference,
            inner: Mutex::default(),
        }
    }

    /// Why this node should get no traffic; `None` when it should.
    pub fn why_not_ready(&self) -> Option<String> {
        let inner = self.inner.lock().expect("no holder panics");
        if inner.draining {
            return Some("draining".to_owned());
        }
        if inner.schema_is_behind {
            return Some("the schema is behind".to_owned());
        }
        if inner.refusal.is_some() {
            return inner.refusal.clone();
        }
        let is_silent = inner.last_beat.is_none_or(|at| at.elapsed() > PATIENCE);
        if is_silent {
            return Some("the database does not answer".to_owned());
        }
        self.why_clock_is_wrong()
    }

    /// Times of receipt are the database's all the same, but logs and certificates go by the machine's: somebody has to look.
    fn why_clock_is_wrong(&self) -> Option<String> {
        let ahead = self.clock.machine_ahead_seconds();
        let side = if ahead < 0.0 { "behind" } else { "ahead of" };
        (ahead.abs() > self.max_clock_difference.as_secs_f64()).then(|| {
            format!(
                "the machine's clock is {:.0} s {side} the database's",
                ahead.abs()
            )
        })
    }

    /// What keeps topics of legacy records from being taken in, by source.
    pub fn backfills(&self) -> BTreeMap<String, String> {
        self.inner
            .lock()
            .expect("no holder panics")
            .backfills
            .clone()
    }

    /// Notes why a source stands still, or that it goes on.
    pub fn set_backfill(&self, source: &str, reason: Option<&str>) {
        let backfills = &mut self.inner.lock().expect("no holder panics").backfills;
        match reason {
            Some(reason) => drop(backfills.insert(source.to_owned(), reason.to_owned())),
            None => drop(backfills.remove(source)),
        }
    }

    /// From now on this node wants no traffic.
    pub fn drain(&self) {
        self.inner.lock().expect("no holder panics").draining = true;
    }

    fn set_schema_is_behind(&self, is_behind: bool) {
        self.inner
            .lock()
            .expect("no holder panics")
            .schema_is_behind = is_behind;
    }

    fn heard(&self, asked: Instant, beat: Result<Timestamp, Error>) {
        let mut inner = self.inner.lock().expect("no holder panics");
        match beat {
            Ok(said) => {
                self.clock.hear(asked, said);
                inner.last_beat = Some(Instant::now());
                inner.refusal = None;
            }
            Err(error) => {
                let refusal = error.sql_state().and_then(|state| refusal(state.code()));
                if refusal.is_some() && inner.refusal.is_none() {
                    tracing::error!(reason = %error.full_text(), "not ready");
                }
                inner.refusal = refusal.or(inner.refusal.take());
            }
        }
    }

    /// Writes to the database about once a second, for as long as the process lives.
    pub async fn watch(&self, store: Store) {
        let node = Uuid::new_v4();
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut schema_is_behind = true;
        loop {
            beats.tick().await;
            if schema_is_behind {
                schema_is_behind = !matches!(timeout(PATIENCE, store.pending_steps()).await, Ok(Ok(steps)) if steps.is_empty());
                // One that does not answer is not known to be behind.
                self.set_schema_is_behind(schema_is_behind && store.ping().await.is_ok());
            }
            let asked = Instant::now();
            if let Ok(beat) = timeout(PATIENCE, store.beat(node)).await {
                self.heard(asked, beat);
            }
            gauge!(CLOCK_AHEAD).set(self.clock.machine_ahead_seconds());
            let is_ready = self.why_not_ready().is_none();
            gauge!(READY).set(if is_ready { 1.0 } else { 0.0 });
        }
    }
}

/// What a refusal means that does not pass by itself; `None` for one that may.
fn refusal(code: &str) -> Option<String> {
    let meaning = match code {
        "53100" => "the database's disk is full",
        "25006" => "the database is read-only",
        "42P01" => "a table is missing",
        "42703" => "a column is missing",
        "42501" => "the database user lacks rights",
        _ if code.starts_with(['4', '0', '5']) => return None,
        _ => "the database refuses to write",
    };
    Some(format!("{meaning} (SQLSTATE {code})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_pass_by_itself_is_said_and_what_may_is_waited_for() {
        assert_eq!(
            refusal("53100").as_deref(),
            Some("the database's disk is full (SQLSTATE 53100)")
        );
        for passing in ["40001", "57P01", "08006", "53300"] {
            assert_eq!(refusal(passing), None, "{passing}");
        }
    }
}
