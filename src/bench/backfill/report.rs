//! What was measured, as text and as JSON.

use super::watch::Sample;
use crate::bench::plan::Kind;
use crate::bench::report::{Line, table};
use crate::bench::tally::{Tally, Turn};
use serde::Serialize;
use std::fmt;

/// Parts of the last stretch that are shown.
const PARTS: usize = 10;

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    pub lines: Vec<Line>,
    pub live: Option<Beside>,
    /// The rest of the topic, taken in one stretch.
    pub rest: Vec<Sample>,
    /// The machine's load before anything of this began: somebody else's.
    pub load_before: f64,
    /// New people of the topic, each found in the database.
    pub profiles_stored: u64,
    pub peak_memory_bytes: u64,
}

/// Live requests with and without the backfill.
#[derive(Debug, Serialize)]
pub struct Beside {
    pub peak_per_second: f64,
    pub rate_per_second: f64,
    pub alone: Felt,
    pub beside: Felt,
    /// Of the 99th percentiles of all requests.
    pub p99_ratio: f64,
    /// Of the median seconds: what else happens on the machine for a moment does not count.
    pub median_second_ratio: f64,
    pub records_per_second: f64,
    pub seconds: Vec<Second>,
}

/// What requests felt.
#[derive(Debug, Serialize)]
pub struct Felt {
    pub requests: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// The 99th percentile of the median second.
    pub median_second_p99_ms: f64,
}

/// One second of live requests.
#[derive(Debug, Serialize)]
pub struct Second {
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Records that were done in it.
    pub records: u64,
    pub memory_bytes: u64,
    #[serde(skip)]
    tally: Tally,
}

impl Second {
    pub fn of(tally: Tally, before: &Sample, after: &Sample) -> Self {
        Self {
            p50_ms: quantile(&tally, 0.5),
            p99_ms: quantile(&tally, 0.99),
            records: after.records - before.records,
            memory_bytes: after.memory_bytes,
            tally,
        }
    }
}

impl Felt {
    fn of(seconds: &[&Second]) -> Self {
        let mut all = Tally::default();
        seconds.iter().for_each(|second| all.absorb(&second.tally));
        let mut each: Vec<f64> = seconds.iter().map(|second| second.p99_ms).collect();
        each.sort_by(f64::total_cmp);
        Self {
            requests: all.items,
            p50_ms: quantile(&all, 0.5),
            p99_ms: quantile(&all, 0.99),
            median_second_p99_ms: each.get(each.len() / 2).copied().unwrap_or(f64::NAN),
        }
    }
}

impl Beside {
    /// A second is beside the backfill where records were done in it.
    pub fn of(peak_per_second: f64, rate_per_second: f64, seconds: Vec<Second>) -> Self {
        let (beside, alone): (Vec<&Second>, Vec<&Second>) =
            seconds.iter().partition(|second| second.records > 0);
        let records: u64 = beside.iter().map(|second| second.records).sum();
        let records_per_second = records as f64 / beside.len().max(1) as f64;
        let (alone, beside) = (Felt::of(&alone), Felt::of(&beside));
        Self {
            peak_per_second,
            rate_per_second,
            p99_ratio: beside.p99_ms / alone.p99_ms,
            median_second_ratio: beside.median_second_p99_ms / alone.median_second_p99_ms,
            alone,
            beside,
            records_per_second,
            seconds,
        }
    }
}

impl Report {
    pub fn of(turns: &[Turn]) -> Self {
        Self {
            lines: Line::all(&Kind::LEGACY, turns),
            live: None,
            rest: Vec::new(),
            load_before: 0.0,
            profiles_stored: 0,
            peak_memory_bytes: 0,
        }
    }
}

fn quantile(tally: &Tally, quantile: f64) -> f64 {
    tally.latency.value_at_quantile(quantile) as f64 / 1e3
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, &self.lines)?;
        if let Some(live) = &self.live {
            write!(f, "{live}")?;
        }
        stretch(f, &self.rest)?;
        writeln!(
            f,
            "peak memory of roster: {:.0} MiB",
            mebibytes(self.peak_memory_bytes)
        )?;
        writeln!(
            f,
            "{} new people, each found in the database; load average {} before it began",
            self.profiles_stored, self.load_before
        )
    }
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peak, rate) = (self.peak_per_second, self.rate_per_second);
        writeln!(
            f,
            "live requests at {rate:.0}/s of {peak:.0}/s at their peak"
        )?;
        for (name, felt) in [
            ("alone", &self.alone),
            ("beside the backfill", &self.beside),
        ] {
            writeln!(
                f,
                "  {name:25}{:>9} requests, p50 {:.2} ms, p99 {:.2} ms, of the median second {:.2} ms",
                felt.requests, felt.p50_ms, felt.p99_ms, felt.median_second_p99_ms
            )?;
        }
        writeln!(
            f,
            "  p99 times {:.2}, of the median second times {:.2}, beside {:.0} records/s",
            self.p99_ratio, self.median_second_ratio, self.records_per_second
        )
    }
}

/// Rate and memory by parts of equal time: whether both are flat.
fn stretch(f: &mut fmt::Formatter<'_>, samples: &[Sample]) -> fmt::Result {
    let step = samples.len().saturating_sub(1).div_ceil(PARTS).max(1);
    let marks: Vec<&Sample> = samples.iter().step_by(step).chain(samples.last()).collect();
    for pair in marks.windows(2) {
        let seconds = pair[1].seconds - pair[0].seconds;
        if seconds > 0.0 {
            let rate = (pair[1].records - pair[0].records) as f64 / seconds;
            let (at, memory) = (pair[1].seconds, mebibytes(pair[1].memory_bytes));
            let records = pair[1].records;
            writeln!(
                f,
                "  to the end, {at:>6.0} s: {records:>9} records, {rate:>7.0}/s, {memory:>4.0} MiB"
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn second(millis: u64, records: u64) -> Second {
        let mut tally = Tally::default();
        (0..100).for_each(|_| tally.add(1, Duration::from_millis(millis)));
        let sample = |records| Sample {
            seconds: 0.0,
            records,
            memory_bytes: 1 << 20,
        };
        Second::of(tally, &sample(5), &sample(5 + records))
    }

    #[test]
    fn seconds_with_records_are_beside_the_backfill() {
        let seconds = vec![second(4, 0), second(6, 900), second(6, 1_100), second(4, 0)];
        let live = Beside::of(20.0, 10.0, seconds);
        assert_eq!((live.alone.requests, live.beside.requests), (200, 200));
        assert!((live.p99_ratio - 1.5).abs() < 0.01, "{}", live.p99_ratio);
        assert!((live.records_per_second - 1_000.0).abs() < 1e-9);
        assert!(live.to_string().contains("times 1.50"));
    }
}
