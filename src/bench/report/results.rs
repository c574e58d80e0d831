//! What a run gave: the one form of it that is kept as JSON and shown in all ways.

use crate::bench::cost::{Cost, Spent};
use crate::bench::kind::{Blend, Kind};
use crate::bench::machine::Cpu;
use crate::bench::tally::{Slice, Tally};
use crate::bench::turn::Turn;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// All that was measured.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Results {
    /// The command line, without what is secret.
    pub command: String,
    pub at: String,
    pub processors: usize,
    /// The machine's load before anything of this began: somebody else's.
    pub load_before: f64,
    /// What the database calls itself; none where it is not known.
    pub database: Option<String>,
    pub lines: Vec<Line>,
    pub figures: Vec<Figure>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// One thing that was measured: medians over the rounds, latencies over all of them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Line {
    /// The name by which bars and comparisons know it.
    pub name: String,
    pub title: String,
    pub items: u64,
    pub items_per_second: f64,
    /// What the ratio is of.
    pub held_against: Option<String>,
    /// Of the limit measured in the same round.
    pub ratio: Option<f64>,
    pub ratios: Vec<f64>,
    pub refused: u64,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub p999_ms: Option<f64>,
    /// Of an open loop: how late its requests left, by the clock of the generator.
    pub late_p99_ms: Option<f64>,
    /// Microseconds of processor time for one item.
    pub cpu_micros: Cpu,
    pub cost: Option<Cost>,
    pub seconds: Vec<Second>,
}

/// One second of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Second {
    pub items: u64,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// One number beside the lines.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Figure {
    pub name: String,
    pub title: String,
    pub value: f64,
    pub unit: String,
}

impl Results {
    /// Reads a saved run.
    pub fn read(path: &Path) -> Result<Self> {
        let told = || format!("{} is no saved run", path.display());
        let bytes = std::fs::read(path).with_context(told)?;
        serde_json::from_slice(&bytes).with_context(told)
    }

    /// When, on what and beside what it was measured.
    pub fn circumstances(&self) -> String {
        let database = self.database.as_deref().unwrap_or("not known");
        let (at, processors, load) = (&self.at, self.processors, self.load_before);
        format!(
            "{at}; {processors} processors, load average {load:.2} before it began; database: {database}."
        )
    }

    /// Adds what another part of the run gave.
    pub fn absorb(&mut self, part: Part) {
        self.database = part.database.or(self.database.take());
        self.lines.extend(part.lines);
        self.figures.extend(part.figures);
        for note in part.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    pub fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    /// What a bar is for: a figure, the ratio of a line, or after a dot something else of it.
    pub fn value(&self, name: &str) -> Option<f64> {
        if let Some(figure) = self.figures.iter().find(|figure| figure.name == name) {
            return Some(figure.value);
        }
        let (line, part) = name.split_once('.').unwrap_or((name, "ratio"));
        let line = self.line(line)?;
        let cost = line.cost.as_ref();
        match part {
            "ratio" => line.ratio,
            "rate" => Some(line.items_per_second),
            "refused" => Some(line.refused as f64),
            "p50" => line.p50_ms,
            "p99" => line.p99_ms,
            "p999" => line.p999_ms,
            "roster" => Some(line.cpu_micros.roster),
            "database" => Some(line.cpu_micros.database),
            "statements" => cost.map(|cost| cost.statements),
            "wal" => cost.map(|cost| cost.wal_bytes),
            "rows" => cost.and_then(|cost| cost.rows_written),
            _ => None,
        }
    }
}

/// What one part of a run gave.
#[derive(Debug, Default)]
pub struct Part {
    /// What the database calls itself.
    pub database: Option<String>,
    pub lines: Vec<Line>,
    pub figures: Vec<Figure>,
    pub notes: Vec<String>,
}

impl Part {
    /// Adds a number; what has no value (nothing of nothing) is left out.
    pub fn figure(&mut self, (name, title): (&str, &str), value: f64, unit: &str) {
        if !value.is_finite() {
            return;
        }
        self.figures.push(Figure {
            name: name.to_owned(),
            title: title.to_owned(),
            value,
            unit: unit.to_owned(),
        });
    }

    /// The most memory that the service had.
    pub fn memory(&mut self, name: &str, bytes: u64) {
        let title = format!("peak memory of roster, {name}");
        let value = bytes as f64 / f64::from(1 << 20);
        self.figure((&format!("{name}-memory"), &title), value, "MiB");
    }
}

impl Line {
    /// The line of each of these kinds that was measured.
    pub fn all(kinds: &[Kind], turns: &[Turn]) -> Vec<Self> {
        let measured = |kind: &&Kind| turns.iter().any(|turn| turn.kind == **kind);
        let measured = kinds.iter().filter(measured);
        measured.map(|kind| Self::of_kind(*kind, turns)).collect()
    }

    fn of_kind(kind: Kind, turns: &[Turn]) -> Self {
        let own: Vec<&Turn> = turns.iter().filter(|turn| turn.kind == kind).collect();
        let ratios: Vec<f64> = own
            .iter()
            .filter_map(|turn| Some(turn.rate() / limit(kind, turn.round, turns)?))
            .collect();
        Self {
            held_against: (!ratios.is_empty()).then(|| kind.limit_title().to_owned()),
            ratio: (!ratios.is_empty()).then(|| median(ratios.clone())),
            ratios,
            ..Self::of_turns((kind.name(), kind.title()), &own)
        }
    }

    /// Some turns together.
    pub fn of_turns((name, title): (&str, &str), turns: &[&Turn]) -> Self {
        let mut all = Tally::default();
        turns.iter().for_each(|turn| all.absorb(&turn.tally, true));
        let each = |pick: fn(&Cpu) -> f64| {
            turns.iter().map(|turn| pick(&turn.cpu)).sum::<f64>() * 1e6 / all.items as f64
        };
        Self {
            items_per_second: median(turns.iter().map(|turn| turn.rate()).collect()),
            cpu_micros: Cpu {
                roster: each(|cpu| cpu.roster),
                database: each(|cpu| cpu.database),
                load: each(|cpu| cpu.load),
            },
            cost: cost(turns, all.items),
            ..Self::of_tally((name, title), &all)
        }
    }

    /// What was answered in one stretch, by its seconds.
    pub fn of_tally((name, title): (&str, &str), tally: &Tally) -> Self {
        let late = (!tally.late.is_empty()).then(|| tally.late.value_at_quantile(0.99));
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            items: tally.items,
            items_per_second: tally.items as f64 / tally.seconds.len().max(1) as f64,
            refused: tally.refused,
            p50_ms: tally.quantile_ms(0.5),
            p99_ms: tally.quantile_ms(0.99),
            p999_ms: tally.quantile_ms(0.999),
            late_p99_ms: late.map(|micros| micros as f64 / 1e3),
            seconds: tally.seconds.iter().map(Second::of).collect(),
            ..Self::default()
        }
    }

    /// The 99th percentile of the median second: what else happens on the machine for a moment does not count.
    pub fn median_second_p99_ms(&self) -> Option<f64> {
        let each = self.seconds.iter().filter_map(|second| second.p99_ms);
        let each: Vec<f64> = each.collect();
        (!each.is_empty()).then(|| median(each))
    }
}

impl Second {
    fn of(slice: &Slice) -> Self {
        Self {
            items: slice.items,
            p50_ms: slice.quantile_ms(0.5),
            p99_ms: slice.quantile_ms(0.99),
            memory_bytes: slice.memory_bytes,
        }
    }
}

fn cost(turns: &[&Turn], items: u64) -> Option<Cost> {
    let mut spent: Option<Spent> = None;
    for other in turns.iter().filter_map(|turn| turn.spent.as_ref()) {
        spent.get_or_insert_default().absorb(other);
    }
    spent.map(|spent| spent.of_an_item(items))
}

/// The best that others did in the same round.
fn limit(kind: Kind, round: usize, turns: &[Turn]) -> Option<f64> {
    let rate = |part: Kind| {
        let found = turns
            .iter()
            .find(|turn| turn.round == round && turn.kind == part);
        found.map(Turn::rate)
    };
    let blended = |blend: &Blend| {
        let parts = blend.iter().map(|(part, share)| Some(share / rate(*part)?));
        parts.sum::<Option<f64>>().map(f64::recip)
    };
    kind.limits()
        .iter()
        .filter_map(blended)
        .max_by(f64::total_cmp)
}

/// The middle of some measurements; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::tally::Answer;
    use std::time::Duration;

    fn turn(kind: Kind, round: usize, items: u64) -> Turn {
        let mut tally = Tally::default();
        tally.add(Answer {
            items,
            events: items,
            at: Duration::ZERO,
            took: Duration::from_millis(3),
        });
        Turn {
            kind,
            round,
            tally,
            seconds: 1.0,
            cpu: Cpu::default(),
            spent: None,
        }
    }

    fn is(value: Option<f64>, wanted: f64) -> bool {
        value.is_some_and(|value| (value - wanted).abs() < 1e-9)
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let turns = [
            turn(Kind::RawEvents2, 1, 100),
            turn(Kind::RawEvents4, 1, 80),
            turn(Kind::Single, 1, 50),
            turn(Kind::RawEvents2, 2, 10),
            turn(Kind::RawEvents4, 2, 20),
            turn(Kind::Single, 2, 8),
        ];
        let mut results = Results::default();
        results.absorb(Part {
            lines: Line::all(&Kind::ALL, &turns),
            ..Part::default()
        });
        let single = results.line("single").expect("measured");
        assert_eq!(single.ratios, [0.5, 0.4]);
        assert_eq!(single.seconds.len(), 2);
        assert!(is(results.value("single"), 0.45));
        assert!(is(results.value("single.rate"), 29.0));
        assert!(results.value("single.wal").is_none() && results.value("batch").is_none());
    }

    #[test]
    fn a_mix_is_held_against_the_same_mix() {
        let turns = [
            turn(Kind::RawEvents2, 1, 1_000),
            turn(Kind::RawIdentify, 1, 500),
            turn(Kind::RawProfiles, 1, 250),
            turn(Kind::Mixed, 1, 500),
        ];
        // 0.9/1000 + 0.1/500 + 0.025/250 seconds for one item.
        let limit = 1.0 / 0.0012;
        let lines = Line::all(&[Kind::Mixed], &turns);
        assert!(is(lines[0].ratio, 500.0 / limit), "{:?}", lines[0].ratio);
    }

    #[test]
    fn without_limits_there_is_no_ratio_and_json_says_the_same() {
        let lines = Line::all(&[Kind::Batch], &[turn(Kind::Batch, 0, 7)]);
        let text = serde_json::to_string(&lines).expect("JSON");
        let read: Vec<Line> = serde_json::from_str(&text).expect("lines");
        assert!(read[0].ratio.is_none() && read[0].held_against.is_none());
        assert_eq!(read[0].items, 7);
    }
}
