//! Whether this node should get traffic: kept by a heartbeat, read by `/readyz`.
//!
//! The heartbeat is a write, through the same door as everybody's: a database that answers but can't write is of no use. What it does not
//! meet, a full disk above all, batches do: their refusals count too.

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
/// The database is asked for each right with every so manieth heartbeat, and with each while it refuses.
const RIGHTS_EVERY: u64 = 10;

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
    /// What it said when it refused the last batch.
    refused_batch: Option<String>,
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
        if let Some(refusal) = inner.refusal.as_ref().or(inner.refused_batch.as_ref()) {
            return Some(refusal.clone());
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

    fn heard(&self, beat: Result<(Instant, Timestamp), Error>) {
        let mut inner = self.inner.lock().expect("no holder panics");
        match beat {
            Ok((asked, said)) => {
                self.clock.hear(asked, said);
                inner.last_beat = Some(Instant::now());
                inner.refusal = None;
            }
            Err(error) => {
                let refusal = refusal_of(&error);
                if refusal.is_some() && inner.refusal.is_none() {
                    tracing::error!(reason = %error.full_text(), "not ready");
                }
                inner.refusal = refusal.or(inner.refusal.take());
            }
        }
    }

    /// Batches meet what is wrong with one of them, too: only what is wrong for all counts.
    fn heard_of_batches(&self, code: Option<String>) {
        let refused = code.and_then(|code| Some(told(meaning(&code)?, &code)));
        self.inner.lock().expect("no holder panics").refused_batch = refused;
    }

    fn is_refused(&self) -> bool {
        let inner = self.inner.lock().expect("no holder panics");
        inner.refusal.is_some()
    }

    /// Writes to the database about once a second, for as long as the process lives.
    pub async fn watch(&self, store: Store) {
        let node = Uuid::new_v4();
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut schema_is_behind = true;
        for number in 0_u64.. {
            beats.tick().await;
            if schema_is_behind {
                schema_is_behind = !matches!(timeout(PATIENCE, store.pending_steps()).await, Ok(Ok(steps)) if steps.is_empty());
                // One that does not answer is not known to be behind.
                self.set_schema_is_behind(schema_is_behind && store.ping().await.is_ok());
            }
            let is_due = number.is_multiple_of(RIGHTS_EVERY) || self.is_refused();
            let beat = beat(&store, node, is_due && !schema_is_behind);
            if let Ok(beat) = timeout(PATIENCE, beat).await {
                self.heard(beat);
            }
            self.heard_of_batches(store.refused());
            gauge!(CLOCK_AHEAD).set(self.clock.machine_ahead_seconds());
            let is_ready = self.why_not_ready().is_none();
            gauge!(READY).set(if is_ready { 1.0 } else { 0.0 });
        }
    }
}

/// When the database was asked, and what its clock said.
async fn beat(store: &Store, node: Uuid, with_rights: bool) -> Result<(Instant, Timestamp), Error> {
    if with_rights {
        store.check_rights().await?;
    }
    let asked = Instant::now();
    Ok((asked, store.beat(node).await?))
}

fn refusal_of(error: &Error) -> Option<String> {
    match error {
        Error::Schema(text) => Some(format!("the database user lacks rights: {text}")),
        error => refusal(error.sql_state()?.code()),
    }
}

/// What a refusal means that does not pass by itself; `None` for one that may.
fn refusal(code: &str) -> Option<String> {
    match meaning(code) {
        Some(meaning) => Some(told(meaning, code)),
        None if code.starts_with(['4', '0', '5']) => None,
        None => Some(told("the database refuses to write", code)),
    }
}

/// What refuses every write, by its code.
fn meaning(code: &str) -> Option<&'static str> {
    match code {
        "53100" => Some("the database's disk is full"),
        "25006" => Some("the database is read-only"),
        "42P01" => Some("a table is missing"),
        "42703" => Some("a column is missing"),
        "42501" => Some("the database user lacks rights"),
        _ => None,
    }
}

fn told(meaning: &str, code: &str) -> String {
    format!("{meaning} (SQLSTATE {code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_wrong_with_one_batch_alone_is_none_of_the_databases() {
        for alone in ["XX000", "23505", "40001", "57014"] {
            assert_eq!(meaning(alone), None, "{alone}");
        }
        assert!(meaning("53100").is_some() && meaning("42501").is_some());
    }

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
