//! The numbers of a run, as a table and as JSON.

use super::machine::Cpu;
use super::plan::Kind;
use super::tally::{Tally, Turn};
use serde::Serialize;
use std::fmt;

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    pub lines: Vec<Line>,
    /// The most memory the service had, in bytes.
    pub peak_memory_bytes: u64,
    /// Events acknowledged, and found in the database.
    pub events_stored: u64,
}

/// One kind: medians over the rounds, latencies over all of them.
#[derive(Debug, Serialize)]
pub struct Line {
    pub kind: Kind,
    pub items_per_second: f64,
    /// Of the raw limit measured in the same round.
    pub ratio: f64,
    pub ratios: Vec<f64>,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Microseconds of processor time for one item.
    pub cpu_micros: Cpu,
}

impl Report {
    pub fn of(turns: &[Turn], peak_memory_bytes: u64, events_stored: u64) -> Self {
        Self {
            lines: Line::all(&Kind::ALL, turns),
            peak_memory_bytes,
            events_stored,
        }
    }
}

impl Line {
    /// The line of each of these kinds that was measured.
    pub fn all(kinds: &[Kind], turns: &[Turn]) -> Vec<Self> {
        let measured = |kind: &&Kind| turns.iter().any(|turn| turn.kind == **kind);
        let measured = kinds.iter().filter(measured);
        measured.map(|kind| Self::of(*kind, turns)).collect()
    }

    fn of(kind: Kind, turns: &[Turn]) -> Self {
        let own: Vec<&Turn> = turns.iter().filter(|turn| turn.kind == kind).collect();
        let mut all = Tally::default();
        own.iter().for_each(|turn| all.absorb(&turn.tally));
        let ratios: Vec<f64> = own
            .iter()
            .map(|turn| rate(turn) / limit(kind, turn.round, turns))
            .collect();
        let milliseconds = |quantile| all.latency.value_at_quantile(quantile) as f64 / 1e3;
        let each = |pick: fn(&Cpu) -> f64| {
            own.iter().map(|turn| pick(&turn.cpu)).sum::<f64>() * 1e6 / all.items as f64
        };
        Self {
            kind,
            items_per_second: median(own.iter().map(|turn| rate(turn)).collect()),
            ratio: median(ratios.clone()),
            ratios,
            p50_ms: milliseconds(0.5),
            p99_ms: milliseconds(0.99),
            cpu_micros: Cpu {
                roster: each(|cpu| cpu.roster),
                database: each(|cpu| cpu.database),
                load: each(|cpu| cpu.load),
            },
        }
    }
}

fn rate(turn: &Turn) -> f64 {
    turn.tally.items as f64 / turn.seconds
}

/// The best that the ideal client did in the same round.
fn limit(kind: Kind, round: usize, turns: &[Turn]) -> f64 {
    turns
        .iter()
        .filter(|turn| turn.round == round && kind.limits().contains(&turn.kind))
        .map(rate)
        .fold(f64::NAN, f64::max)
}

/// The middle of some measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

/// Writes lines under their headings.
pub fn table(f: &mut fmt::Formatter<'_>, lines: &[Line]) -> fmt::Result {
    writeln!(
        f,
        "{:27}{:>9}{:>8}{:>9}{:>9}   CPU us/item: {:>6}{:>10}{:>6}",
        "", "items/s", "of raw", "p50 ms", "p99 ms", "roster", "database", "load"
    )?;
    lines.iter().try_for_each(|line| writeln!(f, "{line}"))
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (title, cpu) = (self.kind.title(), &self.cpu_micros);
        write!(
            f,
            "{title:27}{:>9.0}{:>8.2}{:>9.2}{:>9.2}{:>22.1}{:>10.1}{:>6.1}",
            self.items_per_second,
            self.ratio,
            self.p50_ms,
            self.p99_ms,
            cpu.roster,
            cpu.database,
            cpu.load
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, &self.lines)?;
        let mebibytes = self.peak_memory_bytes as f64 / f64::from(1 << 20);
        writeln!(f, "peak memory of roster: {mebibytes:.0} MiB")?;
        writeln!(
            f,
            "{} events acknowledged, all of them stored",
            self.events_stored
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(kind: Kind, round: usize, items: u64) -> Turn {
        let mut tally = Tally::default();
        tally.add(items, std::time::Duration::from_millis(3));
        Turn {
            kind,
            round,
            tally,
            seconds: 1.0,
            cpu: Cpu::default(),
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let turns = [
            turn(Kind::RawEvents2, 1, 100),
            turn(Kind::RawEvents4, 1, 80),
            turn(Kind::Track, 1, 50),
            turn(Kind::RawEvents2, 2, 10),
            turn(Kind::RawEvents4, 2, 20),
            turn(Kind::Track, 2, 8),
        ];
        let report = Report::of(&turns, 1 << 20, 268);
        let track = &report.lines[2];
        assert_eq!(track.ratios, [0.5, 0.4]);
        assert!((track.ratio - 0.45).abs() < 1e-9);
        assert!((track.items_per_second - 29.0).abs() < 1e-9);
        assert!(report.to_string().contains("0.45"));
    }
}
