//! Two runs beside each other. Ratios decide, since rates belong to a machine and an hour; only where neither run has one (a service that
//! runs somewhere) its rates do.

use super::results::{Line, Results};
use std::fmt::Write;

/// A ratio below this part of what it was is worse.
const WORSE: f64 = 0.9;

/// What became of one line.
#[derive(Debug, PartialEq)]
struct Change {
    title: String,
    what: &'static str,
    before: f64,
    now: f64,
}

impl Change {
    fn of(before: &Line, now: &Line) -> Option<Self> {
        let (what, before, now_value) = match (before.ratio, now.ratio) {
            (Some(before), Some(now)) => ("ratio", before, now),
            (None, None) => ("items/s", before.items_per_second, now.items_per_second),
            _ => return None,
        };
        Some(Self {
            title: now.title.clone(),
            what,
            before,
            now: now_value,
        })
    }

    fn times(&self) -> f64 {
        self.now / self.before
    }

    fn is_worse(&self) -> bool {
        self.times() < WORSE
    }
}

/// A table of what both runs have, and what is worse, a sentence each.
pub fn compare(before: &Results, now: &Results) -> (String, Vec<String>) {
    let pairs = now
        .lines
        .iter()
        .filter_map(|line| Change::of(before.line(&line.name)?, line));
    // How an open loop is served is told by its latencies; its rate was given.
    let changes: Vec<Change> = pairs
        .filter(|change| change.what == "ratio" || before.database.is_none())
        .collect();
    let mut table = format!("{:34}{:>12}{:>12}{:>8}\n", "", "before", "now", "times");
    for change in &changes {
        let mark = if change.is_worse() { "  worse" } else { "" };
        let (title, times) = (
            format!("{} ({})", change.title, change.what),
            change.times(),
        );
        let (before, now) = (change.before, change.now);
        let _ = writeln!(
            table,
            "{title:34}{before:>12.2}{now:>12.2}{times:>8.2}{mark}"
        );
    }
    let missing = before
        .lines
        .iter()
        .filter(|line| now.line(&line.name).is_none());
    for line in missing {
        let _ = writeln!(table, "{:34} was measured before, and not now", line.title);
    }
    let worse = changes.iter().filter(|change| change.is_worse());
    let told = worse.map(|change| {
        let (title, what, times) = (&change.title, change.what, change.times());
        format!("{title}: {what} {times:.2} times what it was")
    });
    (table, told.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lines: &[(&str, Option<f64>, f64)]) -> Results {
        let line = |(name, ratio, rate): &(&str, Option<f64>, f64)| Line {
            name: (*name).to_owned(),
            title: (*name).to_owned(),
            ratio: *ratio,
            items_per_second: *rate,
            ..Line::default()
        };
        Results {
            lines: lines.iter().map(line).collect(),
            ..Results::default()
        }
    }

    #[test]
    fn ratios_decide_where_there_are_any() {
        let before = run(&[("batch", Some(0.8), 100.0), ("single", Some(0.3), 10.0)]);
        let now = run(&[("batch", Some(0.73), 10.0), ("single", Some(0.26), 99.0)]);
        let (table, worse) = compare(&before, &now);
        assert_eq!(worse, ["single: ratio 0.87 times what it was"]);
        assert!(table.contains("0.91") && table.contains("worse"), "{table}");
    }

    #[test]
    fn rates_decide_where_neither_run_has_a_ratio() {
        let before = run(&[("batch", None, 100.0), ("mixed", None, 100.0)]);
        let now = run(&[("batch", None, 50.0)]);
        let (table, worse) = compare(&before, &now);
        assert_eq!(worse, ["batch: items/s 0.50 times what it was"]);
        assert!(table.contains("and not now"), "{table}");
        let both = run(&[("batch", Some(1.0), 100.0)]);
        assert!(compare(&before, &both).1.is_empty());
    }
}
