//! A table whose signs and columns are known, over some bytes of it.

use super::columns::Columns;
use super::held::refused;
use super::layout::Layout;
use super::row::{self, Cell, Dialect};
use crate::domain::{Code, Rejection};
use bytes::Bytes;

/// Some bytes of a file, and what is said of it.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    pub whole: &'a Bytes,
    pub is_end: bool,
    pub layout: &'a Layout,
}

pub struct Grid<'a> {
    pub piece: Piece<'a>,
    pub dialect: &'a Dialect,
    pub columns: &'a Columns,
    /// The limit of a record, and of the object that is made of it.
    pub most: usize,
}

impl Grid<'_> {
    /// True where there are as many cells as columns, but for empty ones at the end.
    pub fn is_count(&self, cells: &[Cell], text: &[u8]) -> bool {
        let is_short = cells.len() < self.columns.least && !self.piece.layout.csv.short_rows;
        let more = cells.get(self.columns.all.len()..).unwrap_or_default();
        let is_empty = |cell: &Cell| cell.text(text, self.dialect).trim_ascii().is_empty();
        !is_short && more.iter().all(is_empty)
    }

    /// True of a line that is a whole record of the right count.
    pub fn is_good(&self, line: &[u8]) -> bool {
        let mut cells = Vec::new();
        let row = row::read(line, self.dialect, true, &mut cells);
        let is_whole =
            row.is_some_and(|row| !row.is_faulty && row.whole == line.len() && row.length > 0);
        // What a row lacks are empty cells at its end: a line that lacks more is a part of a text.
        let is_full = cells.len() + 1 >= self.columns.least;
        is_whole && is_full && self.is_count(&cells, line)
    }
}

/// Lines of a text, the last one also without its end.
pub fn lines(text: &[u8], dialect: &Dialect) -> u64 {
    let (mut count, mut rest) = (0, text);
    while let Some(length) = line(rest, dialect, true) {
        rest = &rest[length..];
        count += 1;
    }
    count
}

/// The first line with its end; `None` where that may be still to come.
pub fn line(text: &[u8], dialect: &Dialect, is_end: bool) -> Option<usize> {
    let end = row::end_of_line(text, dialect.returns, is_end);
    end.or_else(|| (is_end && !text.is_empty()).then_some(text.len()))
}

/// Bytes of a line before its end.
pub fn without_end(text: &[u8]) -> usize {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text).len()
}

/// Why a record with a fault in its quotes is refused.
pub fn unbalanced() -> Rejection {
    let message = "a quote of the record is not closed, or text follows the closing one";
    refused(Code::UnbalancedQuote, message)
}
