//! The most that a number may be: beyond it a sum would not fit somewhere, or a start would take what no machine has.

use super::Config;
use toml::{Table, Value};

/// What a setting's name ends in, the most that it may be, and why. The first that fits counts.
const MOST: [(&str, i64, &str); 6] = [
    ("server.workers", 1_024, "each is a thread"),
    ("database.pool_size", 10_000, "each is a connection"),
    ("_spans", 1_000_000, "each has its place from the start"),
    (
        "_window_records",
        1_000_000,
        "each has its place from the start",
    ),
    ("_ms", 7 * 86_400_000, "a week"),
    ("_seconds", 10 * 365 * 86_400, "ten years"),
];
/// Of all others: no machine holds more bytes, let alone more of anything else.
const MOST_OF_ANYTHING: (i64, &str) = (1 << 40, "no machine holds more");

impl Config {
    /// Which numbers are too large.
    pub(super) fn complaints_about_the_largest(&self) -> Vec<String> {
        // What can't be shown as a file is told by nobody here: settings that were read can.
        let shown = Table::try_from(self).unwrap_or_default();
        complaints("", &shown)
    }
}

fn complaints(section: &str, table: &Table) -> Vec<String> {
    let of_one = |(name, value): (&String, &Value)| {
        let name = format!("{section}{name}");
        match value {
            Value::Table(inner) => complaints(&format!("{name}."), inner),
            Value::Integer(number) => complaint(&name, *number).into_iter().collect(),
            _ => Vec::new(),
        }
    };
    table.iter().flat_map(of_one).collect()
}

fn complaint(name: &str, number: i64) -> Option<String> {
    let of_this = MOST.iter().find(|(end, ..)| name.ends_with(end));
    let (most, why) = of_this.map_or(MOST_OF_ANYTHING, |(_, most, why)| (*most, *why));
    (number > most).then(|| format!("{name} must be at most {most}: {why}"))
}
