//! What time it is. Times of receipt decide which trait wins and what an erasure keeps out, so all nodes tell them by one clock: the
//! database's.

use crate::domain::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The database's clock, as far as this node knows it: its own count of time passed, beside what the database said last. What the
/// machine takes for the time does not matter; it is only compared.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// When `started` was, in microseconds since 1970.
    started_at: AtomicI64,
}

impl Clock {
    /// Starts as the machine's clock; no time may be told by it before the first reading.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            started_at: AtomicI64::new(machine_time().micros()),
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        let micros = self.started_at.load(Relaxed) + micros(self.started.elapsed());
        Timestamp::from_micros(micros).unwrap_or_else(machine_time)
    }

    /// Takes what the database's clock said at some moment after `asked`: moves where that proves this clock wrong, by no more than
    /// it proves. So a slow answer does no harm.
    pub fn hear(&self, asked: Instant, said: Timestamp) {
        self.hear_by(asked, said, Instant::now());
    }

    fn hear_by(&self, asked: Instant, said: Timestamp, answered: Instant) {
        let since_start = |moment: Instant| micros(moment.saturating_duration_since(self.started));
        let earliest = said.micros() - since_start(answered);
        let latest = said.micros() - since_start(asked);
        let started_at = self.started_at.load(Relaxed).clamp(earliest, latest);
        self.started_at.store(started_at, Relaxed);
    }

    /// How far the machine's own clock is ahead of the database's, in seconds; negative where it is behind.
    pub fn machine_ahead_seconds(&self) -> f64 {
        (machine_time().micros() - self.now().micros()) as f64 / 1e6
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one clock that everything is handed, and what it is compared with"
)]
pub fn machine_time() -> Timestamp {
    Timestamp::new(jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_clock_moves_as_far_as_a_reading_proves_it_wrong_and_no_further() {
        let second = Duration::from_secs(1);
        let clock = Clock::start();
        let begin = Timestamp::from_micros(clock.started_at.load(Relaxed)).expect("a time");
        // Asked when the clock started; the answer took so long.
        let moved = |said, took| {
            clock.hear_by(clock.started, said, clock.started + took);
            Timestamp::from_micros(clock.started_at.load(Relaxed)).expect("a time")
        };
        // Within what the answer took, nothing is proved.
        assert_eq!(moved(begin.plus(second), second), begin);
        // Hours ahead: back to the latest time that it can have been.
        assert_eq!(moved(begin.minus(6 * HOUR), second), begin.minus(6 * HOUR));
        // Hours behind: on to the earliest.
        assert_eq!(
            moved(begin.plus(6 * HOUR), second),
            begin.plus(6 * HOUR).minus(second)
        );
        // A quick answer tells more than a slow one.
        assert_eq!(
            moved(begin.plus(6 * HOUR), Duration::ZERO),
            begin.plus(6 * HOUR)
        );
        assert_eq!(moved(begin.plus(6 * HOUR), HOUR), begin.plus(6 * HOUR));
        assert!((clock.machine_ahead_seconds() + 6.0 * 3_600.0).abs() < 60.0);
    }
}
