//! One record of a CSV file, told from its quotes: where it ends, and where its cells stand.
//!
//! The crate `csv` reads cells well, but takes `""` and nothing for the same, and says nothing of a quote that is not closed; so
//! records are told apart here, and the crate is what the tests compare with.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What the signs of a file mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub escape: Option<u8>,
    /// A carriage return ends a line by itself; else only a line feed does.
    pub returns: bool,
    /// Blanks before a quote are none of its cell.
    pub trim: bool,
}

/// Where a cell stands, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    start: usize,
    end: usize,
    pub is_quoted: bool,
    is_plain: bool,
}

/// A record that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its bytes, and those with the line end.
    pub length: usize,
    pub whole: usize,
    /// A quote in it is not closed, or text follows a closing one.
    pub is_faulty: bool,
}

/// Reads the first record of a text into `cells`; `None` where its end may be still to come.
pub fn read(text: &[u8], dialect: &Dialect, is_end: bool, cells: &mut Vec<Cell>) -> Option<Row> {
    cells.clear();
    let (mut at, mut is_faulty) = (0, false);
    loop {
        let start = if dialect.trim {
            at + blanks(&text[at..], dialect)
        } else {
            at
        };
        let is_quoted = dialect
            .quote
            .is_some_and(|quote| text.get(start) == Some(&quote));
        if is_quoted {
            let inner = quoted(text, start + 1, dialect);
            let Some((end, is_plain)) = inner.end else {
                let rest = Cell {
                    start: start + 1,
                    end: text.len(),
                    is_quoted,
                    is_plain: inner.is_plain,
                };
                cells.push(rest);
                let row = Row {
                    length: text.len(),
                    whole: text.len(),
                    is_faulty: true,
                };
                return is_end.then_some(row);
            };
            cells.push(Cell {
                start: start + 1,
                end,
                is_quoted,
                is_plain,
            });
            at = end + 1;
            if at == text.len() && !is_end {
                return None;
            }
            at += blanks(&text[at..], dialect);
        }
        let (end, is_plain) = unquoted(text, at, dialect);
        let line_end = line_end(text, end, dialect, is_end);
        let content = match line_end {
            LineEnd::Behind(_) if !dialect.returns && text[at..end].ends_with(b"\r") => end - 1,
            _ => end,
        };
        if is_quoted {
            is_faulty |= content > at;
        } else {
            cells.push(Cell {
                start: at,
                end: content,
                is_quoted,
                is_plain,
            });
        }
        match line_end {
            LineEnd::None => at = end + 1,
            LineEnd::Behind(bytes) => {
                let (length, whole) = (content, end + bytes);
                return Some(Row {
                    length,
                    whole,
                    is_faulty,
                });
            }
            LineEnd::ToCome => return None,
        }
    }
}

enum LineEnd {
    /// A delimiter stands there.
    None,
    /// So many bytes.
    Behind(usize),
    ToCome,
}

fn line_end(text: &[u8], at: usize, dialect: &Dialect, is_end: bool) -> LineEnd {
    match (text.get(at), text.get(at + 1)) {
        (None, _) if is_end => LineEnd::Behind(0),
        (None, _) => LineEnd::ToCome,
        (Some(b'\n'), _) => LineEnd::Behind(1),
        (Some(b'\r'), Some(b'\n')) if dialect.returns => LineEnd::Behind(2),
        (Some(b'\r'), None) if dialect.returns && !is_end => LineEnd::ToCome,
        (Some(b'\r'), _) if dialect.returns => LineEnd::Behind(1),
        _ => LineEnd::None,
    }
}

/// The first end of a line, wherever it stands, and how long it is.
pub fn end_of_line(text: &[u8], returns: bool, is_end: bool) -> Option<usize> {
    if !returns {
        return memchr::memchr(b'\n', text).map(|at| at + 1);
    }
    let at = memchr::memchr2(b'\r', b'\n', text)?;
    match (text[at], text.get(at + 1)) {
        (b'\r', Some(b'\n')) => Some(at + 2),
        (b'\r', None) if !is_end => None,
        _ => Some(at + 1),
    }
}

fn blanks(text: &[u8], dialect: &Dialect) -> usize {
    let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\t') && **byte != dialect.delimiter;
    text.iter().take_while(is_blank).count()
}

struct Inner {
    end: Option<(usize, bool)>,
    is_plain: bool,
}

/// From behind a quote to the one that closes it.
fn quoted(text: &[u8], start: usize, dialect: &Dialect) -> Inner {
    let quote = dialect.quote.unwrap_or(b'"');
    let escape = dialect.escape.unwrap_or(quote);
    let (mut at, mut is_plain) = (start, true);
    while let Some(found) = text
        .get(at..)
        .and_then(|rest| memchr::memchr2(quote, escape, rest))
    {
        at += found;
        let is_doubled = text[at] == quote && text.get(at + 1) == Some(&quote);
        if text[at] != quote || is_doubled {
            (at, is_plain) = (at + 2, false);
        } else {
            return Inner {
                end: Some((at, is_plain)),
                is_plain,
            };
        }
    }
    Inner {
        end: None,
        is_plain,
    }
}

/// To the next delimiter or line end.
fn unquoted(text: &[u8], start: usize, dialect: &Dialect) -> (usize, bool) {
    let (mut at, mut is_plain) = (start, true);
    while at < text.len() {
        let byte = text[at];
        if byte == dialect.delimiter || byte == b'\n' || (byte == b'\r' && dialect.returns) {
            break;
        }
        let is_escape = Some(byte) == dialect.escape;
        is_plain &= !is_escape;
        at += if is_escape { 2 } else { 1 };
    }
    (at.min(text.len()), is_plain)
}

impl Cell {
    /// What stands in it.
    pub fn text<'t>(&self, text: &'t [u8], dialect: &Dialect) -> Cow<'t, [u8]> {
        let inner = &text[self.start..self.end];
        if self.is_plain {
            return Cow::Borrowed(inner);
        }
        // As MySQL writes that nothing is there.
        if !self.is_quoted && inner == [dialect.escape.unwrap_or_default(), b'N'] {
            return Cow::Borrowed(&[]);
        }
        Cow::Owned(unescaped(inner, dialect))
    }

    /// It begins behind so many bytes of its record.
    pub fn start(&self) -> usize {
        self.start
    }
}

/// A letter or a digit behind an escape is none that needed one: paths of Windows stay as they are.
fn unescaped(inner: &[u8], dialect: &Dialect) -> Vec<u8> {
    let (mut text, mut at) = (Vec::with_capacity(inner.len()), 0);
    while at < inner.len() {
        let next = inner.get(at + 1);
        let is_escape = Some(inner[at]) == dialect.escape
            && next.is_some_and(|next| !next.is_ascii_alphanumeric());
        let is_doubled = Some(inner[at]) == dialect.quote && next == Some(&inner[at]);
        at += usize::from(is_escape || is_doubled);
        text.push(inner[at]);
        at += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const PLAIN: Dialect = Dialect {
        delimiter: b',',
        quote: Some(b'"'),
        escape: None,
        returns: false,
        trim: false,
    };

    fn cells(text: &str, dialect: &Dialect) -> (Vec<String>, Option<Row>) {
        let mut cells = Vec::new();
        let row = read(text.as_bytes(), dialect, true, &mut cells);
        let text_of = |cell: &Cell| {
            String::from_utf8_lossy(&cell.text(text.as_bytes(), dialect)).into_owned()
        };
        (cells.iter().map(text_of).collect(), row)
    }

    #[test]
    fn quotes_are_doubled_and_hold_line_ends() {
        let (found, row) = cells("\"a\n\"\"b\"\"\",x\r\nnext", &PLAIN);
        assert_eq!(found, ["a\n\"b\"", "x"]);
        assert_eq!(
            row,
            Some(Row {
                length: 11,
                whole: 13,
                is_faulty: false
            })
        );
        assert_eq!(cells("7,5\" pipe,x\n", &PLAIN).0, ["7", "5\" pipe", "x"]);
        assert_eq!(cells("a,", &PLAIN).0, ["a", ""]);
    }

    #[test]
    fn what_follows_a_closing_quote_is_a_fault_but_for_blanks() {
        for (text, is_faulty) in [
            ("\"x\"y,z\n", true),
            ("\"x\" ,z\n", false),
            ("\"x\"\r\n", false),
            ("a,\"open\n", true),
        ] {
            let row = cells(text, &PLAIN).1.expect("a record");
            assert_eq!(row.is_faulty, is_faulty, "{text}");
        }
    }

    #[test]
    fn row_10_an_escape_takes_the_meaning_of_a_sign() {
        let dialect = Dialect {
            escape: Some(b'\\'),
            ..PLAIN
        };
        let (found, row) = cells("\"foo \\\", bar\",b,C:\\temp,\\N,x\\,y\n", &dialect);
        assert_eq!(found, ["foo \", bar", "b", "C:\\temp", "", "x,y"]);
        assert!(!row.expect("a record").is_faulty);
    }

    #[test]
    fn blanks_before_a_quote_count_only_where_cells_are_trimmed() {
        assert_eq!(cells("a, \"x,y\"\n", &PLAIN).0, ["a", " \"x", "y\""]);
        let dialect = Dialect {
            trim: true,
            ..PLAIN
        };
        assert_eq!(cells("a, \"x,y\" ,z\n", &dialect).0, ["a", "x,y", "z"]);
    }

    #[test]
    fn row_7_a_carriage_return_may_end_a_line() {
        let dialect = Dialect {
            returns: true,
            ..PLAIN
        };
        assert_eq!(cells("a,b\r1,2", &dialect).1.map(|row| row.whole), Some(4));
        assert_eq!(
            cells("a,b\r\n1,2", &dialect).1.map(|row| row.whole),
            Some(5)
        );
        let mut cells = Vec::new();
        assert_eq!(
            read(b"a,b\r", &dialect, false, &mut cells),
            None,
            "a line feed may follow"
        );
    }

    proptest! {
        #[test]
        fn laws_well_formed_records_are_read_as_the_crate_reads_them(
            record in vec("[a-z\",;\n\r ]{0,6}", 1..6),
            delimiter in prop_oneof![Just(b','), Just(b';'), Just(b'\t')],
        ) {
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
            writer.write_record(&record).expect("written");
            let text = String::from_utf8(writer.into_inner().expect("whole")).expect("text");
            let dialect = Dialect { delimiter, ..PLAIN };
            let (found, row) = cells(&text, &dialect);
            prop_assert_eq!(&found, &record);
            let row = row.expect("a record");
            prop_assert!(!row.is_faulty && row.whole == text.len());
        }
    }
}
