//! One record of a file, and what was seen of the whole.

use super::encoding::Encoding;
use super::layout::Format;
use crate::domain::{Rejection, Warning};
use crate::mapping::FromFile;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a record stands: the line on which it begins, counted from 1, and which of several on that line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub line: u64,
    pub part: Option<u32>,
}

impl Place {
    /// The only one of its line.
    pub const fn of(line: u64) -> Self {
        Self { line, part: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Some(part) => write!(f, "{}.{part}", self.line),
            None => write!(f, "{}", self.line),
        }
    }
}

/// A record.
#[derive(Clone, Debug)]
pub struct FileRecord {
    /// The how manieth of the file it is, from 1, those that can't be read too.
    pub number: u64,
    pub place: Place,
    /// As it stands in the file, decoded; of one that is over the limit only the beginning.
    pub text: Bytes,
    /// Bytes of all of it: more than there are in `text` where that is only the beginning.
    pub bytes: u64,
    /// One JSON object.
    pub read: Result<Bytes, Rejection>,
    pub warnings: Vec<Warning>,
}

impl FileRecord {
    /// Lets go of the piece of the file that it is a part of: for a few records of it that would be held many times.
    pub fn stand_alone(&mut self) {
        self.text = Bytes::copy_from_slice(&self.text);
        if let Ok(object) = &mut self.read {
            *object = Bytes::copy_from_slice(object);
        }
    }

    /// Where it stands, for the mapping. `name` is the file's, as it was said at its creation.
    pub fn source<'a>(&self, name: &'a str, format: Format) -> FromFile<'a> {
        let (number, Place { line, part }) = (self.number, self.place);
        let is_row = format == Format::Csv;
        FromFile {
            name,
            number,
            line,
            part,
            is_row,
        }
    }
}

/// What was seen of a file so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Lines, by the line ends that end records; the last one counts without its end too.
    pub lines: u64,
    /// Those with nothing in them, which are no records.
    pub blank: u64,
    /// What is no record either: a header, lines that were to be skipped, `sep=;`.
    pub skipped: u64,
    pub records: u64,
    pub encoding: Option<Encoding>,
    pub delimiter: Option<char>,
    /// The line of the header, as it stands in the file.
    pub header: Option<String>,
    /// The names of the columns, once they are known.
    pub columns: Option<Vec<String>>,
    /// About the whole file: a code and a sentence.
    pub warnings: Vec<(String, String)>,
}

impl Seen {
    pub(super) fn warn(&mut self, code: &str, message: impl Into<String>) {
        if !self.warnings.iter().any(|(own, _)| own == code) {
            self.warnings.push((code.to_owned(), message.into()));
        }
    }
}
