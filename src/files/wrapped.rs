//! A file of rejections that comes back: each of its rows has a record in it, which is read as the layout says.

use super::framer::Framer;
use super::held::{Held, Out, refused};
use super::layout::{Format, Layout};
use super::lines::Lines;
use super::record::{FileRecord, Place, Seen};
use super::rejections::{BEGINNING, BYTES, COLUMNS, HEADER, unmarked};
use super::table::Table;
use super::unusable::Unusable;
use crate::domain::Code;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// So many first bytes tell whether a file is one: with room for the longest number of a line, and for blanks.
pub const FIRST: usize = 80;

/// Tells a file of rejections by its first bytes.
pub fn is_of_rejections(first: &[u8]) -> bool {
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    is_table(first) || is_lines(first)
}

fn is_table(first: &[u8]) -> bool {
    let begins = |delimiter: &&str| first.starts_with(COLUMNS[..4].join(delimiter).as_bytes());
    [",", ";", "\t"].iter().any(begins)
}

/// `{"line_number":"7","code":"`, also with blanks between: objects of somebody's own may have a number of a line too.
fn is_lines(first: &[u8]) -> bool {
    let parts: [&[u8]; 4] = [b"{", b"\"line_number\"", b":", b"\""];
    let Some(number) = behind(first, &parts) else {
        return false;
    };
    let is_number = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    let rest = &number[number.iter().take_while(is_number).count()..];
    behind(rest, &[b"\"", b",", b"\"code\"", b":", b"\""]).is_some()
}

/// What stands behind some parts, with or without blanks before each.
fn behind<'t>(text: &'t [u8], parts: &[&[u8]]) -> Option<&'t [u8]> {
    let next = |rest: &'t [u8], part: &&[u8]| rest.trim_ascii_start().strip_prefix(*part);
    parts.iter().try_fold(text, next)
}

/// The two readers of such a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wrapped {
    outer: Framer,
    is_table: bool,
    /// `None` until the header of a table has come.
    inner: Option<Framer>,
}

impl Wrapped {
    /// Tells by the first bytes of a file; `None` of all others.
    pub fn told(first: &[u8], layout: &Layout) -> Option<Self> {
        let is_table = is_table(first);
        let outer = match (is_table, is_lines(first)) {
            (true, _) => Framer::of(&outer_layout()),
            (_, true) => Framer::Lines(Lines::begun(false)),
            _ => return None,
        };
        let inner = match layout.format {
            Format::Ndjson => Some(Framer::Lines(Lines::begun(layout.commas))),
            Format::Json => Some(Framer::of(layout)),
            Format::Csv => layout
                .csv
                .columns
                .is_some()
                .then(|| Framer::of(&inside(layout))),
        };
        Some(Self {
            outer,
            is_table,
            inner,
        })
    }

    /// Takes the rows that are whole, and the records in them.
    pub fn advance(
        &mut self,
        held: &mut Held,
        is_end: bool,
        layout: &Layout,
        out: &mut Out<'_>,
    ) -> Result<(), Unusable> {
        let mut rows = Vec::new();
        let before = out.seen.clone();
        let mut over = Out {
            records: &mut rows,
            enough: out.enough - out.records.len(),
            seen: &mut *out.seen,
            most: out.most * 2,
            ..*out
        };
        self.outer
            .advance(held, is_end, &outer_layout(), &mut over)?;
        out.leaves_some = over.leaves_some;
        // The rows are none of the file's records, nor is their table its own.
        out.seen.records = before.records;
        (out.seen.header, out.seen.columns, out.seen.delimiter) =
            (before.header, before.columns, before.delimiter);
        for row in rows {
            self.row(row, layout, out)?;
        }
        Ok(())
    }

    fn row(&mut self, row: FileRecord, layout: &Layout, out: &mut Out<'_>) -> Result<(), Unusable> {
        let object = match row.read {
            Ok(object) => object,
            Err(rejection) => {
                out.refuse(row.place, row.text, rejection);
                return Ok(());
            }
        };
        let object: Value = serde_json::from_slice(&object).unwrap_or_default();
        if object.get("code").and_then(Value::as_str) == Some(HEADER) {
            // Of a table whose columns were said it has the delimiter alone.
            let line = self.line(&object).unwrap_or_default();
            return self.header(&object, &line, layout, out);
        }
        let Some(line) = self.line(&object) else {
            if let Some(beginning) = object.get(BEGINNING).and_then(Value::as_str) {
                self.without_end(row.place, beginning, out);
                return Ok(());
            }
            let message = "the row has no line: it belongs to no file of rejections";
            out.refuse(row.place, row.text, refused(Code::MissingField, message));
            return Ok(());
        };
        self.inside(row.place, line, layout, out)
    }

    /// Only the beginning was kept: whoever has the whole record puts it into the line.
    fn without_end(&self, place: Place, beginning: &str, out: &mut Out<'_>) {
        let message = "only the beginning of the record was kept, in line_beginning: put all of it into line, as it stands in its file";
        let rejection = refused(Code::RecordTooLarge, message);
        let beginning = match self.is_table {
            true => unmarked(beginning),
            false => beginning,
        };
        let text = Bytes::copy_from_slice(beginning.as_bytes());
        // How much there was nobody knows here: more.
        let bytes = text.len() as u64 + 1;
        out.refuse_cut(place, &text, bytes, rejection);
    }

    fn line(&self, object: &Value) -> Option<Vec<u8>> {
        if let Some(bytes) = object.get(BYTES).and_then(Value::as_str) {
            return STANDARD.decode(bytes).ok();
        }
        let text = object.get("line")?.as_str()?;
        let text = if self.is_table { unmarked(text) } else { text };
        Some(text.as_bytes().to_vec())
    }

    fn header(
        &mut self,
        object: &Value,
        line: &[u8],
        layout: &Layout,
        out: &mut Out<'_>,
    ) -> Result<(), Unusable> {
        let delimiter = object
            .get("field")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let delimiter = unmarked(delimiter).bytes().next();
        if layout.format == Format::Csv {
            let mut seen = Seen::default();
            let mut own = Out {
                seen: &mut seen,
                records: &mut Vec::new(),
                enough: usize::MAX,
                room: usize::MAX,
                ..*out
            };
            let table = Table::below(line, delimiter.unwrap_or(b'\t'), layout, &mut own)?;
            self.inner = Some(Framer::Table(Box::new(table)));
            if seen.columns.is_none() {
                return Err(headless());
            }
            (out.seen.header, out.seen.columns, out.seen.delimiter) =
                (seen.header, seen.columns, seen.delimiter);
        }
        Ok(())
    }

    /// A record is read as if its file were that line alone; its place is that of the row.
    fn inside(
        &mut self,
        place: Place,
        line: Vec<u8>,
        layout: &Layout,
        out: &mut Out<'_>,
    ) -> Result<(), Unusable> {
        let Some(inner) = &mut self.inner else {
            return Err(headless());
        };
        let (mut held, mut records) = (
            Held {
                bytes: line,
                scanned: 0,
            },
            Vec::new(),
        );
        let mut seen = Seen {
            records: out.seen.records,
            ..Seen::default()
        };
        inner.advance(
            &mut held,
            true,
            layout,
            &mut Out {
                seen: &mut seen,
                records: &mut records,
                enough: usize::MAX,
                room: usize::MAX,
                ..*out
            },
        )?;
        out.seen.records = seen.records;
        out.seen.columns = out.seen.columns.take().or(seen.columns);
        out.seen.delimiter = seen.delimiter.or(out.seen.delimiter);
        let is_one = records.len() == 1;
        out.records
            .extend(records.into_iter().zip(1..).map(|(record, part)| {
                let part = if is_one { place.part } else { Some(part) };
                FileRecord {
                    place: Place { part, ..place },
                    ..record
                }
            }));
        Ok(())
    }
}

/// A record stands alone: nothing that is to be skipped is above it.
fn inside(layout: &Layout) -> Layout {
    let mut own = layout.clone();
    own.csv.skip_lines = 0;
    own
}

fn headless() -> Unusable {
    let message = "the rejections of a table begin with a row that has its header: leave it there, or say columns";
    Unusable::of("header", message)
}

fn outer_layout() -> Layout {
    let mut own = Layout {
        format: Format::Csv,
        ..Layout::default()
    };
    // The last cell is empty of a record of which there is only the beginning.
    own.csv.short_rows = true;
    own
}
