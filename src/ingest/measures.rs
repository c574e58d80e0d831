//! What requests and batches are counted with: handles held, since making the labels of a metric costs more than raising it.

use super::lanes::Lane;
use super::share::Share;
use super::turns::Budget;
use crate::domain::{Class, Receipt};
use crate::metric_names::{
    BATCH_BYTES, BATCH_ROWS, BATCH_SECONDS, BATCHED_ITEMS, BATCHES, ITEMS_DUPLICATE,
    ITEMS_RECEIVED, ITEMS_REJECTED, ITEMS_STORED, ITEMS_TAKEN, ITEMS_UNCHANGED, QUEUE_SECONDS,
    WARNINGS,
};
use metrics::{Counter, Histogram, counter, histogram};
use tokio::time::{Duration, Instant};

/// Why a batch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Began {
    /// Nothing of its lane was in flight.
    Idle,
    /// Enough had gathered to go beside another one.
    Rows,
    /// Something had waited long enough.
    Patience,
}

/// What kept a batch from being larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing: it took all that waited.
    All,
    Rows,
    Bytes,
    /// Each class had its part of the batch.
    Share,
}

/// What a batch may hold and does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled {
    pub budget: Budget,
    pub rows: usize,
    pub bytes: usize,
    /// Something of its lane still waits.
    pub leaves_some: bool,
}

/// A limit has cut a batch that is fuller than this, in percent of it: shares are up to a quarter of a batch and stay whole.
const FULL_PERCENT: usize = 75;

impl Filled {
    /// Of both limits the one that is nearer.
    pub fn cut(&self) -> Cut {
        let percent = |used: usize, most: usize| used.saturating_mul(100) / most.max(1);
        let rows = percent(self.rows, self.budget.rows);
        let bytes = percent(self.bytes, self.budget.cost);
        match rows.max(bytes) {
            _ if !self.leaves_some => Cut::All,
            ..FULL_PERCENT => Cut::Share,
            _ if rows >= bytes => Cut::Rows,
            _ => Cut::Bytes,
        }
    }
}

/// The handles. Those of classes stand in the order of `Class::ALL`.
pub(super) struct Measures {
    received: Counter,
    stored: Counter,
    duplicate: Counter,
    taken: Counter,
    unchanged: Counter,
    light: OfLane,
    heavy: OfLane,
    queued: [Histogram; 3],
    items: [Counter; 3],
}

struct OfLane {
    rows: Histogram,
    bytes: Histogram,
    written: Histogram,
    failed: Histogram,
    /// By why they began, then by where they were cut.
    batches: [[Counter; 4]; 3],
}

impl Measures {
    /// Asks the recorder of the process for all of them.
    pub fn new() -> Self {
        let queued = |class: Class| histogram!(QUEUE_SECONDS, "class" => class.as_str());
        let items = |class: Class| counter!(BATCHED_ITEMS, "class" => class.as_str());
        Self {
            received: counter!(ITEMS_RECEIVED),
            stored: counter!(ITEMS_STORED),
            duplicate: counter!(ITEMS_DUPLICATE),
            taken: counter!(ITEMS_TAKEN),
            unchanged: counter!(ITEMS_UNCHANGED),
            light: OfLane::new(Lane::Light),
            heavy: OfLane::new(Lane::Heavy),
            queued: Class::ALL.map(queued),
            items: Class::ALL.map(items),
        }
    }

    /// Counts a batch that begins.
    pub fn begin(&self, lane: Lane, began: Began, filled: &Filled, batch: &[Share]) {
        let of_lane = self.of(lane);
        of_lane.rows.record(filled.rows as f64);
        of_lane.bytes.record(filled.bytes as f64);
        of_lane.batches[began as usize][filled.cut() as usize].increment(1);
        let now = Instant::now();
        for share in batch {
            let class = share.origin.class as usize;
            self.queued[class].record(now - share.since);
            self.items[class].increment(share.items.len() as u64);
        }
    }

    /// Counts a batch that has ended, or a part of it that was written by itself.
    pub fn end(&self, lane: Lane, is_written: bool, took: Duration) {
        let of_lane = self.of(lane);
        if is_written {
            of_lane.written.record(took);
        } else {
            of_lane.failed.record(took);
        }
    }

    /// Counts what became of a request's items: once for each request, since counters are shared by every thread.
    pub fn answer(&self, receipts: &[Receipt]) {
        let (mut stored, mut duplicate, mut taken, mut unchanged) = (0, 0, 0, 0);
        for receipt in receipts {
            match receipt {
                Receipt::Stored => stored += 1,
                Receipt::StoredWithout(warning) => {
                    stored += 1;
                    counter!(WARNINGS, "code" => warning.code).increment(1);
                }
                Receipt::Duplicate => duplicate += 1,
                Receipt::Taken(_) => taken += 1,
                Receipt::Unchanged => unchanged += 1,
                Receipt::Rejected(rejection) => {
                    counter!(ITEMS_REJECTED, "code" => rejection.code.as_str()).increment(1);
                }
            }
        }
        self.received.increment(receipts.len() as u64);
        let counts = [
            (&self.stored, stored),
            (&self.duplicate, duplicate + taken),
            (&self.taken, taken),
            (&self.unchanged, unchanged),
        ];
        for (counter, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            counter.increment(count);
        }
    }

    fn of(&self, lane: Lane) -> &OfLane {
        match lane {
            Lane::Light => &self.light,
            Lane::Heavy => &self.heavy,
        }
    }
}

impl OfLane {
    fn new(lane: Lane) -> Self {
        let lane = lane.as_str();
        let seconds =
            |outcome: &'static str| histogram!(BATCH_SECONDS, "lane" => lane, "outcome" => outcome);
        let batches = |began: &'static str| {
            ["all", "rows", "bytes", "share"]
                .map(|cut| counter!(BATCHES, "lane" => lane, "began" => began, "cut" => cut))
        };
        Self {
            rows: histogram!(BATCH_ROWS, "lane" => lane),
            bytes: histogram!(BATCH_BYTES, "lane" => lane),
            written: seconds("ok"),
            failed: seconds("error"),
            batches: ["idle", "rows", "patience"].map(batches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(rows: usize, bytes: usize, leaves_some: bool) -> Cut {
        let budget = Budget {
            rows: 1_000,
            cost: 1 << 20,
        };
        let filled = Filled {
            budget,
            rows,
            bytes,
            leaves_some,
        };
        filled.cut()
    }

    #[test]
    fn a_batch_is_cut_by_the_limit_that_it_is_nearer_to() {
        assert_eq!(cut(1_000, 1 << 20, false), Cut::All);
        assert_eq!(cut(1_000, 1 << 10, true), Cut::Rows);
        assert_eq!(cut(760, 1 << 10, true), Cut::Rows);
        assert_eq!(cut(4, 1 << 20, true), Cut::Bytes);
        assert_eq!(cut(900, 1 << 20, true), Cut::Bytes);
        assert_eq!(cut(300, 1 << 18, true), Cut::Share);
        // A single share may be larger than what a slow database leaves of a batch.
        assert_eq!(cut(2_500, 1 << 10, true), Cut::Rows);
    }
}
