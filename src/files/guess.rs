//! What stands between the cells, and what ends lines, where nobody has said it: told by the first records, or not at all.

use super::layout::CsvLayout;
use super::row::{self, Cell, Dialect};
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
    let fits = |delimiter: &u8| {
        let dialect = Dialect {
            delimiter: *delimiter,
            ..*dialect
        };
        let counts = counts(window, is_all, &dialect);
        let expected = known.or_else(|| counts.first().copied()).unwrap_or(1);
        let rows = &counts[usize::from(known.is_none()).min(counts.len())..];
        let alike = rows.iter().filter(|count| **count == expected).count();
        // A bad record now and then tells nothing about the others; of few records each is a larger part.
        let is_most = if rows.len() < FEW {
            alike * 2 > rows.len()
        } else {
            alike * 10 >= rows.len() * 9
        };
        (is_most || rows.is_empty()).then_some((*delimiter, expected))
    };
    let fitting: Vec<(u8, usize)> = CANDIDATES.iter().filter_map(fits).collect();
    let tables: Vec<u8> = fitting
        .iter()
        .filter(|(_, count)| *count > 1)
        .map(|(own, _)| *own)
        .collect();
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

/// The cells of the first records, without empty ones at their ends, which some programs add.
fn counts(window: &[u8], is_all: bool, dialect: &Dialect) -> Vec<usize> {
    let (mut counts, mut cells, mut at) = (Vec::new(), Vec::new(), 0);
    while counts.len() <= RECORDS && at < window.len() {
        let Some(row) = row::read(&window[at..], dialect, is_all, &mut cells) else {
            break;
        };
        let own = |cell: &Cell| {
            cell.text(&window[at..], dialect)
                .iter()
                .all(u8::is_ascii_whitespace)
        };
        let empty = cells.iter().rev().take_while(|cell| own(cell)).count();
        if row.length > 0 {
            let header = counts.first().copied().unwrap_or(0);
            let count = cells.len() - empty;
            // Of a record whose last cells are empty it is known only that it has no more.
            counts.push(if cells.len() >= header {
                count.max(header.min(cells.len()))
            } else {
                cells.len()
            });
        }
        at += row.whole;
    }
    counts
}
