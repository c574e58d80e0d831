//! What is said of a file before it is read: it is kept with the job and never changes.

use super::encoding::Encoding;
use super::unusable::Unusable;
use crate::mapping::Mapping;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Lines before a part of a file: more than any has.
const MOST_BEFORE: u64 = 1 << 50;

/// Lines above a table: more than any has.
const MOST_ABOVE: u64 = 1 << 20;

/// Columns of a table.
pub const MOST_COLUMNS: usize = 2_000;

/// Bytes of the names of columns that are said: as many as a header may have.
pub(super) const NAMES_BYTES: usize = 128 << 10;

/// How records stand in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Objects, each ended by a line end or by the next object.
    #[default]
    Ndjson,
    /// Objects in a list, or one after the other, over as many lines as they like.
    Json,
    Csv,
}

impl Format {
    /// By the end of a file's name, behind that of a compression; lines of JSON where that does not tell.
    pub fn of_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let inner = [".gz", ".zst"]
            .into_iter()
            .find_map(|end| name.strip_suffix(end));
        match inner.unwrap_or(&name).rsplit_once('.') {
            Some((_, "csv" | "tsv" | "txt")) => Self::Csv,
            Some((_, "json")) => Self::Json,
            _ => Self::Ndjson,
        }
    }
}

/// What an empty cell says of its trait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Empty {
    /// Nothing.
    #[default]
    Absent,
    /// That it is gone.
    Null,
    /// That it is the empty text.
    Text,
}

/// All that is said of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layout {
    pub format: Format,
    /// Told by the first bytes where it is not said: UTF-16 with its mark, else UTF-8.
    pub encoding: Option<Encoding>,
    /// A comma behind an object at the end of its line is forgiven.
    pub commas: bool,
    pub csv: CsvLayout,
    /// Of a part of a file: what stands before it.
    pub before: Before,
    /// The columns that are read, by the names that the mapping has for them; all where nothing is said. `Layout::used_by` sets it.
    pub used: Option<Vec<String>>,
}

/// What stands before a part of a file: so that its lines and records have the numbers that they have in the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Before {
    pub lines: u64,
    pub records: u64,
}

/// What is said of a CSV file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsvLayout {
    /// What stands between cells; told by the first records where it is not said.
    pub delimiter: Option<char>,
    /// What stands around cells, `"` where nothing is said; NUL where nothing does.
    pub quote: Option<char>,
    /// What takes the meaning of the next character, where a quote is not doubled instead.
    pub escape: Option<char>,
    /// The names of the columns, where the file has none above them.
    pub columns: Option<Vec<String>>,
    /// Lines before the header that are no part of the table.
    pub skip_lines: u64,
    /// Blanks around cells are none of their text.
    pub trim: bool,
    pub empty: Empty,
    /// Of cells in quotes with nothing between them; as other empty ones where nothing is said.
    pub quoted_empty: Option<Empty>,
    /// Of single columns.
    pub empty_columns: BTreeMap<String, Empty>,
    /// Records with too few cells lack the last ones, instead of being refused.
    pub short_rows: bool,
}

impl Format {
    /// By its name.
    ///
    /// # Errors
    /// `format`.
    pub fn parse(name: &str) -> Result<Self, Unusable> {
        match name {
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            "json" => Ok(Self::Json),
            "csv" | "tsv" => Ok(Self::Csv),
            _ => Err(Unusable::of(
                "format",
                "the format is none of ndjson, json and csv",
            )),
        }
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

impl Empty {
    fn parse(name: &str, text: &str) -> Result<Self, Unusable> {
        match text {
            "absent" => Ok(Self::Absent),
            "null" => Ok(Self::Null),
            "text" => Ok(Self::Text),
            _ => {
                let message = format!("{name} is one of absent, null and text");
                Err(Unusable::of("layout", message))
            }
        }
    }
}

impl Layout {
    /// The names that `set` knows.
    pub const NAMES: [&'static str; 14] = [
        "format",
        "encoding",
        "commas",
        "delimiter",
        "quote",
        "escape",
        "columns",
        "skip_lines",
        "trim",
        "empty",
        "quoted_empty",
        "short_rows",
        "first_line",
        "first_record",
    ];

    /// The same, reading no columns but those that a mapping names.
    pub fn used_by(mut self, mapping: &Mapping) -> Self {
        self.used = mapping.columns();
        self
    }

    /// True where it is said that a character has two bytes at least: then no line end is one.
    pub fn is_wide(&self) -> bool {
        let wide = [Encoding::UTF_16_LE, Encoding::UTF_16_BE];
        self.encoding.is_some_and(|said| wide.contains(&said))
    }

    /// What reads the records where nobody has said it: messages, and of tables columns by their names.
    pub fn default_mapping(&self) -> Mapping {
        match self.format {
            Format::Ndjson | Format::Json => Mapping::of_messages(),
            Format::Csv => Mapping::of_columns(),
        }
    }

    /// Takes one setting as a query or a command line has it; false where the name is none of a layout's. `empty.COLUMN` says of a
    /// single column what an empty cell is.
    ///
    /// # Errors
    /// With what can't be.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, Unusable> {
        let csv = &mut self.csv;
        match name {
            "format" => self.format = Format::parse(value)?,
            "encoding" => self.encoding = Some(Encoding::parse(value)?),
            "commas" => self.commas = flag(name, value)?,
            "delimiter" => csv.delimiter = Some(character(name, value)?),
            "quote" => csv.quote = Some(character(name, value)?),
            "escape" => csv.escape = Some(character(name, value)?),
            "columns" => {
                // One more than there may be, so that too many are refused.
                let names = value.split(',').take(MOST_COLUMNS + 1);
                csv.columns = Some(names.map(|own| own.trim().to_owned()).collect());
            }
            "skip_lines" => csv.skip_lines = count(name, value)?,
            "trim" => csv.trim = flag(name, value)?,
            "empty" => csv.empty = Empty::parse(name, value)?,
            "quoted_empty" => csv.quoted_empty = Some(Empty::parse(name, value)?),
            "short_rows" => csv.short_rows = flag(name, value)?,
            "first_line" => self.before.lines = first(name, value)?,
            "first_record" => self.before.records = first(name, value)?,
            _ => {
                let Some(column) = name.strip_prefix("empty.") else {
                    return Ok(false);
                };
                csv.empty_columns
                    .insert(column.to_owned(), Empty::parse(name, value)?);
            }
        }
        Ok(true)
    }
}

impl Layout {
    /// Holds what is said against each other.
    ///
    /// # Errors
    /// `layout`, where it can't be.
    pub fn check(&self) -> Result<(), Unusable> {
        let Before { lines, records } = self.before;
        if self.before != Before::default() && self.format != Format::Ndjson {
            let message =
                "only of ndjson a part can be read by itself: first_line is for nothing else";
            return Err(Unusable::of("layout", message));
        }
        // Each has room for what is behind it, in numbers that rows and stamps hold.
        if lines.max(records) > MOST_BEFORE {
            return Err(Unusable::of("layout", "first_line is too large"));
        }
        self.csv.check()
    }
}

impl CsvLayout {
    /// Holds the characters against each other, and the lines above the table and its columns against their limits.
    ///
    /// # Errors
    /// `layout`, where two characters mean the same, or one is no character of a byte; where more lines are to be skipped than any file has.
    /// `too_many_columns`.
    pub fn check(&self) -> Result<(), Unusable> {
        self.check_columns()?;
        if self.skip_lines > MOST_ABOVE {
            let message = format!("skip_lines is at most {MOST_ABOVE}");
            return Err(Unusable::of("layout", message));
        }
        let quote = self.quote.unwrap_or('"');
        let known = [self.delimiter, Some(quote), self.escape];
        let known: Vec<char> = known.into_iter().flatten().collect();
        let is_plain = |own: &char| own.is_ascii() && !matches!(own, '\r' | '\n');
        if !known.iter().all(is_plain) {
            let message =
                "delimiter, quote and escape are each one ASCII character, and no line end";
            return Err(Unusable::of("layout", message));
        }
        if self
            .delimiter
            .is_some_and(|own| own == quote || self.escape == Some(own))
        {
            let message = "delimiter, quote and escape are different characters";
            return Err(Unusable::of("layout", message));
        }
        Ok(())
    }
}

impl CsvLayout {
    fn check_columns(&self) -> Result<(), Unusable> {
        let said = self.columns.as_deref().unwrap_or_default();
        if said.len() > MOST_COLUMNS {
            let message = format!("the table has more columns than the limit of {MOST_COLUMNS}");
            return Err(Unusable::of("too_many_columns", message));
        }
        let names = said.iter().chain(self.empty_columns.keys());
        if names.map(String::len).sum::<usize>() > NAMES_BYTES {
            let message = format!("the names of columns have at most {NAMES_BYTES} bytes");
            return Err(Unusable::of("layout", message));
        }
        Ok(())
    }
}

/// A character by itself, or by its name where it can't be typed.
fn character(name: &str, value: &str) -> Result<char, Unusable> {
    match value {
        "tab" | "\\t" => return Ok('\t'),
        "comma" => return Ok(','),
        "semicolon" => return Ok(';'),
        "pipe" => return Ok('|'),
        "none" if name == "quote" => return Ok('\0'),
        _ => {}
    }
    let mut characters = value.chars();
    match (characters.next(), characters.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Unusable::of(
            "layout",
            format!("{name} is one character, or tab"),
        )),
    }
}

fn flag(name: &str, value: &str) -> Result<bool, Unusable> {
    let complaint = || Unusable::of("layout", format!("{name} is true or false"));
    value.parse().map_err(|_| complaint())
}

/// What stands before a first line or record, which are counted from 1.
fn first(name: &str, value: &str) -> Result<u64, Unusable> {
    let complaint = || Unusable::of("layout", format!("{name} is a whole number from 1"));
    count(name, value)?.checked_sub(1).ok_or_else(complaint)
}

fn count(name: &str, value: &str) -> Result<u64, Unusable> {
    let complaint = || Unusable::of("layout", format!("{name} is a whole number"));
    value.parse().map_err(|_| complaint())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{FileLimits, FileReader};

    #[test]
    fn settings_are_known_by_their_names_and_complain_of_what_cannot_be() {
        let mut layout = Layout::default();
        for (name, value) in [
            ("format", "csv"),
            ("delimiter", "tab"),
            ("quote", "none"),
            ("columns", "a, b"),
            ("empty.a", "null"),
        ] {
            assert_eq!(layout.set(name, value), Ok(true), "{name}");
        }
        let csv = &layout.csv;
        assert_eq!(
            (csv.delimiter, csv.quote, csv.empty_columns.get("a")),
            (Some('\t'), Some('\0'), Some(&Empty::Null))
        );
        assert_eq!(
            csv.columns.as_deref(),
            Some(&["a".to_owned(), "b".to_owned()][..])
        );
        assert_eq!(layout.set("mapping", "x"), Ok(false));
        for (name, value) in [
            ("format", "xml"),
            ("delimiter", "||"),
            ("trim", "maybe"),
            ("empty", "none"),
            ("encoding", "gbk"),
            ("skip_lines", "-1"),
        ] {
            assert!(layout.set(name, value).is_err(), "{name}");
        }
        let kept = serde_json::to_string(&layout).expect("JSON");
        assert_eq!(serde_json::from_str::<Layout>(&kept).ok(), Some(layout));
        assert!(serde_json::from_str::<Layout>("{\"formt\":\"csv\"}").is_err());
    }

    #[test]
    fn the_format_is_told_by_the_name_behind_its_compression() {
        for (name, format) in [
            ("users.csv", Format::Csv),
            ("Users.CSV.gz", Format::Csv),
            ("users.txt", Format::Csv),
            ("dump.json", Format::Json),
            ("events.ndjson.zst", Format::Ndjson),
            ("events.jsonl", Format::Ndjson),
            ("stdin", Format::Ndjson),
        ] {
            assert_eq!(Format::of_name(name), format, "{name}");
        }
    }

    #[test]
    fn signs_that_mean_two_things_are_refused() {
        for (delimiter, quote) in [("\"", "\""), ("ä", "'"), (";", ";")] {
            let mut layout = Layout {
                format: Format::Csv,
                ..Layout::default()
            };
            let set = layout
                .set("delimiter", delimiter)
                .and_then(|_| layout.set("quote", quote));
            assert_eq!(set, Ok(true));
            let refused = FileReader::new(&layout, FileLimits::default()).expect_err(delimiter);
            assert_eq!(refused.code, "layout");
        }
    }
}
