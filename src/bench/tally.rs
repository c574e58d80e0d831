//! What was done, and how long each answer took.

use super::machine::Cpu;
use super::plan::Kind;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Longer latencies count as this.
const LONGEST_MICROS: u64 = 60_000_000;

/// What some connections did.
#[derive(Debug)]
pub struct Tally {
    pub items: u64,
    /// From sending to the answer, in microseconds.
    pub latency: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            items: 0,
            latency: Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("fit bounds"),
        }
    }
}

impl Tally {
    /// So many items that nobody timed.
    pub fn of(items: u64) -> Self {
        Self {
            items,
            ..Self::default()
        }
    }

    /// Counts one answer.
    pub fn add(&mut self, items: u64, took: Duration) {
        self.items += items;
        self.latency.saturating_record(took.as_micros() as u64);
    }

    pub fn absorb(&mut self, other: &Self) {
        self.items += other.items;
        self.latency
            .add(&other.latency)
            .expect("both have the same bounds");
    }
}

/// What one turn gave.
pub struct Turn {
    pub kind: Kind,
    pub round: usize,
    pub tally: Tally,
    pub seconds: f64,
    pub cpu: Cpu,
}
