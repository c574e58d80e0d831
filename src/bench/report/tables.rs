//! Results as tables: aligned for a terminal, with bars between cells for a page.

use super::results::{Figure, Line, Results};
use crate::bench::bars::{Bar, stated};
use std::fmt::Write;

/// Statements that are shown of a line: the longest.
const MOST_PARTS: usize = 3;
/// Pieces of a long stretch, of equal time: whether rate and memory stay as they are.
const PIECES: usize = 10;

/// Cells below headings.
pub struct Table {
    pub headings: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// All tables of a run that have rows.
pub fn tables(results: &Results) -> Vec<Table> {
    let lines = || results.lines.iter();
    let all = [
        Table::of(&LINE_HEADINGS, lines().map(speed).collect()),
        Table::of(&COST_HEADINGS, lines().filter_map(cost).collect()),
        Table::of(&PART_HEADINGS, lines().flat_map(parts).collect()),
        Table::of(&PIECE_HEADINGS, lines().flat_map(pieces).collect()),
        Table::of(
            &FIGURE_HEADINGS,
            results.figures.iter().map(figure).collect(),
        ),
        Table::of(
            &BAR_HEADINGS,
            stated().filter_map(|one| bar(results, &one)).collect(),
        ),
    ];
    all.into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

const LINE_HEADINGS: [&str; 10] = [
    "",
    "items/s",
    "ratio",
    "of",
    "each round",
    "p50 ms",
    "p99 ms",
    "CPU us/item: roster",
    "database",
    "load",
];
const COST_HEADINGS: [&str; 7] = [
    "for an item",
    "statements",
    "round trips",
    "rows written",
    "index entries",
    "WAL bytes",
    "of whole pages",
];
const PART_HEADINGS: [&str; 6] = [
    "its longest statements",
    "statement",
    "calls an item",
    "rows a call",
    "ms a call",
    "WAL bytes an item",
];
const PIECE_HEADINGS: [&str; 4] = ["in pieces", "until", "items/s", "MiB of roster"];
const FIGURE_HEADINGS: [&str; 3] = ["figure", "value", ""];
const BAR_HEADINGS: [&str; 4] = ["bar", "wanted", "measured", ""];

fn speed(line: &Line) -> Vec<String> {
    let cpu = &line.cpu_micros;
    let mut title = line.title.clone();
    if line.refused > 0 {
        let _ = write!(title, " ({} refused)", line.refused);
    }
    vec![
        title,
        thousands(line.items_per_second),
        digits(line.ratio, 2),
        line.held_against.clone().unwrap_or_default(),
        each_round(&line.ratios),
        digits(line.p50_ms, 2),
        digits(line.p99_ms, 2),
        digits(some(cpu.roster), 1),
        digits(some(cpu.database), 1),
        digits(some(cpu.load), 1),
    ]
}

fn each_round(ratios: &[f64]) -> String {
    if ratios.len() < 2 {
        return String::new();
    }
    let each: Vec<String> = ratios.iter().map(|ratio| digits(Some(*ratio), 2)).collect();
    each.join(", ")
}

fn cost(line: &Line) -> Option<Vec<String>> {
    let cost = line.cost.as_ref()?;
    Some(vec![
        line.title.clone(),
        digits(Some(cost.statements), 4),
        digits(Some(cost.round_trips), 4),
        digits(cost.rows_written, 2),
        digits(cost.index_entries, 2),
        digits(Some(cost.wal_bytes), 0),
        digits(cost.page_bytes, 0),
    ])
}

fn parts(line: &Line) -> Vec<Vec<String>> {
    let parts = line.cost.iter().flat_map(|cost| &cost.parts);
    let row = |(place, part): (usize, &crate::bench::cost::Share)| {
        let title = if place == 0 { &*line.title } else { "" };
        vec![
            title.to_owned(),
            part.statement.clone(),
            digits(Some(part.calls), 4),
            digits(Some(part.rows_of_a_call), 1),
            digits(Some(part.millis_of_a_call), 2),
            digits(Some(part.wal_bytes), 0),
        ]
    };
    parts.take(MOST_PARTS).enumerate().map(row).collect()
}

fn figure(figure: &Figure) -> Vec<String> {
    let places = if figure.value.abs() >= 1_000.0 { 0 } else { 2 };
    let value = if places == 0 {
        thousands(figure.value)
    } else {
        digits(Some(figure.value), places)
    };
    vec![figure.title.clone(), value, figure.unit.clone()]
}

/// A stretch in which somebody looked at the memory.
fn pieces(line: &Line) -> Vec<Vec<String>> {
    let seconds = &line.seconds;
    if seconds.iter().all(|second| second.memory_bytes.is_none()) {
        return Vec::new();
    }
    let (mut rows, mut until) = (Vec::new(), 0);
    for piece in seconds.chunks(seconds.len().div_ceil(PIECES)) {
        until += piece.len();
        let items: u64 = piece.iter().map(|second| second.items).sum();
        let memory = piece.iter().rev().find_map(|second| second.memory_bytes);
        let title = if rows.is_empty() { &*line.title } else { "" };
        rows.push(vec![
            title.to_owned(),
            format!("{until} s"),
            thousands(items as f64 / piece.len() as f64),
            digits(memory.map(|bytes| bytes as f64 / f64::from(1 << 20)), 0),
        ]);
    }
    rows
}

/// A bar whose value was measured.
fn bar(results: &Results, bar: &Bar) -> Option<Vec<String>> {
    let value = results.value(&bar.name)?;
    let reached = match bar.missed(Some(value)) {
        Some(_) => "missed",
        None => "reached",
    };
    Some(vec![
        bar.name.clone(),
        bar.to_string(),
        digits(Some(value), 2),
        reached.to_owned(),
    ])
}

fn some(value: f64) -> Option<f64> {
    (value > 0.0).then_some(value)
}

fn digits(value: Option<f64>, places: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.places$}"))
}

/// A whole number with commas.
fn thousands(value: f64) -> String {
    let plain = format!("{value:.0}");
    let digits = plain.trim_start_matches('-').len();
    let sign = plain.len() - digits;
    let mut text = plain[..sign].to_owned();
    for (place, digit) in plain[sign..].chars().enumerate() {
        if place > 0 && (digits - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Table {
    fn of(headings: &[&'static str], rows: Vec<Vec<String>>) -> Self {
        Self {
            headings: headings.to_vec(),
            rows,
        }
    }

    /// Aligned: the first column to the left, the others to the right.
    pub fn plain(&self) -> String {
        let headings: Vec<String> = self.headings.iter().map(|name| (*name).into()).collect();
        let all = || std::iter::once(&headings).chain(&self.rows);
        let width = |column: usize| all().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| width(column).unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in all() {
            let mut line = format!("{:<1$}", row[0], widths[0]);
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                let _ = write!(line, "  {cell:>width$}");
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// As Markdown has it.
    pub fn markdown(&self) -> String {
        let mut text = format!("| {} |\n", self.headings.join(" | ").trim_start());
        let _ = writeln!(text, "|{}", "---|".repeat(self.headings.len()));
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.join(" | ").trim_start());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::Second;
    use super::*;
    use crate::bench::cost::{Cost, Share};

    fn results() -> Results {
        let part = |statement: &str| Share {
            statement: statement.to_owned(),
            calls: 0.01,
            rows_of_a_call: 100.0,
            millis_of_a_call: 2.5,
            wal_bytes: 900.0,
        };
        let line = Line {
            name: "batch".to_owned(),
            title: "/v1/batch".to_owned(),
            items_per_second: 41_780.4,
            ratio: Some(0.77),
            ratios: vec![0.75, 0.77, 0.8],
            held_against: Some("raw".to_owned()),
            p99_ms: Some(89.0),
            cost: Some(Cost {
                statements: 0.01,
                wal_bytes: 1_234.0,
                parts: ["a", "b", "c", "d"].map(part).to_vec(),
                ..Cost::default()
            }),
            ..Line::default()
        };
        Results {
            lines: vec![line],
            figures: vec![Figure {
                title: "events stored".to_owned(),
                value: 4_190_371.0,
                ..Figure::default()
            }],
            ..Results::default()
        }
    }

    #[test]
    fn a_terminal_has_columns_and_a_page_has_bars() {
        let tables = tables(&results());
        assert_eq!(tables.len(), 5);
        let plain = tables[0].plain();
        let lengths: Vec<usize> = plain
            .lines()
            .map(|line| line.find("p99 ms").unwrap_or(0))
            .collect();
        assert!(plain.contains("41,780  ") && lengths[0] > 0, "{plain}");
        let page = tables[0].markdown();
        assert!(
            page.contains("| /v1/batch | 41,780 | 0.77 | raw | 0.75, 0.77, 0.80 |"),
            "{page}"
        );
        assert_eq!(
            page.lines().nth(1),
            Some("|---|---|---|---|---|---|---|---|---|---|")
        );
    }

    #[test]
    fn the_longest_statements_are_shown_and_no_more() {
        let tables = tables(&results());
        assert_eq!(tables[2].rows.len(), MOST_PARTS);
        assert_eq!(tables[2].rows[0][0], "/v1/batch");
        assert_eq!(tables[2].rows[1][0], "");
        assert_eq!(tables[3].rows[0][1], "4,190,371");
    }

    #[test]
    fn a_bar_tells_what_was_measured_and_one_of_nothing_is_left_out() {
        let tables = tables(&results());
        let bars = tables.last().expect("bars");
        assert_eq!(bars.rows, [["batch", "0.8 or more", "0.77", "missed"]]);
    }

    #[test]
    fn a_long_stretch_is_told_in_pieces() {
        let second = |place: u64| Second {
            items: 1_000 * place,
            memory_bytes: Some(place << 20),
            ..Second::default()
        };
        let line = Line {
            title: "soak".to_owned(),
            seconds: (1..=25).map(second).collect(),
            ..Line::default()
        };
        let rows = pieces(&line);
        assert_eq!(rows.len(), 9);
        assert_eq!(rows[0], ["soak", "3 s", "2,000", "3"]);
        assert_eq!(rows[8], ["", "25 s", "25,000", "25"]);
        assert!(pieces(&Line::default()).is_empty());
    }

    #[test]
    fn numbers_have_commas() {
        let texts = [0.0, 999.0, 1_000.0, -1_234_567.0].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "-1,234,567"]);
    }
}
