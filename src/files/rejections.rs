//! Refused records as a file that a person can mend and send again: as objects, or as a table.
//!
//! A table that a spreadsheet opens must not run what stands in it, and what is sent again must be what it was. So a text that a
//! spreadsheet would take for a formula has an apostrophe before it, and reading the file takes just that off again.

use super::record::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The columns of the table, in the order of the file. It does not begin with `ID`, which spreadsheets take for another format, and ends with
/// what nearly always has a text: they leave empty cells at the end of rows away.
pub const COLUMNS: [&str; 6] = ["line_number", "code", "field", "reason", BEGINNING, "line"];
/// The code of a row that is no refused record but the header of the table that the others come from.
pub const HEADER: &str = "header";
/// Where a line is no text: its bytes in base64.
pub const BYTES: &str = "line_base64";
/// In place of the line where only its beginning was kept: it must not pass for the whole.
pub const BEGINNING: &str = "line_beginning";

/// One refused record.
#[derive(Clone, Copy, Debug)]
pub struct RefusedLine<'a> {
    pub place: Place,
    pub code: &'a str,
    pub field: Option<&'a str>,
    pub reason: &'a str,
    /// The record as it stood in the file.
    pub text: &'a [u8],
    /// There was more of it.
    pub is_cut: bool,
}

impl<'a> RefusedLine<'a> {
    /// What comes first where the records are of a table: its header and its delimiter, without which they can't be read.
    pub fn header(line: &'a str, delimiter: &'a str) -> Self {
        Self {
            place: Place::of(1),
            code: HEADER,
            field: Some(delimiter),
            reason: "the header of the table: leave it where it is, so that the file can be sent again",
            text: line.as_bytes(),
            is_cut: false,
        }
    }

    /// As an object on a line.
    pub fn to_ndjson(&self) -> Vec<u8> {
        let (name, line) = match std::str::from_utf8(self.text) {
            _ if self.is_cut => (BEGINNING, String::from_utf8_lossy(self.text).into()),
            Ok(text) => ("line", Value::from(text)),
            Err(_) => (BYTES, STANDARD.encode(self.text).into()),
        };
        let members = [
            ("line_number", self.place.to_string().into()),
            ("code", self.code.into()),
            ("field", self.field.into()),
            ("reason", self.reason.into()),
            (name, line),
        ];
        // In this order: by its first member a file of rejections is known again.
        let members = members.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}\n", members.join(",")).into_bytes()
    }

    /// As a row of the table.
    pub fn to_csv(&self) -> Vec<u8> {
        let place = self.place.to_string();
        let (line, beginning) = match self.is_cut {
            true => (&b""[..], self.text),
            false => (self.text, &b""[..]),
        };
        let texts = [
            place.as_bytes(),
            self.code.as_bytes(),
            self.field.unwrap_or_default().as_bytes(),
            self.reason.as_bytes(),
            beginning,
            line,
        ];
        row(texts)
    }
}

/// The first row of the table.
pub fn csv_header() -> Vec<u8> {
    row(COLUMNS.map(str::as_bytes))
}

fn row(cells: [&[u8]; 6]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let written = writer.write_record(cells.map(marked));
    written.expect("a row of as many cells as ever, into memory");
    writer.into_inner().expect("memory takes all")
}

/// With an apostrophe, where a spreadsheet would run it.
fn marked(text: &[u8]) -> Vec<u8> {
    if begins_formula(text) && !is_number(text) {
        [b"'", text].concat()
    } else {
        text.to_vec()
    }
}

/// As it was before it was marked.
pub fn unmarked(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if begins_formula(text.as_bytes()) => rest,
        _ => text,
    }
}

/// What was marked before counts as well, so that one mark is taken off for each that was set.
fn begins_formula(text: &[u8]) -> bool {
    let first = text.iter().find(|byte| **byte != b'\'');
    matches!(first, Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r'))
}

/// True of amounts and phone numbers.
fn is_number(text: &[u8]) -> bool {
    let digits = text
        .strip_prefix(b"+")
        .or_else(|| text.strip_prefix(b"-"))
        .unwrap_or(text);
    let is_part = |byte: &u8| byte.is_ascii_digit() || b" .,()-/".contains(byte);
    digits
        .first()
        .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'(')
        && digits.iter().all(is_part)
}

#[cfg(test)]
#[path = "rejections_tests.rs"]
mod tests;
