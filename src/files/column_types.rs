//! What the texts of a column look like, and what a mapping may make of them: nothing that could lose a digit is ever proposed.

use crate::domain::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Examples that are shown of a column.
const EXAMPLES: usize = 3;
/// Characters of one.
const MOST_EXAMPLE: usize = 60;
/// Digits that every program keeps.
const MOST_DIGITS: usize = 15;
/// What is written in digits and is no number: nobody adds it up.
const NO_NUMBERS: [&str; 12] = [
    "phone", "mobile", "tel", "fax", "zip", "postcode", "postal", "plz", "id", "code", "number",
    "iban",
];

/// One column of a sample.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ColumnSeen {
    pub name: String,
    pub filled: u64,
    pub empty: u64,
    pub examples: Vec<String>,
    /// The type that a mapping may give it: `text` where there is a doubt.
    pub looks_like: &'static str,
    /// Dates that read both with the day and with the month first, where that leaves it open which is meant.
    pub ambiguous_dates: u64,
    #[serde(skip)]
    counts: BTreeMap<Look, u64>,
    #[serde(skip)]
    looks_damaged: bool,
    #[serde(skip)]
    may_be_number: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Whole,
    Number,
    Truth,
    Time,
    DayFirst,
    MonthFirst,
    EitherFirst,
    Other,
}

impl ColumnSeen {
    pub fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            may_be_number: true,
            looks_like: "text",
            ..Self::default()
        }
    }

    /// Takes note of a cell.
    pub fn take(&mut self, text: Option<&str>) {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            self.empty += 1;
            return;
        };
        self.filled += 1;
        if self.examples.len() < EXAMPLES && !self.examples.iter().any(|own| own == text) {
            self.examples.push(
                text.chars()
                    .filter(|sign| !sign.is_control())
                    .take(MOST_EXAMPLE)
                    .collect(),
            );
        }
        self.may_be_number &= is_safe(text);
        self.looks_damaged |= crate::mapping::is_damaged(text);
        *self.counts.entry(look(text)).or_default() += 1;
        self.ambiguous_dates = self.ambiguous();
        self.looks_like = self.kind().0;
    }

    /// Some cells hold what spreadsheets show of a long number.
    pub fn looks_damaged(&self) -> bool {
        self.looks_damaged
    }

    /// The type, as a mapping has it; `None` where it is a text.
    pub fn proposal(&self) -> Option<String> {
        match self.kind() {
            ("text", _) => None,
            ("time", Some(format)) => Some(format!("{{ type = \"time\", format = \"{format}\" }}")),
            (kind, _) => Some(format!("\"{kind}\"")),
        }
    }

    fn kind(&self) -> (&'static str, Option<&'static str>) {
        let count = |looks: &[Look]| {
            looks
                .iter()
                .filter_map(|look| self.counts.get(look))
                .sum::<u64>()
        };
        let all = |looks: &[Look]| self.filled > 0 && count(looks) == self.filled;
        let is_number = self.may_be_number && !names_no_number(&self.name);
        match () {
            () if all(&[Look::Truth]) => ("boolean", None),
            () if all(&[Look::Time]) => ("time", None),
            () if all(&[Look::DayFirst, Look::EitherFirst]) && count(&[Look::DayFirst]) > 0 => {
                ("time", Some("%d/%m/%Y"))
            }
            () if all(&[Look::MonthFirst, Look::EitherFirst]) && count(&[Look::MonthFirst]) > 0 => {
                ("time", Some("%m/%d/%Y"))
            }
            () if is_number && all(&[Look::Whole]) => ("integer", None),
            () if is_number && all(&[Look::Whole, Look::Number]) => ("number", None),
            () => ("text", None),
        }
    }

    fn ambiguous(&self) -> u64 {
        let is_told = [Look::DayFirst, Look::MonthFirst]
            .iter()
            .any(|look| self.counts.contains_key(look));
        let either = self
            .counts
            .get(&Look::EitherFirst)
            .copied()
            .unwrap_or_default();
        if is_told { 0 } else { either }
    }
}

fn look(text: &str) -> Look {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if is_whole(digits) {
        return Look::Whole;
    }
    if digits
        .split_once('.')
        .is_some_and(|(whole, fraction)| is_whole(whole) && is_whole(fraction))
    {
        return Look::Number;
    }
    if ["true", "false", "yes", "no", "t", "f"].contains(&text.to_lowercase().as_str()) {
        return Look::Truth;
    }
    if Timestamp::parse(text).is_some() && text.contains('-') {
        return Look::Time;
    }
    slashed(text).unwrap_or(Look::Other)
}

/// A date with slashes, by the readings that it has.
fn slashed(text: &str) -> Option<Look> {
    let parts: Vec<u32> = text
        .split('/')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [first, second, year] = parts[..] else {
        return None;
    };
    let is_there = |day: u32, month: u32| {
        (1..=31).contains(&day) && (1..=12).contains(&month) && year >= 1_000
    };
    match (is_there(first, second), is_there(second, first)) {
        (true, true) => Some(Look::EitherFirst),
        (true, false) => Some(Look::DayFirst),
        (false, true) => Some(Look::MonthFirst),
        (false, false) => None,
    }
}

/// True of digits that mean the same as a number: none is lost, and no zero before them.
fn is_safe(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let has_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    !has_zero && !text.starts_with('+') && count <= MOST_DIGITS
}

fn names_no_number(name: &str) -> bool {
    let small = name.to_lowercase();
    let parts = small.split(|sign: char| !sign.is_alphanumeric());
    let camel = name.ends_with("Id") || name.ends_with("ID");
    camel || parts.into_iter().any(|part| NO_NUMBERS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, texts: &[&str]) -> ColumnSeen {
        let mut column = ColumnSeen::of(name);
        for text in texts {
            column.take(Some(text));
        }
        column
    }

    #[test]
    fn row_20_no_digit_is_ever_lost_by_a_proposal() {
        assert_eq!(
            seen("age", &["36", "7", "-1"]).proposal().as_deref(),
            Some("\"integer\"")
        );
        assert_eq!(
            seen("score", &["1.5", "0.25", "7"]).proposal().as_deref(),
            Some("\"number\"")
        );
        for (name, text) in [
            ("a", "007"),
            ("a", "+32444"),
            ("a", "1234567890123456"),
            ("phone", "444"),
            ("Zip Code", "1010"),
            ("customer_id", "7"),
            ("userId", "7"),
        ] {
            assert_eq!(seen(name, &["12", text]).proposal(), None, "{name} {text}");
        }
    }

    #[test]
    fn row_21_dates_with_slashes_are_proposed_where_one_reading_fits() {
        let day_first = seen("at", &["03/04/2026", "31/12/2025"]);
        assert_eq!(
            day_first.proposal().as_deref(),
            Some("{ type = \"time\", format = \"%d/%m/%Y\" }")
        );
        assert_eq!(day_first.ambiguous_dates, 0);
        let open = seen("at", &["03/04/2026", "05/06/2025"]);
        assert_eq!((open.proposal(), open.ambiguous_dates), (None, 2));
        assert_eq!(seen("at", &["31/12/2025", "12/31/2025"]).proposal(), None);
    }

    #[test]
    fn truth_times_and_words_are_told() {
        assert_eq!(seen("a", &["yes", "No"]).looks_like, "boolean");
        assert_eq!(
            seen("a", &["2026-05-01", "2026-05-01T10:00:00Z"]).looks_like,
            "time"
        );
        assert_eq!(seen("a", &["2026-05-01", "soon"]).looks_like, "text");
        assert_eq!(seen("a", &["1", "0"]).looks_like, "integer");
        assert!(seen("a", &["1.9143E+18"]).looks_damaged());
    }
}
