//! Gathers what arrives while batches are being written, and writes it as the next batch.
//!
//! A lone request is written at once; under load the batches grow by themselves, because the next one gathers for as long as the
//! one before is in flight. Beside a batch of the same lane another one starts only when enough has gathered, or after
//! `ingest.patience_ms`: a statement costs as much as some twenty rows, so that more batches of fewer rows are slower than fewer
//! of more.

use super::lanes::{Lane, Lanes};
use super::measures::{Began, Filled};
use super::share::Share;
use super::slots::Slots;
use super::turns::Budget;
use super::writer::Writer;
use super::yielding::Yielding;
use crate::config::{self, millis};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until};

/// Runs until every sender is gone and everything gathered is written.
pub(super) async fn run(
    mut arrivals: mpsc::UnboundedReceiver<Share>,
    writer: Arc<Writer>,
    settings: config::Ingest,
) {
    let mut gathering = Gathering::new(writer, settings);
    let mut open = true;
    while open || gathering.has_work() {
        let wake = gathering.next_look();
        tokio::select! {
            share = arrivals.recv(), if open => match share {
                Some(share) => gathering.lanes.add(share),
                None => open = false,
            },
            Some(Ok(flush)) = gathering.flushes.join_next() => gathering.end(&flush),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
        // What has arrived by now goes along.
        while let Ok(share) = arrivals.try_recv() {
            gathering.lanes.add(share);
        }
        gathering.start_batches();
    }
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
    lanes: Lanes,
    flushes: JoinSet<Flush>,
    slots: Slots,
    yielding: Yielding,
    writer: Arc<Writer>,
    settings: config::Ingest,
    patience: Duration,
}

impl Gathering {
    fn new(writer: Arc<Writer>, settings: config::Ingest) -> Self {
        Self {
            lanes: Lanes::new(&settings),
            flushes: JoinSet::new(),
            slots: Slots::new(settings.parallel_flushes),
            // One slot is the light lane's.
            yielding: Yielding::new((settings.parallel_flushes - 1).max(1)),
            writer,
            patience: millis(settings.patience_ms),
            settings,
        }
    }

    fn has_work(&self) -> bool {
        !self.flushes.is_empty()
            || [Lane::Light, Lane::Heavy]
                .iter()
                .any(|lane| self.lanes.rows(*lane) > 0)
    }

    /// When something that waits will have waited long enough; `None` while nothing could go anyway.
    fn next_look(&self) -> Option<Instant> {
        let lanes = [Lane::Light, Lane::Heavy].into_iter();
        let waiting = lanes.filter(|lane| self.has_slot(*lane) && self.lanes.rows(*lane) > 0);
        waiting
            .filter_map(|lane| Some(self.lanes.since(lane)? + self.patience))
            .min()
    }

    fn start_batches(&mut self) {
        for lane in [Lane::Light, Lane::Heavy] {
            while let Some(began) = self.may_go(lane)
                && self.start(lane, began)
            {}
        }
    }

    fn has_slot(&self, lane: Lane) -> bool {
        let heavy_waits = self.lanes.rows(Lane::Heavy) > 0;
        self.slots.has_one(lane, self.most_heavy(), heavy_waits)
    }

    /// Who is alone has all; while more than one project sends, heavy batches give way.
    fn most_heavy(&self) -> usize {
        match self.lanes.is_mixed() {
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

    /// Goes at once where nothing of the lane is in flight; beside another batch only where it is worth a statement of its own, or
    /// has waited long: one batch that hangs must not hold the others up.
    fn may_go(&self, lane: Lane) -> Option<Began> {
        let rows = self.lanes.rows(lane);
        if rows == 0 || !self.has_slot(lane) {
            return None;
        }
        if self.slots.in_flight(lane) == 0 {
            return Some(Began::Idle);
        }
        if rows >= self.settings.parallel_rows {
            return Some(Began::Rows);
        }
        let since = self.lanes.since(lane);
        let is_late = since.is_some_and(|since| since.elapsed() >= self.patience);
        is_late.then_some(Began::Patience)
    }

    /// False where all that waited had been given up.
    fn start(&mut self, lane: Lane, began: Began) -> bool {
        let budget = Budget {
            rows: self.writer.pace.rows(),
            cost: self.settings.max_batch_bytes,
        };
        let batch = self.lanes.take(lane, budget);
        if batch.is_empty() {
            return false;
        }
        let filled = Filled {
            budget,
            rows: batch.iter().map(|share| share.items.len()).sum(),
            bytes: batch.iter().map(|share| share.cost).sum(),
            leaves_some: self.lanes.rows(lane) > 0,
        };
        self.writer.measures.begin(lane, began, &filled, &batch);
        let flush = Flush {
            lane,
            started: Instant::now(),
            is_beside: self.slots.in_flight(Lane::Heavy) > 0,
        };
        self.slots.start(lane);
        let writer = self.writer.clone();
        self.flushes.spawn(async move {
            // A batch that panics leaves its senders without an answer, not the others without a slot.
            if AssertUnwindSafe(writer.flush(batch, lane))
                .catch_unwind()
                .await
                .is_err()
            {
                tracing::error!("a batch panicked");
            }
            flush
        });
        true
    }
}
