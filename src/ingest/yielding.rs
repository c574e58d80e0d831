//! How many heavy batches may be in flight beside light ones: fewer while they make the light ones slow, more again when they don't.
//!
//! A database with processors to spare writes several at once and nobody feels it; one that has none makes every other project
//! wait for one that floods. Which of the two it is shows in how long light batches take, against the fastest of the last seconds.

use tokio::time::{Duration, Instant};

/// Light batches beside heavy ones that take so many times the fastest one are slow; and so many times are as good as alone.
const SLOW: f64 = 3.0;
const GOOD: f64 = 1.5;
/// Light batches on which a change is founded: some tens of milliseconds of calls beside a flood.
const SAMPLES: u32 = 16;
/// How much of the mean one batch makes.
const WEIGHT: f64 = 1.0 / 16.0;
/// The fastest batch is remembered for one to two such times.
const WINDOW: Duration = Duration::from_secs(10);
/// Before one more is tried: the first time, and after tries that failed.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(64);
/// Without a light batch for so long nobody is slowed.
const PRESENCE: Duration = Duration::from_secs(2);

/// The number, and what it is founded on.
#[derive(Debug)]
pub(super) struct Yielding {
    most: usize,
    limit: usize,
    /// The fastest light batch of this window and of the one before, in seconds.
    fastest: [f64; 2],
    window: Option<Instant>,
    /// The mean of light batches beside heavy ones, in seconds.
    beside: f64,
    samples: u32,
    noted: Option<Instant>,
    changed: Option<Instant>,
    wait: Duration,
}

impl Yielding {
    /// At most so many.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            limit: most,
            fastest: [f64::INFINITY; 2],
            window: None,
            beside: 0.0,
            samples: 0,
            noted: None,
            changed: None,
            wait: SHORTEST,
        }
    }

    /// How many heavy batches may be in flight.
    pub fn limit(&self, now: Instant) -> usize {
        let is_present = self.noted.is_some_and(|at| now - at < PRESENCE);
        if is_present { self.limit } else { self.most }
    }

    /// A light batch took so long, begun beside a heavy one or not.
    pub fn note(&mut self, now: Instant, took: Duration, is_beside: bool) {
        let seconds = took.as_secs_f64();
        self.turn_window(now);
        self.fastest[0] = self.fastest[0].min(seconds);
        self.noted = Some(now);
        if is_beside {
            let weight = WEIGHT.max(1.0 / f64::from(self.samples + 1));
            self.beside += (seconds - self.beside) * weight;
            self.samples = self.samples.saturating_add(1);
            self.judge(now);
        }
    }

    fn turn_window(&mut self, now: Instant) {
        let begun = *self.window.get_or_insert(now);
        if now - begun >= WINDOW {
            self.fastest = [f64::INFINITY, self.fastest[0]];
            self.window = Some(now);
        }
    }

    fn judge(&mut self, now: Instant) {
        if self.samples < SAMPLES {
            return;
        }
        let times = self.beside / self.fastest[0].min(self.fastest[1]);
        let rested = self.changed.is_none_or(|at| now - at >= self.wait);
        if times > SLOW && self.limit > 1 {
            // Where one more was tried just now, the next try comes later.
            let failed = self.changed.is_some_and(|at| now - at < self.wait);
            self.wait = if failed {
                (self.wait * 2).min(LONGEST)
            } else {
                SHORTEST
            };
            self.change(now, self.limit - 1);
        } else if times < GOOD && self.limit < self.most && rested {
            self.change(now, self.limit + 1);
        }
    }

    fn change(&mut self, now: Instant, limit: usize) {
        (self.limit, self.changed, self.samples) = (limit, Some(now), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(1);
    const SLOWLY: Duration = Duration::from_millis(8);

    /// So many light batches beside heavy ones, ten milliseconds apart.
    fn beside(yielding: &mut Yielding, now: &mut Instant, took: Duration, times: u32) {
        for _ in 0..times {
            *now += Duration::from_millis(10);
            yielding.note(*now, took, true);
        }
    }

    #[test]
    fn heavy_batches_step_back_where_they_are_felt_and_return_where_they_are_not() {
        let (mut yielding, mut now) = (Yielding::new(2), Instant::now());
        yielding.note(now, QUICK, false);
        beside(&mut yielding, &mut now, SLOWLY, SAMPLES);
        assert_eq!(yielding.limit(now), 1);
        beside(&mut yielding, &mut now, SLOWLY, 1_000);
        assert_eq!(yielding.limit(now), 1, "never none");
        beside(&mut yielding, &mut now, QUICK, 200);
        assert_eq!(yielding.limit(now), 2);
    }

    #[test]
    fn a_database_with_room_to_spare_keeps_all() {
        let (mut yielding, mut now) = (Yielding::new(3), Instant::now());
        yielding.note(now, QUICK, false);
        beside(&mut yielding, &mut now, QUICK * 2, 1_000);
        assert_eq!(yielding.limit(now), 3);
    }

    #[test]
    fn nobody_there_is_nobody_slowed() {
        let (mut yielding, mut now) = (Yielding::new(2), Instant::now());
        yielding.note(now, QUICK, false);
        beside(&mut yielding, &mut now, SLOWLY, SAMPLES);
        assert_eq!(yielding.limit(now), 1);
        assert_eq!(yielding.limit(now + PRESENCE), 2);
    }

    #[test]
    fn tries_that_fail_become_rare() {
        let (mut yielding, mut now) = (Yielding::new(2), Instant::now());
        yielding.note(now, QUICK, false);
        let mut tries = 0;
        let mut before = 2;
        // Fast with one heavy batch, slow with two: for a minute.
        for _ in 0..6_000 {
            let took = if yielding.limit(now) == 1 {
                QUICK
            } else {
                SLOWLY
            };
            beside(&mut yielding, &mut now, took, 1);
            let limit = yielding.limit(now);
            tries += u32::from(limit > before);
            before = limit;
        }
        assert!((1..=7).contains(&tries), "{tries} tries");
    }
}
