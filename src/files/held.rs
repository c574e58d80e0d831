//! What is held of a file between two pieces of it, and what comes out.

use super::record::{FileRecord, Place, Seen};
use crate::domain::{Code, Rejection, Warning};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Bytes of a record over the limit that are kept, to be listed.
pub const KEPT_OF_LONG: usize = 4_096;

/// The open tail: decoded bytes of which no whole record could be made yet.
#[derive(Clone, Debug, Default)]
pub struct Held {
    pub bytes: Vec<u8>,
    /// So many of them were looked at, and have no end of a record.
    pub scanned: usize,
}

impl Held {
    /// Takes the first bytes out.
    pub fn take(&mut self, count: usize) -> Bytes {
        let rest = self.bytes.split_off(count);
        self.scanned = self.scanned.saturating_sub(count);
        std::mem::replace(&mut self.bytes, rest).into()
    }

    /// Puts bytes back before the others, to be looked at again.
    pub fn put_back(&mut self, first: &[u8]) {
        self.bytes.splice(..0, first.iter().copied());
        self.scanned = 0;
    }
}

/// A record over the limit, of which only the beginning is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Long {
    pub beginning: Vec<u8>,
    pub bytes: u64,
    last: u8,
}

impl Long {
    /// Takes more of it.
    pub fn take(&mut self, bytes: &[u8]) {
        let room = KEPT_OF_LONG.saturating_sub(self.beginning.len());
        self.beginning
            .extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.bytes += bytes.len() as u64;
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// Its beginning and its length as a line: without the first half of a line end.
    pub fn into_line(mut self) -> (Bytes, u64) {
        let has_return = self.last == b'\r';
        if has_return && self.beginning.len() as u64 == self.bytes {
            self.beginning.pop();
        }
        (self.beginning.into(), self.bytes - u64::from(has_return))
    }
}

/// Where records go to.
pub struct Out<'a> {
    pub records: &'a mut Vec<FileRecord>,
    /// When there are so many, the others stay where they are.
    pub enough: usize,
    /// Bytes that objects may still be made of in this turn: a row's object repeats the names of its table.
    pub room: usize,
    /// Records that are whole stayed.
    pub leaves_some: bool,
    pub seen: &'a mut Seen,
    /// The limit of a record.
    pub most: usize,
    /// The limit of columns.
    pub columns: usize,
    /// Bytes from the beginning of a table that tell what stands between its cells.
    pub window: usize,
    /// Nobody sends more: what the file is has to be told by what came.
    pub is_left: bool,
}

impl Out<'_> {
    /// Tells, and notes, that what follows has to stay.
    pub fn is_full(&mut self) -> bool {
        self.leaves_some = self.records.len() >= self.enough || self.room == 0;
        self.leaves_some
    }

    /// A record that could be read, or not.
    pub fn push(
        &mut self,
        place: Place,
        text: Bytes,
        read: Result<Bytes, Rejection>,
        warnings: Vec<Warning>,
    ) {
        self.seen.records += 1;
        let made = read.as_ref().map_or(0, Bytes::len);
        self.room = self.room.saturating_sub(made);
        self.records.push(FileRecord {
            number: self.seen.records,
            place,
            bytes: text.len() as u64,
            text,
            read,
            warnings,
        });
    }

    /// A record that can't be read.
    pub fn refuse(&mut self, place: Place, text: Bytes, rejection: Rejection) {
        self.push(place, text, Err(rejection), Vec::new());
    }

    /// The same of one of which only the beginning is listed; `bytes` are those of all of it.
    pub fn refuse_cut(&mut self, place: Place, text: &Bytes, bytes: u64, rejection: Rejection) {
        self.refuse(place, cut(text), rejection);
        if let Some(record) = self.records.last_mut() {
            record.bytes = bytes;
        }
    }

    /// A record over the limit, of which there is only the beginning.
    pub fn refuse_long(&mut self, place: Place, beginning: Bytes, bytes: u64) {
        let message = format!(
            "the record has {bytes} bytes, over the limit of {}",
            self.most
        );
        let rejection = refused(Code::RecordTooLarge, message);
        self.refuse_cut(place, &beginning, bytes, rejection);
    }
}

/// A rejection that is about no single field.
pub fn refused(code: Code, message: impl Into<String>) -> Rejection {
    Rejection {
        code,
        field: None,
        message: message.into(),
        names: Vec::new(),
    }
}

/// The beginning of a long record, which may have been cut before.
fn cut(bytes: &Bytes) -> Bytes {
    whole_characters(&bytes.slice(..bytes.len().min(KEPT_OF_LONG)))
}

/// So many bytes of a record at most, all of it where it has no more.
pub fn beginning(bytes: &Bytes, most: usize) -> Bytes {
    if bytes.len() <= most {
        return bytes.clone();
    }
    whole_characters(&bytes.slice(..most))
}

/// Without the part of a character at its end, where it is text.
fn whole_characters(beginning: &Bytes) -> Bytes {
    match std::str::from_utf8(beginning) {
        Err(error) if error.error_len().is_none() => beginning.slice(..error.valid_up_to()),
        _ => beginning.clone(),
    }
}

/// Holds text to be UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, Rejection> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let column = String::from_utf8_lossy(good).chars().count() + 1;
        let message = format!(
            "the byte {:#04x} at character {column} is no UTF-8: if the file is in an older encoding, say which, like encoding=windows-1252",
            bad.first().copied().unwrap_or_default()
        );
        refused(Code::BadUtf8, message)
    })
}
