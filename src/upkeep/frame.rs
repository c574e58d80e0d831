//! The frame in which all work runs that no request waits for.
//!
//! A worker has a name, an interval and a step. Of all nodes one has its turn: a lease with a token that each of its writes
//! checks in its own statement, so that a holder that is late does no harm. The step goes through what is due and leaves its
//! progress in the database; the frame keeps the turn for as long as the step runs, however slow one piece of it is. Where the
//! process is killed or stopped, another node goes on. A piece of work that fails is put off by itself and longer each time
//! (`pause_after`), and the step goes on with the next: nothing starves. A piece that panics (`caught`) is one that fails, or one
//! row would end the worker of all projects, on each node, again after each restart.

use crate::metric_names::WORKER_FAILURES;
use crate::store::{Error, Fence, Store};
use futures_util::FutureExt as _;
use metrics::counter;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::sleep;
use uuid::Uuid;

/// How long a turn lasts that nobody keeps: longer than any statement with its repeats, short for whoever waits.
const TURN_TIME: Duration = Duration::from_secs(20);
/// How often the turn of a step that runs is kept: a database that hangs for some seconds loses it to nobody.
const KEEP: Duration = Duration::from_secs(4);
/// The longest time until a node looks again whether a dead one's turn is to be had.
const LOOK: Duration = Duration::from_secs(60);
/// A piece of work that fails waits this long at first, and twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// One kind of work.
pub trait Work: Send + Sync {
    /// Names the work in the database and in the log.
    const NAME: &'static str;

    /// How long the work rests after a step, on all nodes together.
    fn interval(&self) -> Duration;

    /// Does what is due.
    fn step(&self, turn: &mut Turn) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The right to work, for as long as it is kept.
pub struct Turn {
    pub store: Store,
    /// What every write of the work checks.
    pub fence: Fence,
    /// What the last holder noted, or this one.
    pub progress: String,
}

impl Turn {
    /// Goes on having the turn. To be called before what no statement's fence guards, as a request to another store.
    ///
    /// # Errors
    /// `TurnLost` when it came too late.
    pub async fn keep(&self) -> Result<(), Error> {
        self.store.keep_turn(self.fence, TURN_TIME, None).await
    }

    /// The same, with a note for whoever goes on from here.
    pub async fn keep_at(&mut self, progress: String) -> Result<(), Error> {
        self.progress = progress;
        let note = Some(self.progress.as_str());
        self.store.keep_turn(self.fence, TURN_TIME, note).await
    }
}

/// Runs one kind of work for as long as the process lives.
pub async fn run<W: Work>(store: Store, work: W) {
    let owner = Uuid::new_v4();
    let failed = counter!(WORKER_FAILURES, "worker" => W::NAME);
    failed.increment(0); // An alarm sees the first rise only of what began at 0.
    let mut failures = 0;
    loop {
        // Nodes that started together get out of step.
        let look = work.interval().min(LOOK);
        sleep(look.mul_f64(rand::random_range(0.5..1.0))).await;
        match take_turn(&store, owner, &work).await {
            Ok(()) => failures = 0,
            Err(error) => {
                tracing::warn!(worker = W::NAME, reason = %error.full_text(), "a worker waits");
                failed.increment(1);
                sleep(pause_after(failures).min(LOOK)).await;
                failures += 1;
            }
        }
    }
}

/// One step, if it is due and nobody else is at it.
async fn take_turn<W: Work>(store: &Store, owner: Uuid, work: &W) -> Result<(), Error> {
    let Some((fence, progress)) = store.take_turn(W::NAME, owner, TURN_TIME).await? else {
        return Ok(());
    };
    let mut turn = Turn {
        store: store.clone(),
        fence,
        progress,
    };
    let outcome = tokio::select! {
        outcome = caught(W::NAME, work.step(&mut turn)) => outcome,
        lost = keep_on(store, fence) => Err(lost),
    };
    let rest = match outcome {
        Ok(()) => work.interval(),
        Err(_) => work.interval().min(LOOK),
    };
    outcome.and(store.end_turn(fence, rest).await)
}

/// Keeps a turn until it is lost. A database that does not answer is asked again: the step hears of it by its own statements.
async fn keep_on(store: &Store, fence: Fence) -> Error {
    loop {
        sleep(KEEP).await;
        if let Err(lost @ Error::TurnLost(_)) = store.keep_turn(fence, TURN_TIME, None).await {
            return lost;
        }
    }
}

/// Runs a piece of a worker's work, in which a panic is a failure like any other.
///
/// # Errors
/// The piece's own; `Panicked` where it panicked.
pub async fn caught<T, E: From<Error>>(
    worker: &'static str,
    piece: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let outcome = AssertUnwindSafe(piece).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Error::Panicked(worker).into()))
}

/// How long a piece of work waits that has failed so many times in a row before.
pub fn pause_after(failures: i32) -> Duration {
    let doublings = failures.clamp(0, 16).unsigned_abs();
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_waits_longer_up_to_an_hour() {
        let pauses: Vec<u64> = (0..14).map(|n| pause_after(n).as_secs()).collect();
        assert_eq!(pauses[..4], [2, 4, 8, 16]);
        assert!(pauses.is_sorted() && pauses[13] == 3_600, "{pauses:?}");
        assert_eq!(pause_after(i32::MAX), LONGEST_PAUSE);
    }
}
