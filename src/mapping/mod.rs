//! How a record of somebody else's becomes a command: one file says where names, times and traits stand.
//!
//! ```text
//!  bytes → value (`bytes`) → envelope taken off (`envelope`) → draft (`document`, or `own` for Roster's own format) → gate
//! ```
//! Pure: the same record gives the same command, whenever and however often it is read. `docs/MAPPING.md` is the reference.

mod bytes;
mod convert;
mod document;
mod envelope;
mod extended;
mod own;
mod spec;

use crate::domain::{Command, Gate, Rejection, Timestamp};
use ::bytes::Bytes;
use serde_json::Value;
use spec::Spec;

/// A record as it came, from a topic or a file.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a Bytes>,
    pub headers: &'a [(String, Vec<u8>)],
    /// When its carrier took it: Kafka's timestamp.
    pub at: Option<Timestamp>,
}

impl Record<'_> {
    /// A header's value, where it is text.
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        std::str::from_utf8(&found?.1).ok()
    }
}

/// What a record says.
#[derive(Debug)]
pub enum Reading {
    Command {
        command: Command,
        /// What was left out of it, and why.
        warnings: Vec<Warning>,
    },
    /// Nothing about anybody: counted, and no rejection.
    Control(Control),
    /// Its source was emptied; that erases nobody by itself.
    Truncated,
}

/// A record that says nothing about anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// No value, where that is no deletion.
    Tombstone,
    Heartbeat,
    /// Begin or end of a transaction.
    Transaction,
}

/// Something of a record that could not be kept; the rest was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub field: String,
    pub reason: String,
}

/// How records are read.
#[derive(Clone, Debug)]
pub struct Mapping(Spec);

/// A record's parts as values, its envelope taken off.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// `Null` where there is none; of a key that is no JSON, its text.
    key: Value,
    value: Value,
    kind: Kind,
    /// The record only repeats what was there when its source began to be read: its envelope's time is not the data's.
    is_snapshot: bool,
    /// The envelope's own time, in milliseconds since 1970.
    source_millis: Option<i64>,
    /// Names that a deletion says are the person's from now on.
    renamed_to: Option<Value>,
}

/// What a record is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// A state of the data.
    #[default]
    State,
    Deletion,
    Rename,
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// Every complaint, each with the key that it is about.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        Spec::parse(text).map(Self)
    }

    /// Of Roster's own format, which needs no file.
    pub fn roster() -> Self {
        Self(Spec::default())
    }

    /// The name of the project that a record says it is of.
    pub fn project(&self, record: &Record<'_>) -> Option<String> {
        self.0.project.as_ref()?.of(record)
    }

    /// Reads a record. `start` is the time of what has none: any live traffic since is newer.
    ///
    /// # Errors
    /// Why it can't be taken, with the field.
    pub fn read(
        &self,
        record: &Record<'_>,
        gate: &Gate<'_>,
        start: Timestamp,
    ) -> Result<Reading, Rejection> {
        let spec = &self.0;
        if spec.is_own() {
            return own::read(record, gate, start);
        }
        match envelope::open(spec, record)? {
            envelope::Opened::Parts(parts) => document::read(spec, record, parts, gate, start),
            envelope::Opened::Control(control) => Ok(Reading::Control(control)),
            envelope::Opened::Truncated => Ok(Reading::Truncated),
        }
    }
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
