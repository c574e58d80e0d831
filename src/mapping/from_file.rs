//! What a record of a file has beside its content: where in which file it stands. Times of equal records and the ids of events that
//! have none follow from it, so that a file imported twice adds nothing, and never from who imports it, or when.

use super::document::sequence_of;
use crate::domain::{Command, EventId};
use serde_json::Value;

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub struct FromFile<'a> {
    /// The file's name, as it was said at its creation.
    pub name: &'a str,
    /// The how manieth record it is.
    pub number: u64,
    pub line: u64,
    pub part: Option<u32>,
    /// It is a row of a table, whose members are columns: traits are only those that the mapping asks for.
    pub is_row: bool,
}

impl FromFile<'_> {
    /// The id of an event that has none of its own.
    pub fn event_id(&self, content: &[u8]) -> String {
        let Self {
            name, line, part, ..
        } = self;
        let part = part.unwrap_or_default();
        // Names hold no line feed that would make two of these texts one.
        let place = format!("{}\n{line}.{part}\n", name.replace('\n', " "));
        EventId::of_parts([place.as_bytes(), content]).0.to_string()
    }

    /// Of two records of one time the later in the file counts.
    pub fn sequence(&self) -> i64 {
        sequence_of(&Value::from(self.number)).unwrap_or(i64::MIN)
    }

    /// The same command as history in the order of its file: it is nothing that came live.
    pub fn filed(&self, command: Command) -> Command {
        command.in_order(self.sequence())
    }
}
