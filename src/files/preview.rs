//! What an import of a file would do, told by its beginning: the same reading, with a limit, and nothing is written.

use super::column_types::ColumnSeen;
use super::columns::{Columns, unclear};
use super::layout::{Format, Layout};
use super::reader::{FileLimits, FileReader};
use super::record::{FileRecord, Seen};
use super::unusable::Unusable;
use crate::domain::{Gate, Rejection, Timestamp};
use crate::mapping::{Mapping, ReadCall, Record, Survey, kind_of};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

/// Refused records that are shown.
const REJECTIONS: usize = 20;
/// Bytes of a refused record that are shown.
const SHOWN: usize = 400;
/// Columns that are shown; a table may have more.
const COLUMNS: usize = 500;
/// Records that are read before it is looked what they hold.
const STEP: usize = 16;
/// Bytes of what is made of records, of which a table with long names may need many for a row: with so many the sample ends.
const MADE: usize = 8 << 20;

/// What reads a sample.
pub struct Sampler<'a> {
    pub layout: &'a Layout,
    pub limits: FileLimits,
    pub mapping: &'a Mapping,
    pub gate: &'a Gate<'a>,
    /// The file's own time.
    pub start: Timestamp,
    pub calls: &'a ReadCall,
    pub name: &'a str,
}

/// What would become of a file.
#[derive(Debug, Serialize)]
pub struct Preview {
    pub format: &'static str,
    pub encoding: Option<String>,
    pub delimiter: Option<char>,
    /// Of the sample.
    pub lines: u64,
    pub blank: u64,
    pub records: u64,
    pub columns: Vec<ColumnSeen>,
    /// A mapping to begin with, where the file is a table.
    pub mapping: Option<String>,
    pub rejections: Vec<Shown>,
    pub warnings: Vec<Hint>,
    /// What the records would write.
    pub survey: Survey,
}

/// A refused record.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub line_number: String,
    pub code: &'static str,
    pub field: Option<String>,
    pub reason: String,
    pub line: String,
}

/// Something about the whole file.
#[derive(Debug, Serialize)]
pub struct Hint {
    pub code: String,
    pub message: String,
}

impl Sampler<'_> {
    /// Reads the first `most` records of the beginning of a file; `is_all` where it is the whole. Bytes are decompressed before.
    ///
    /// # Errors
    /// Why an import would refuse the file.
    pub fn preview(&self, bytes: &[u8], is_all: bool, most: usize) -> Result<Preview, Unusable> {
        let (records, seen) = self.records(bytes, is_all, most)?;
        let mut preview = Preview {
            format: self.layout.format.as_str(),
            encoding: seen.encoding.map(super::Encoding::name),
            delimiter: seen.delimiter,
            lines: seen.lines,
            blank: seen.blank,
            records: 0,
            columns: Vec::new(),
            mapping: None,
            rejections: Vec::new(),
            warnings: Vec::new(),
            survey: Survey::new(self.mapping, false),
        };
        let names = seen
            .columns
            .iter()
            .flatten()
            .filter(|name| !name.is_empty());
        preview.columns = names
            .take(COLUMNS)
            .map(|name| ColumnSeen::of(name))
            .collect();
        for record in records.iter().take(most) {
            self.take(record, &mut preview);
        }
        preview.hints(&records, &seen, self.layout);
        let columns = seen.columns.as_deref();
        if let Some(refused) = columns.and_then(|columns| self.refused(columns)) {
            preview.hint(refused.code, refused.message);
        }
        if self.layout.format == Format::Csv {
            preview.mapping = Some(proposal(&preview.columns, self.gate));
        }
        Ok(preview)
    }

    /// Why an import would refuse a table with these columns; a preview proposes what would mend it.
    fn refused(&self, columns: &[String]) -> Option<Unusable> {
        match self.mapping.columns() {
            Some(used) => {
                let (csv, most) = (&self.layout.csv, self.limits.columns);
                Columns::of(columns, csv, Some(&used), most).err()
            }
            None if self.mapping.is_by_columns() => unclear(columns, self.gate),
            None => None,
        }
    }

    /// All columns are looked at, whatever the mapping reads.
    fn records(
        &self,
        bytes: &[u8],
        is_all: bool,
        most: usize,
    ) -> Result<(Vec<FileRecord>, Seen), Unusable> {
        let limits = FileLimits {
            records: STEP,
            ..self.limits
        };
        let mut reader = FileReader::new(self.layout, limits)?;
        let mut records = Vec::new();
        let mut leaves_some = reader.feed_some(bytes, &mut records)?;
        while leaves_some && !is_enough(&records, most) {
            leaves_some = reader.feed_some(&[], &mut records)?;
        }
        while !leaves_some && ended(&mut reader, &mut records, is_all)? {
            leaves_some = is_enough(&records, most);
        }
        // The last record of a sample may be cut.
        if !is_all && !leaves_some && records.len() > 1 {
            records.pop();
        }
        Ok((records, reader.seen().clone()))
    }

    fn take(&self, record: &FileRecord, preview: &mut Preview) {
        preview.records += 1;
        let place = record.place.to_string();
        let source = record.source(self.name, self.layout.format);
        let value = record.read.as_ref().ok();
        let read = Record::of_file(value, source);
        let reading = match &record.read {
            Ok(_) => self.mapping.read(&read, self.gate, self.start, self.calls),
            Err(rejection) => Err(rejection.clone()),
        };
        if let Some(object) = value.and_then(|object| serde_json::from_slice(object).ok()) {
            preview.note(&object);
        }
        if let Err(rejection) = &reading {
            preview.refuse(record, rejection);
        }
        preview
            .survey
            .take(&place, record.text.len(), &read, reading);
    }
}

/// Whether the end of a sample leaves records. Any sample of a list is cut, and does not lack its end for that.
fn ended(
    reader: &mut FileReader,
    records: &mut Vec<FileRecord>,
    is_all: bool,
) -> Result<bool, Unusable> {
    match reader.end_some(records) {
        Err(cut) if cut.code == "truncated" && !is_all => Ok(false),
        ended => ended,
    }
}

fn is_enough(records: &[FileRecord], most: usize) -> bool {
    let made = records
        .iter()
        .map(|record| record.read.as_ref().map_or(0, Bytes::len));
    records.len() >= most || made.sum::<usize>() >= MADE
}

impl Preview {
    fn note(&mut self, object: &Map<String, Value>) {
        for column in &mut self.columns {
            column.take(object.get(&column.name).and_then(Value::as_str));
        }
    }

    fn refuse(&mut self, record: &FileRecord, rejection: &Rejection) {
        if self.rejections.len() < REJECTIONS {
            let shown = record.text.slice(..record.text.len().min(SHOWN));
            self.rejections.push(Shown {
                line_number: record.place.to_string(),
                code: rejection.code.as_str(),
                field: rejection.field.clone(),
                reason: rejection.message.clone(),
                line: String::from_utf8_lossy(&shown).into_owned(),
            });
        }
    }

    fn hint(&mut self, code: &str, message: String) {
        let code = code.to_owned();
        self.warnings.push(Hint { code, message });
    }

    fn hints(&mut self, records: &[FileRecord], seen: &Seen, layout: &Layout) {
        for (code, message) in &seen.warnings {
            self.hint(code, message.clone());
        }
        let is_foreign = |record: &&FileRecord| {
            record
                .read
                .as_ref()
                .is_err_and(|rejection| rejection.code.as_str() == "bad_utf8")
        };
        if let Some(first) = records.iter().find(is_foreign) {
            let message = format!(
                "the file looks like windows-1252 from line {}: say encoding=windows-1252 if it is",
                first.place
            );
            self.hint("looks_like_windows_1252", message);
        }
        let has_escape =
            |record: &FileRecord| memchr::memmem::find(&record.text, b"\\\"").is_some();
        if layout.format == Format::Csv
            && layout.csv.escape.is_none()
            && records.iter().any(has_escape)
        {
            self.hint(
                "escape",
                "quotes are escaped by a backslash: say escape=\\".to_owned(),
            );
        }
        let mut about = Vec::new();
        for column in &self.columns {
            let (name, dates, filled) = (&column.name, column.ambiguous_dates, column.filled);
            if dates > 0 {
                let message = format!(
                    "the dates of {name:?} read with the day first and with the month first in {dates} of {filled} rows: say a format"
                );
                about.push(("ambiguous_dates", message));
            }
            if column.looks_damaged() {
                let message = format!(
                    "a spreadsheet has rounded numbers of {name:?}, like 1.9143E+18: their last digits are lost"
                );
                about.push(("damaged_number", message));
            }
        }
        for (code, message) in about {
            self.hint(code, message);
        }
    }
}

/// A mapping that says what a table seems to be.
fn proposal(columns: &[ColumnSeen], gate: &Gate<'_>) -> String {
    // A text as JSON has it is one of TOML too, and a key: cells of headers may have line ends.
    let key = |text: &str| Value::from(text).to_string().replace('\u{7f}', "\\u007f");
    let pointer = |name: &str| key(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
    let mut text = String::from("[identities]\n");
    let mut kinds = Vec::new();
    for column in columns {
        if let Some(kind) = kind_of(&column.name, gate).filter(|kind| !kinds.contains(kind)) {
            kinds.push(kind);
            text.push_str(&format!("{kind} = {}\n", pointer(&column.name)));
        }
    }
    if kinds.is_empty() {
        text.push_str("# No column is called as a kind of identity. Name the one that says who a row is about, like\n# user_id = \"/customer number\"\n");
    }
    text.push_str("\n[traits]\nonly = \"*\"\n");
    let typed = columns
        .iter()
        .filter(|column| kind_of(&column.name, gate).is_none());
    let typed = typed.filter_map(|column| Some((key(&column.name), column.proposal()?)));
    let typed: Vec<String> = typed
        .map(|(name, kind)| format!("{name} = {kind}\n"))
        .collect();
    if !typed.is_empty() {
        text.push_str("\n[traits.types]\n");
        text.extend(typed);
    }
    text
}

#[cfg(test)]
#[path = "preview_tests.rs"]
mod tests;
