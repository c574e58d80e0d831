//! What was done, and how long each answer took.

use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Longer latencies count as this.
const LONGEST_MICROS: u64 = 60_000_000;

/// Items that were answered to anybody in this process: what the line of progress tells.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// Items answered so far, by everybody.
pub fn answered() -> u64 {
    ANSWERED.load(Relaxed)
}

/// What some connections did.
#[derive(Clone, Debug)]
pub struct Tally {
    pub items: u64,
    /// Events among them that are new.
    pub events: u64,
    /// Requests answered 429 or 503, and those of them that do not say when to come again.
    pub refused: u64,
    pub without_retry_after: u64,
    /// From the moment that counts (of sending, or when it was due) to the answer, in microseconds.
    pub latency: Histogram<u64>,
    /// From the moment when a request was due to its sending, of connections that were free by then: how late the sender was.
    pub late: Histogram<u64>,
    /// By the second in which it was due.
    pub seconds: Vec<Slice>,
}

/// One second.
#[derive(Clone, Debug)]
pub struct Slice {
    pub items: u64,
    pub latency: Histogram<u32>,
    /// Memory of the service, where somebody looked.
    pub memory_bytes: Option<u64>,
}

/// One answer.
#[derive(Clone, Copy)]
pub struct Answer {
    pub items: u64,
    pub events: u64,
    /// Since the beginning: when the request was due.
    pub at: Duration,
    pub took: Duration,
}

impl Default for Tally {
    fn default() -> Self {
        let empty = || Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("fit bounds");
        Self {
            items: 0,
            events: 0,
            refused: 0,
            without_retry_after: 0,
            latency: empty(),
            late: empty(),
            seconds: Vec::new(),
        }
    }
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            items: 0,
            // Many are held at once: two digits take a tenth of the memory of three.
            latency: Histogram::new_with_bounds(1, LONGEST_MICROS, 2).expect("fit bounds"),
            memory_bytes: None,
        }
    }
}

impl Tally {
    /// So many items that nobody timed, and as many events of them.
    pub fn of(items: u64, events: u64) -> Self {
        ANSWERED.fetch_add(items, Relaxed);
        Self {
            items,
            events,
            ..Self::default()
        }
    }

    /// Counts one answer.
    pub fn add(&mut self, answer: Answer) {
        ANSWERED.fetch_add(answer.items, Relaxed);
        self.items += answer.items;
        self.events += answer.events;
        let micros = answer.took.as_micros() as u64;
        self.latency.saturating_record(micros);
        let slice = self.slice(answer.at.as_secs() as usize);
        slice.items += answer.items;
        slice.latency.saturating_record(micros);
    }

    /// The slice of a second.
    pub fn slice(&mut self, second: usize) -> &mut Slice {
        if self.seconds.len() <= second {
            self.seconds.resize_with(second + 1, Slice::default);
        }
        &mut self.seconds[second]
    }

    /// Adds what was done beside it, or `after` it: then its seconds follow.
    pub fn absorb(&mut self, other: &Self, after: bool) {
        self.items += other.items;
        self.events += other.events;
        self.refused += other.refused;
        self.without_retry_after += other.without_retry_after;
        add(&mut self.latency, &other.latency);
        add(&mut self.late, &other.late);
        let first = if after { self.seconds.len() } else { 0 };
        for (second, other) in other.seconds.iter().enumerate() {
            let slice = self.slice(first + second);
            slice.items += other.items;
            slice.memory_bytes = other.memory_bytes.or(slice.memory_bytes);
            slice.latency.add(&other.latency).expect("the same bounds");
        }
    }

    /// A quantile of the latencies, in milliseconds; none where nothing was timed.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        (!self.latency.is_empty()).then(|| self.latency.value_at_quantile(quantile) as f64 / 1e3)
    }
}

fn add(sum: &mut Histogram<u64>, other: &Histogram<u64>) {
    sum.add(other).expect("both have the same bounds");
}

impl Slice {
    /// A quantile of the latencies, in milliseconds; none where nothing was timed.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        (!self.latency.is_empty()).then(|| self.latency.value_at_quantile(quantile) as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(second: u64, millis: u64) -> Answer {
        Answer {
            items: 10,
            events: 9,
            at: Duration::from_millis(second * 1_000 + 500),
            took: Duration::from_millis(millis),
        }
    }

    #[test]
    fn seconds_lie_beside_each_other_or_follow() {
        let mut first = Tally::default();
        first.add(answer(0, 2));
        first.add(answer(1, 4));
        let mut beside = first.clone();
        beside.absorb(&first, false);
        assert_eq!((beside.items, beside.events), (40, 36));
        assert_eq!(beside.seconds.len(), 2);
        assert_eq!(beside.seconds[1].items, 20);
        first.absorb(&beside, true);
        assert_eq!(first.seconds.len(), 4);
        assert_eq!(first.seconds[3].items, 20);
        let p99 = first.quantile_ms(0.99).expect("timed");
        assert!((p99 - 4.0).abs() < 0.01, "{p99}");
        assert!(Tally::of(5, 5).quantile_ms(0.5).is_none());
    }
}
