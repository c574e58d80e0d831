//! Counts by names that come out of records: however many there are, only so many are kept.

use crate::domain::sizes::beginning;
use serde::Serialize;
use std::collections::BTreeMap;

/// Bytes of a name, or of an example, that are kept: enough to know it again, and no more of anybody's data.
const MOST_TEXT: usize = 100;

/// Something about each of at most so many names.
#[derive(Debug, Serialize)]
pub struct Counts<V> {
    pub by_name: BTreeMap<String, V>,
    /// How often a name was met that found no more room.
    pub of_others: u64,
    #[serde(skip)]
    most: usize,
}

impl<V: Default> Counts<V> {
    pub fn of(most: usize) -> Self {
        Self {
            by_name: BTreeMap::new(),
            of_others: 0,
            most,
        }
    }

    /// Notes something about a name.
    pub fn note(&mut self, name: &str, change: impl FnOnce(&mut V)) {
        let name = shortened(name);
        if let Some(known) = self.by_name.get_mut(&name) {
            return change(known);
        }
        if self.by_name.len() == self.most {
            self.of_others += 1;
            return;
        }
        change(self.by_name.entry(name).or_default());
    }
}

/// A text cut to what is kept, with a sign that it was.
pub fn shortened(text: &str) -> String {
    let kept = beginning(text, MOST_TEXT);
    let sign = if kept.len() < text.len() { "…" } else { "" };
    format!("{}{sign}", printable(kept))
}

/// Names come from anybody: what would move a terminal's cursor, or begin a line, is replaced.
pub fn printable(text: &str) -> String {
    let shown = |one: char| if one.is_control() { '\u{FFFD}' } else { one };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_most_are_counted_together() {
        let mut counts = Counts::<u64>::of(2);
        for name in ["a", "b", "c", "a", "d"] {
            counts.note(name, |count| *count += 1);
        }
        assert_eq!(counts.by_name["a"], 2);
        assert_eq!((counts.by_name.len(), counts.of_others), (2, 2));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "ä".repeat(MOST_TEXT);
        assert_eq!(shortened(&text), format!("{}…", "ä".repeat(MOST_TEXT / 2)));
        assert_eq!(shortened("ä"), "ä");
        assert_eq!(shortened("a\u{1b}[2J\nb"), "a\u{FFFD}[2J\u{FFFD}b");
    }
}
