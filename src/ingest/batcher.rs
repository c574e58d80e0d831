//! Gathers what arrives while batches are being written, and writes it as the next batch.
//!
//! A lone request is written at once; under load the batches grow by themselves, because the next one gathers for as long as the
//! one before is in flight. Beside a batch of the same lane another one starts only when enough has gathered, or after
//! `ingest.patience_ms`: a statement costs as much as some twenty rows, so that more batches of fewer rows are slower than fewer
//! of more.

use super::lanes::{Lane, Lanes};
use super::measures::{Began, Filled};
use super::queue::Receiver;
use super::share::Share;
use super::slots::Slots;
use super::turns::Budget;
use super::writer::Writer;
use super::yielding::Yielding;
use crate::config::{self, millis};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until};

/// Runs until nobody submits any more and everything gathered is written.
pub(super) async fn run(receiver: Receiver, writer: Arc<Writer>, settings: config::Ingest) {
    let mut gathering = Gathering::new(receiver, writer, settings);
    loop {
        let wake = gathering.start_batches();
        if gathering.is_over() {
            break;
        }
        tokio::select! {
            () = gathering.receiver.notified() => {}
            Some(Ok(flush)) = gathering.flushes.join_next() => gathering.end(&flush),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }
}

/// What is to be written together.
struct Batch {
    lane: Lane,
    began: Began,
    filled: Filled,
    shares: Vec<Share>,
}

/// A batch in flight.
struct Flush {
    lane: Lane,
    started: Instant,
    /// Heavy batches were in flight when it started.
    is_beside: bool,
}

/// What waits, and what is in flight.
struct Gathering {
    receiver: Receiver,
    flushes: JoinSet<Flush>,
    slots: Slots,
    yielding: Yielding,
    writer: Arc<Writer>,
    settings: config::Ingest,
    patience: Duration,
}

impl Gathering {
    fn new(receiver: Receiver, writer: Arc<Writer>, settings: config::Ingest) -> Self {
        Self {
            receiver,
            flushes: JoinSet::new(),
            slots: Slots::new(settings.parallel_flushes),
            // One slot is the light lane's.
            yielding: Yielding::new((settings.parallel_flushes - 1).max(1)),
            writer,
            patience: millis(settings.patience_ms),
            settings,
        }
    }

    /// Starts what may start, and says what is worth a wake-up then; when to look again if nothing comes.
    fn start_batches(&mut self) -> Option<Instant> {
        loop {
            let mut state = self.receiver.state();
            let Some(batch) = self.take(&mut state.lanes) else {
                state.wanted = Lane::ALL.map(|lane| self.wanted(&state.lanes, lane));
                return self.next_look(&state.lanes);
            };
            drop(state);
            self.start(batch);
        }
    }

    fn is_over(&self) -> bool {
        let state = self.receiver.state();
        let is_empty = Lane::ALL.iter().all(|lane| state.lanes.rows(*lane) == 0);
        !state.is_open && is_empty && self.flushes.is_empty()
    }

    /// The rows of a lane with which a batch may begin: any at once where nothing of the lane is in flight; beside another batch as many as are
    /// worth a statement of their own.
    fn wanted(&self, lanes: &Lanes, lane: Lane) -> usize {
        if !self.has_slot(lanes, lane) {
            usize::MAX
        } else if self.slots.in_flight(lane) == 0 {
            1
        } else {
            self.settings.parallel_rows
        }
    }

    /// When something may have waited long enough beside a batch in flight; `None` while nothing could go anyway.
    fn next_look(&self, lanes: &Lanes) -> Option<Instant> {
        let now = Instant::now();
        let with_slot = Lane::ALL
            .into_iter()
            .filter(|lane| self.has_slot(lanes, *lane));
        let since = with_slot.filter_map(|lane| {
            let is_beside = self.slots.in_flight(lane) > 0;
            lanes.since(lane).or(is_beside.then_some(now))
        });
        since.min().map(|since| since + self.patience)
    }

    fn has_slot(&self, lanes: &Lanes, lane: Lane) -> bool {
        let heavy_waits = lanes.rows(Lane::Heavy) > 0;
        self.slots
            .has_one(lane, self.most_heavy(lanes), heavy_waits)
    }

    /// Who is alone has all; while more than one project sends, heavy batches give way.
    fn most_heavy(&self, lanes: &Lanes) -> usize {
        match lanes.is_mixed() {
            true => self.yielding.limit(Instant::now()),
            false => self.settings.parallel_flushes,
        }
    }

    fn end(&mut self, flush: &Flush) {
        self.slots.end(flush.lane);
        if flush.lane == Lane::Light {
            let took = flush.started.elapsed();
            self.yielding.note(Instant::now(), took, flush.is_beside);
        }
    }

    /// The next batch, of the first lane that has one.
    fn take(&self, lanes: &mut Lanes) -> Option<Batch> {
        Lane::ALL.into_iter().find_map(|lane| {
            let began = self.may_go(lanes, lane)?;
            let budget = Budget {
                rows: self.writer.pace.rows(),
                cost: self.settings.max_batch_bytes,
            };
            let shares = lanes.take(lane, budget);
            let filled = Filled {
                budget,
                rows: shares.iter().map(|share| share.items.len()).sum(),
                bytes: shares.iter().map(|share| share.cost).sum(),
                leaves_some: lanes.rows(lane) > 0,
            };
            let batch = Batch {
                lane,
                began,
                filled,
                shares,
            };
            // All that waited may have been given up.
            (!batch.shares.is_empty()).then_some(batch)
        })
    }

    /// Goes with as many rows as are wanted; with fewer where they have waited long beside another batch: one that hangs must not hold the
    /// others up.
    fn may_go(&self, lanes: &Lanes, lane: Lane) -> Option<Began> {
        let wanted = self.wanted(lanes, lane);
        if lanes.rows(lane) >= wanted {
            let is_alone = self.slots.in_flight(lane) == 0;
            return Some(if is_alone { Began::Idle } else { Began::Rows });
        }
        let since = lanes.since(lane).filter(|_| wanted < usize::MAX);
        let is_late = since.is_some_and(|since| since.elapsed() >= self.patience);
        is_late.then_some(Began::Patience)
    }

    fn start(&mut self, batch: Batch) {
        let lane = batch.lane;
        let measures = &self.writer.measures;
        measures.begin(lane, batch.began, &batch.filled, &batch.shares);
        let flush = Flush {
            lane,
            started: Instant::now(),
            is_beside: self.slots.in_flight(Lane::Heavy) > 0,
        };
        self.slots.start(lane);
        let writer = self.writer.clone();
        self.flushes.spawn(async move {
            // A batch that panics leaves its senders without an answer, not the others without a slot.
            if AssertUnwindSafe(writer.flush(batch.shares, lane))
                .catch_unwind()
                .await
                .is_err()
            {
                tracing::error!("a batch panicked");
            }
            flush
        });
    }
}
