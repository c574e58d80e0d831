//! How fast a source of records, a topic or files, may go: as fast as live traffic does not feel it.
//!
//! Live requests are timed from their arrival to their commit. The lowest of these times, slowly forgotten, is what they take when
//! nothing disturbs them. Where they take clearly longer the source slows down at once; while they do not it goes faster step by
//! step: additive increase, multiplicative decrease. Without live traffic nothing holds it but its own limits.

use super::LiveTime;
use std::time::Duration;
use tokio::time::Instant;

/// A source never goes slower than this, in records a second: it ends one day.
const SLOWEST: f64 = 100.0;
const FASTEST: f64 = 1e6;
const FIRST: f64 = 2_000.0;
/// Live requests may take so much longer than when nothing disturbs them, and so many seconds more, before the source gives way.
const TOLERANCE: f64 = 1.5;
const TOLERANCE_SECONDS: f64 = 0.001;
/// Seconds of its pace that a batch takes beside live requests, and records that it takes in any case.
const MOMENT: f64 = 0.025;
const FEWEST_RECORDS: usize = 20;
/// Fewer live requests than this in one look tell nothing.
const FEWEST: u64 = 5;

/// The limits and the present pace.
#[derive(Debug)]
pub struct Tempo {
    most_records: f64,
    most_bytes: f64,
    rate: f64,
    quiet: Option<f64>,
    last: LiveTime,
    /// Records begun since the last look, and when that was.
    begun: (usize, Instant),
    /// Live requests were there at the last look.
    is_beside_live: bool,
    /// What holds it back, in words; empty where nothing does.
    pub held_by: String,
    next: Instant,
}

impl Tempo {
    /// With limits of records and bytes a second; 0 is none.
    pub fn new(records_per_second: u32, bytes_per_second: u32) -> Self {
        let limit = |limit: u32| {
            if limit == 0 {
                f64::INFINITY
            } else {
                f64::from(limit)
            }
        };
        Self {
            most_records: limit(records_per_second),
            most_bytes: limit(bytes_per_second),
            rate: FIRST,
            quiet: None,
            last: LiveTime::default(),
            begun: (0, Instant::now()),
            is_beside_live: false,
            held_by: String::new(),
            next: Instant::now(),
        }
    }

    /// The records a second that are allowed now.
    pub fn rate(&self) -> f64 {
        self.rate.min(self.most_records)
    }

    /// When the next batch may begin.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// The records of the next batch, where there is no other limit: beside live requests what it may take in a moment, since they
    /// feel each batch as a whole.
    pub fn batch(&self) -> usize {
        if self.is_beside_live {
            (self.rate() * MOMENT) as usize + FEWEST_RECORDS
        } else {
            usize::MAX
        }
    }

    /// True where live requests were there at the last look.
    pub fn is_beside_live(&self) -> bool {
        self.is_beside_live
    }

    /// A batch has begun.
    pub fn begin(&mut self, records: usize, bytes: usize) {
        self.begun.0 += records;
        let by_records = records as f64 / self.rate();
        let by_bytes = bytes as f64 / self.most_bytes;
        let pause = Duration::from_secs_f64(by_records.max(by_bytes).min(60.0));
        // Time that was not used is gone: a source that waited does not catch up at once.
        self.next = self.next.max(Instant::now()) + pause;
    }

    /// Looks how live traffic fares; to be called a few times a second.
    pub fn look(&mut self, now: LiveTime) {
        let requests = now.requests - self.last.requests;
        let seconds = (now.micros - self.last.micros) as f64 / 1e6;
        self.last = now;
        let used = self.begun.0 as f64 / self.begun.1.elapsed().as_secs_f64().max(0.001);
        self.begun = (0, Instant::now());
        let was_beside_live = std::mem::replace(&mut self.is_beside_live, requests >= FEWEST);
        if requests < FEWEST {
            self.rate = (self.rate * 1.5).min(FASTEST);
            self.held_by = self.own_limit();
            return;
        }
        if !was_beside_live {
            // What they take undisturbed shows only where they are not disturbed.
            self.rate = self.rate.min(FIRST);
        }
        let mean = seconds / requests as f64;
        let quiet = self.quiet.map_or(mean, |quiet| (quiet * 1.002).min(mean));
        self.quiet = Some(quiet);
        if mean > quiet * TOLERANCE + TOLERANCE_SECONDS {
            // Of what it does, not of what it might do.
            self.rate = (self.rate.min(used.max(SLOWEST)) * 0.7).max(SLOWEST);
            self.held_by = format!(
                "live traffic takes {:.1} ms instead of {:.1} ms",
                mean * 1e3,
                quiet * 1e3
            );
        } else {
            // What it does not use it may not save up.
            if used > self.rate / 2.0 {
                self.rate = (self.rate + 200.0).min(FASTEST);
            }
            self.held_by = self.own_limit();
        }
    }

    fn own_limit(&self) -> String {
        if self.rate < self.most_records {
            String::new()
        } else {
            format!("the limit of {} records a second", self.most_records)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look after the source has used all of its pace.
    fn look(pace: &mut Tempo, time: &mut LiveTime, requests: u64, millis: u64) {
        pace.begin(100_000, 0);
        time.requests += requests;
        time.micros += requests * millis * 1_000;
        pace.look(*time);
    }

    #[tokio::test]
    async fn it_gives_way_to_live_traffic_and_comes_forward_again() {
        let (mut pace, mut time) = (Tempo::new(0, 0), LiveTime::default());
        for _ in 0..50 {
            look(&mut pace, &mut time, 100, 4);
        }
        let undisturbed = pace.rate();
        assert!(undisturbed > FIRST && pace.held_by.is_empty());
        for _ in 0..30 {
            look(&mut pace, &mut time, 100, 40);
        }
        assert_eq!(pace.rate(), SLOWEST);
        assert!(
            pace.held_by.contains("40.0 ms instead of 4."),
            "{}",
            pace.held_by
        );
        for _ in 0..100 {
            look(&mut pace, &mut time, 100, 4);
        }
        assert!(pace.rate() > undisturbed);
    }

    #[tokio::test]
    async fn what_it_did_not_use_does_not_help_it_beside_live_traffic() {
        let (mut pace, mut time) = (Tempo::new(0, 0), LiveTime::default());
        for _ in 0..50 {
            look(&mut pace, &mut time, 0, 0);
        }
        assert_eq!((pace.rate(), pace.batch()), (FASTEST, usize::MAX));
        look(&mut pace, &mut time, 100, 4);
        assert!(pace.rate() < FIRST * 2.0, "it begins anew");
        assert!(pace.batch() < 100, "in small batches");
        let before = pace.rate();
        time.requests += 100;
        pace.look(time);
        assert_eq!(pace.rate(), before, "and nothing was used since");
    }

    #[tokio::test]
    async fn without_live_traffic_only_its_own_limit_holds_it() {
        let (mut pace, mut time) = (Tempo::new(5_000, 0), LiveTime::default());
        for _ in 0..20 {
            look(&mut pace, &mut time, 0, 0);
        }
        assert_eq!(pace.rate(), 5_000.0);
        assert_eq!(pace.held_by, "the limit of 5000 records a second");
    }
}
