//! What stands between the cells, and what ends lines, where nobody has said it: told by the first records, or not at all.

use super::layout::CsvLayout;
use super::row::Dialect;
use super::unusable::Unusable;

const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Records that are looked at.
const RECORDS: usize = 200;
const FEW: usize = 20;

/// True where lines end with a carriage return alone: the first end outside of quotes tells.
pub fn returns(window: &[u8], quote: Option<u8>) -> bool {
    let mut is_quoted = false;
    for (at, byte) in window.iter().enumerate() {
        match byte {
            _ if Some(*byte) == quote => is_quoted = !is_quoted,
            b'\n' if !is_quoted => return false,
            b'\r' if !is_quoted => return window.get(at + 1).is_some_and(|next| *next != b'\n'),
            _ => {}
        }
    }
    // A file of one line, or one that nothing can be told of.
    false
}

/// The delimiter that gives the header and nearly all of the first records the same count of cells, if no other does.
///
/// # Errors
/// `delimiter` where none does, or several do.
pub fn delimiter(
    window: &[u8],
    is_all: bool,
    dialect: &Dialect,
    layout: &CsvLayout,
) -> Result<u8, Unusable> {
    let known = layout.columns.as_ref().map(Vec::len);
    let rows = rows(window, is_all, dialect);
    let fits = |place: usize| {
        let expected = known.or_else(|| rows.first().map(|header| header[place].filled));
        let expected = expected.unwrap_or(1);
        let rows = &rows[usize::from(known.is_none()).min(rows.len())..];
        let alike = rows.iter().filter(|row| row[place].is(expected)).count();
        // A bad record now and then tells nothing about the others; of few records each is a larger part.
        let is_most = if rows.len() < FEW {
            alike * 2 >= rows.len()
        } else {
            alike * 10 >= rows.len() * 9
        };
        (is_most || rows.is_empty()).then_some((CANDIDATES[place], expected))
    };
    let fitting: Vec<(u8, usize)> = (0..CANDIDATES.len()).filter_map(fits).collect();
    let tables = fitting.iter().filter(|(_, count)| *count > 1);
    let tables: Vec<u8> = tables.map(|(own, _)| *own).collect();
    match tables[..] {
        [only] => Ok(only),
        [] if fitting.len() == CANDIDATES.len() => Ok(b','),
        _ => {
            let message = "what stands between the cells can't be told by the first records: say it, like delimiter=; or delimiter=tab; \
                           where lines stand above the header, skip them with skip_lines";
            Err(Unusable::of("delimiter", message))
        }
    }
}

/// Cells of a record, if one of the candidates stands between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    cells: usize,
    /// Without the empty ones at the end, which some programs add.
    filled: usize,
}

impl Count {
    /// Of a record whose last cells are empty it is known only that it has no more.
    fn is(self, expected: usize) -> bool {
        (self.filled..=self.cells).contains(&expected)
    }
}

/// The counts of the first records. What stands in quotes counts as text, wherever a candidate would let a cell begin.
fn rows(window: &[u8], is_all: bool, dialect: &Dialect) -> Vec<[Count; 4]> {
    let mut rows = Vec::new();
    let mut row = Row::default();
    let mut at = 0;
    while at < window.len() && rows.len() <= RECORDS {
        let byte = window[at];
        let is_quote = Some(byte) == dialect.quote;
        if is_quote && row.at_start {
            let Some(length) = quoted(&window[at + 1..], byte, dialect.escape) else {
                return rows;
            };
            row.text();
            at += length + 2;
            continue;
        }
        let ends = byte == b'\n' || (byte == b'\r' && dialect.returns);
        if ends {
            rows.extend(row.whole());
            row = Row::default();
        } else {
            row.take(byte);
        }
        at += 1;
    }
    if is_all {
        rows.extend(row.whole());
    }
    rows
}

/// Bytes up to the quote that closes.
fn quoted(text: &[u8], quote: u8, escape: Option<u8>) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let is_doubled = text[at] == quote && text.get(at + 1) == Some(&quote);
        match text[at] {
            byte if Some(byte) == escape || is_doubled => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
    None
}

struct Row {
    counts: [Count; 4],
    at_start: bool,
    is_empty: bool,
}

impl Default for Row {
    fn default() -> Self {
        let counts = [Count {
            cells: 1,
            filled: 0,
        }; 4];
        Self {
            counts,
            at_start: true,
            is_empty: true,
        }
    }
}

impl Row {
    fn take(&mut self, byte: u8) {
        let place = CANDIDATES.iter().position(|own| *own == byte);
        self.at_start = place.is_some() || (self.at_start && byte == b' ');
        self.is_empty &= byte.is_ascii_whitespace();
        for (own, count) in self.counts.iter_mut().enumerate() {
            if place == Some(own) {
                count.cells += 1;
            } else if !byte.is_ascii_whitespace() {
                count.filled = count.cells;
            }
        }
    }

    fn text(&mut self) {
        self.take(b'x');
    }

    fn whole(&self) -> Option<[Count; 4]> {
        (!self.is_empty).then_some(self.counts)
    }
}
