//! A file of rejections that comes back: each of its rows has a record in it, which is read as the layout says.

use super::framer::Framer;
use super::held::{Held, Out, refused};
use super::layout::{Format, Layout};
use super::lines::Lines;
use super::record::{FileRecord, Place, Seen};
use super::rejections::{BYTES, COLUMNS, HEADER, unmarked};
use super::table::Table;
use super::unusable::Unusable;
use crate::domain::Code;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// So many first bytes tell whether a file is one.
pub const FIRST: usize = 40;

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
        let is_table = [",", ";", "\t"]
            .iter()
            .any(|delimiter| first.starts_with(COLUMNS[..4].join(delimiter).as_bytes()));
        let is_lines = first.starts_with(b"{\"line_number\":");
        let outer = match (is_table, is_lines) {
            (true, _) => Framer::of(&outer_layout()),
            (_, true) => Framer::Lines(Lines::begun(false)),
            _ => return None,
        };
        let inner = match layout.format {
            Format::Ndjson => Some(Framer::Lines(Lines::begun(layout.commas))),
            Format::Json => Some(Framer::of(layout)),
            Format::Csv => layout.csv.columns.is_some().then(|| Framer::of(layout)),
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
        let before = out.seen.records;
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
        out.seen.records = before;
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
        let Some(line) = self.line(&object) else {
            let message = "the row has no line: it belongs to no file of rejections";
            out.refuse(row.place, row.text, refused(Code::MissingField, message));
            return Ok(());
        };
        if object.get("code").and_then(Value::as_str) == Some(HEADER) {
            return self.header(&object, &line, layout, out);
        }
        self.inside(row.place, line, layout, out)
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
                ..*out
            };
            let table = Table::below(line, delimiter.unwrap_or(b'\t'), layout, &mut own)?;
            self.inner = Some(Framer::Table(Box::new(table)));
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
            let message = "the rejections of a table begin with a row that has its header: leave it there, or say columns";
            return Err(Unusable::of("header", message));
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
                ..*out
            },
        )?;
        out.seen.records = seen.records;
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

fn outer_layout() -> Layout {
    Layout {
        format: Format::Csv,
        ..Layout::default()
    }
}
