//! A CSV file as records: first what stands above the table, then its rows, each whole, whatever line ends stand in its cells.

use super::cells::{self, Problem};
use super::columns::Columns;
use super::grid::{Grid, Piece, line, lines, unbalanced, without_end};
use super::guess;
use super::held::{Held, Out, text};
use super::layout::Layout;
use super::lost::Lost;
use super::record::Place;
use super::row::{self, Cell, Dialect, Row};
use super::unusable::Unusable;
use crate::domain::Rejection;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Cuts a file into the records of its table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Table {
    dialect: Option<Dialect>,
    /// Lines that are to be skipped still.
    above: u64,
    columns: Option<Columns>,
    /// Bytes that belong to no record, until a line is found that is one.
    lost: Option<Lost>,
}

/// The rows of a grid.
struct Rows<'a>(Grid<'a>);

impl Table {
    pub fn new(layout: &Layout) -> Self {
        let above = layout.csv.skip_lines;
        Self {
            above,
            ..Self::default()
        }
    }

    /// One that begins with the rows, below a header that is known.
    ///
    /// # Errors
    /// What is wrong with the header.
    pub fn below(
        header: &[u8],
        delimiter: u8,
        layout: &Layout,
        out: &mut Out<'_>,
    ) -> Result<Self, Unusable> {
        let mut table = Self {
            dialect: Some(Dialect {
                delimiter,
                ..dialect(layout)
            }),
            ..Self::default()
        };
        let mut held = Held {
            bytes: header.to_vec(),
            scanned: 0,
        };
        table.advance(&mut held, true, layout, out)?;
        Ok(table)
    }

    /// Takes the records that are whole.
    ///
    /// # Errors
    /// Where no table can be told.
    pub fn advance(
        &mut self,
        held: &mut Held,
        is_end: bool,
        layout: &Layout,
        out: &mut Out<'_>,
    ) -> Result<(), Unusable> {
        if self.dialect.is_none() {
            if held.bytes.len() < out.window && !is_end && !out.is_left {
                return Ok(());
            }
            self.begin(held, is_end, layout, out)?;
        }
        let has_end = memchr::memchr2(b'\n', b'\r', &held.bytes[held.scanned..]).is_some();
        // The line feed that belongs to a carriage return may have been to come.
        let may_have_end = has_end || held.bytes[..held.scanned].ends_with(b"\r");
        if !may_have_end && !is_end && held.bytes.len() <= out.most && self.lost.is_none() {
            held.scanned = held.bytes.len();
            return Ok(());
        }
        let whole: Bytes = std::mem::take(&mut held.bytes).into();
        let mut at = 0;
        let piece = Piece {
            whole: &whole,
            is_end,
            layout,
        };
        let taken = self.take(piece, &mut at, out);
        held.bytes = whole[at..].to_vec();
        held.scanned = if out.leaves_some { 0 } else { held.bytes.len() };
        taken
    }

    fn begin(
        &mut self,
        held: &mut Held,
        is_end: bool,
        layout: &Layout,
        out: &mut Out<'_>,
    ) -> Result<(), Unusable> {
        let mut dialect = dialect(layout);
        let window = &held.bytes[..held.bytes.len().min(out.window)];
        let is_all = is_end && window.len() == held.bytes.len();
        dialect.returns = guess::returns(window, dialect.quote);
        let mut above = 0;
        if let Some((delimiter, length)) = announced(window, dialect.returns) {
            dialect.delimiter = delimiter;
            above = length;
            out.seen.lines += 1;
            out.seen.skipped += 1;
        }
        let mut table = &window[above..];
        for _ in 0..self.above {
            // There may be fewer lines than are to be skipped, by any number.
            if table.is_empty() {
                break;
            }
            let end = row::end_of_line(table, dialect.returns, is_all);
            table = &table[end.unwrap_or(table.len())..];
        }
        match layout.csv.delimiter {
            Some(said) => dialect.delimiter = said as u8,
            None if above > 0 => {}
            None => dialect.delimiter = guess::delimiter(table, is_all, &dialect, &layout.csv)?,
        }
        held.take(above);
        held.scanned = 0;
        self.dialect = Some(dialect);
        Ok(())
    }

    fn take(
        &mut self,
        piece: Piece<'_>,
        at: &mut usize,
        out: &mut Out<'_>,
    ) -> Result<(), Unusable> {
        let Some(dialect) = self.dialect else {
            return Ok(());
        };
        while self.above > 0 {
            let Some(end) = line(&piece.whole[*at..], &dialect, piece.is_end) else {
                return Ok(());
            };
            *at += end;
            self.above -= 1;
            out.seen.lines += 1;
            out.seen.skipped += 1;
        }
        out.seen.delimiter = Some(char::from(dialect.delimiter));
        if self.columns.is_none() {
            self.columns = header(piece, at, &dialect, out)?;
        }
        let Some(columns) = &self.columns else {
            return Ok(());
        };
        let grid = Grid {
            piece,
            dialect: &dialect,
            columns,
            most: out.most,
        };
        Rows(grid).take(at, &mut self.lost, out);
        Ok(())
    }
}

impl Rows<'_> {
    fn take(&self, at: &mut usize, lost: &mut Option<Lost>, out: &mut Out<'_>) {
        let mut cells = Vec::new();
        loop {
            if let Some(more) = lost {
                if !more.take(&self.0, at, out) {
                    return;
                }
                *lost = None;
            }
            // Joined files may have several, and a piece may end behind any of them.
            while self.0.piece.whole[*at..].starts_with(MARK) {
                *at += MARK.len();
            }
            let rest = &self.0.piece.whole[*at..];
            if rest.is_empty() || out.is_full() {
                return;
            }
            // A record and its line end; of one that is longer it does not matter how much.
            let window = &rest[..rest.len().min(out.most + 2)];
            let is_all = self.0.piece.is_end && window.len() == rest.len();
            match row::read(window, self.0.dialect, is_all, &mut cells) {
                Some(row) => self.row(at, row, &cells, out),
                None if rest.len() > out.most + 1 => *lost = self.over(at, out),
                None => return,
            }
        }
    }

    fn row(&self, at: &mut usize, row: Row, cells: &[Cell], out: &mut Out<'_>) {
        let text = self.0.piece.whole.slice(*at..*at + row.length);
        let lines = lines(&self.0.piece.whole[*at..*at + row.whole], self.0.dialect);
        if row.is_faulty && lines > 1 && self.again(at, row.whole, out) {
            return;
        }
        *at += row.whole;
        let place = Place::of(out.seen.lines + 1);
        out.seen.lines += lines;
        if text.is_empty() || (self.0.columns.all.len() > 1 && text.trim_ascii().is_empty()) {
            out.seen.blank += 1;
            return;
        }
        match self.read(&text, cells, row.is_faulty) {
            Ok((object, warnings)) => out.push(place, text, Ok(object), warnings),
            Err(rejection) => out.refuse(place, text, rejection),
        }
    }

    fn read(
        &self,
        bytes: &Bytes,
        cells: &[Cell],
        is_faulty: bool,
    ) -> Result<(Bytes, Problem), Rejection> {
        if let Err(rejection) = text(bytes) {
            return Err(cells::with_column(rejection, bytes, cells, &self.0));
        }
        if is_faulty {
            return Err(unbalanced());
        }
        cells::object(bytes, cells, &self.0)
    }

    /// A quote that is not closed swallows what follows. Where a later line of a record is one by itself, the record ends before it.
    fn again(&self, at: &mut usize, length: usize, out: &mut Out<'_>) -> bool {
        let record = &self.0.piece.whole[*at..*at + length];
        let Some(end) = self.next_good(record) else {
            return false;
        };
        let text = self
            .0
            .piece
            .whole
            .slice(*at..*at + without_end(&record[..end]));
        let place = Place::of(out.seen.lines + 1);
        out.seen.lines += lines(&record[..end], self.0.dialect);
        out.refuse_cut(place, &text, text.len() as u64, unbalanced());
        *at += end;
        true
    }

    /// A record that is longer than the limit: its lines are lost, up to one that is a record by itself.
    fn over(&self, at: &mut usize, out: &mut Out<'_>) -> Option<Lost> {
        let rest = &self.0.piece.whole[*at..];
        let window = &rest[..rest.len().min(out.most + 2)];
        let first = line(window, self.0.dialect, false);
        if first.is_some() && self.again(at, window.len(), out) {
            return None;
        }
        let lost = Lost::of(&window[..first.unwrap_or(window.len())], first.is_some());
        *at += first.unwrap_or(window.len());
        Some(lost)
    }

    /// Where the first line behind the first one begins that is a record by itself.
    fn next_good(&self, record: &[u8]) -> Option<usize> {
        let mut at = line(record, self.0.dialect, true)?;
        while at < record.len() {
            let end = at + line(&record[at..], self.0.dialect, true)?;
            if self.0.is_good(&record[at..end]) {
                return Some(at);
            }
            at = end;
        }
        None
    }
}

fn dialect(layout: &Layout) -> Dialect {
    let csv = &layout.csv;
    let quote = csv.quote.unwrap_or('"');
    Dialect {
        delimiter: csv.delimiter.unwrap_or(',') as u8,
        quote: (quote != '\0').then_some(quote as u8),
        escape: csv
            .escape
            .map(|own| own as u8)
            .filter(|own| *own != quote as u8),
        returns: false,
        trim: csv.trim,
    }
}

/// `sep=;` as the first line, which Excel writes and reads.
fn announced(window: &[u8], returns: bool) -> Option<(u8, usize)> {
    let end = row::end_of_line(window, returns, true)?;
    let first = &window[..without_end(&window[..end])];
    let first = first.strip_prefix(b"\"").unwrap_or(first);
    let (word, rest) = first.split_at_checked(4)?;
    if !word.eq_ignore_ascii_case(b"sep=") {
        return None;
    }
    match rest.strip_suffix(b"\"").unwrap_or(rest) {
        [delimiter] if delimiter.is_ascii() => Some((*delimiter, end)),
        _ => None,
    }
}

/// Reads the header; `None` where it is still to come.
fn header(
    piece: Piece<'_>,
    at: &mut usize,
    dialect: &Dialect,
    out: &mut Out<'_>,
) -> Result<Option<Columns>, Unusable> {
    let layout = piece.layout;
    let most = out.columns;
    let used = layout.used.as_deref();
    let columns = if let Some(names) = &layout.csv.columns {
        Columns::of(names, &layout.csv, used, most)?
    } else {
        let Some(names) = names(piece, at, dialect, out)? else {
            return Ok(None);
        };
        Columns::of(&names, &layout.csv, used, most)?
    };
    let missing = columns.missing(used.unwrap_or_default());
    if !missing.is_empty() {
        let message = match missing.as_slice() {
            [name] => format!("the mapping reads {name:?}, which is no column of the file"),
            names => format!("the mapping reads {names:?}, which are no columns of the file"),
        };
        out.seen.warn("missing_column", message);
    }
    let not_there = columns.not_there(&layout.csv);
    if !not_there.is_empty() {
        let message = format!(
            "empty.{} is said of no column of the file",
            not_there.join(", empty.")
        );
        out.seen.warn("empty_column", message);
    }
    if columns.all.iter().any(|column| column.name.is_empty()) {
        let message =
            "columns without a name are left out; a record with a value in one is refused";
        out.seen.warn("nameless_column", message);
    }
    out.seen.columns = Some(columns.names());
    Ok(Some(columns))
}

fn names(
    piece: Piece<'_>,
    at: &mut usize,
    dialect: &Dialect,
    out: &mut Out<'_>,
) -> Result<Option<Vec<String>>, Unusable> {
    let Piece { whole, is_end, .. } = piece;
    let mut cells = Vec::new();
    loop {
        while whole[*at..].starts_with(MARK) {
            *at += MARK.len();
        }
        let rest = &whole[*at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let window = &rest[..rest.len().min(out.window)];
        let Some(row) = row::read(
            window,
            dialect,
            is_end && window.len() == rest.len(),
            &mut cells,
        ) else {
            return if rest.len() >= out.window {
                Err(endless(out.window))
            } else {
                Ok(None)
            };
        };
        let line = &rest[..row.length];
        let lines = lines(&rest[..row.whole], dialect);
        out.seen.lines += lines;
        *at += row.whole;
        if line.trim_ascii().is_empty() {
            out.seen.blank += 1;
            continue;
        }
        out.seen.skipped += lines;
        if row.is_faulty {
            return Err(Unusable::of(
                "header",
                "a quote in the header is not closed, or text follows the closing one",
            ));
        }
        let shown = std::str::from_utf8(line).map_err(|_| foreign())?;
        out.seen.header = Some(shown.to_owned());
        let name = |cell: &Cell| String::from_utf8_lossy(&cell.text(line, dialect)).into_owned();
        let names = cells
            .iter()
            .map(|cell| cells::trimmed(&name(cell)).to_owned());
        return Ok(Some(names.collect()));
    }
}

fn endless(window: usize) -> Unusable {
    let message = format!("the header has no end within its first {window} bytes");
    Unusable::of("header", message)
}

fn foreign() -> Unusable {
    let message = "the header is no UTF-8: if the file is in an older encoding, say which, like encoding=windows-1252";
    Unusable::of("encoding", message)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
