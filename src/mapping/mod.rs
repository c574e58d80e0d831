//! What a record from Kafka, or a line of a file, says: read by a mapping into a `Command`.
//!
//! Pure: no I/O, no clock. The same record gives the same command on every replay. `docs/MAPPING.md` has the file's keys.

mod beneath;
mod calls;
mod cell;
mod columns;
mod debezium;
mod document;
mod envelope;
mod event;
mod extended;
mod file;
mod file_event;
mod file_types;
mod from_file;
mod kind;
mod messages;
mod moment;
mod named;
mod names;
mod number;
mod opened;
mod own;
mod own_write;
mod place;
mod refused;
mod reverse;
mod section;
mod shape;
mod survey;
mod survey_counts;
mod survey_fields;
mod survey_places;
mod text;
mod used;

pub use calls::{Calls, ReadCall};
pub use cell::{is_damaged, trimmed};
pub use columns::kind_of;
pub use from_file::FromFile;
pub use own_write::{deletion, upsert};
pub use reverse::{Person, Reverse};
pub use survey::{Estimate, Survey};

use crate::domain::{Class, Code, Command, Draft, Gate, Rejection, Timestamp, Warning};
use bytes::Bytes;
use document::Document;
use envelope::Envelope;
use place::Place;

/// One record, as Kafka or a file has it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a Bytes>,
    pub headers: &'a [(String, Vec<u8>)],
    /// Kafka's timestamp of it.
    pub at: Option<Timestamp>,
    /// Where it stands, of a record of a file.
    pub from: Option<FromFile<'a>>,
}

impl<'a> Record<'a> {
    /// A record of a file: it has no more than its value and its place.
    pub const fn of_file(value: Option<&'a Bytes>, from: FromFile<'a>) -> Self {
        Self {
            key: None,
            value,
            headers: &[],
            at: None,
            from: Some(from),
        }
    }
}

/// What a record comes to.
#[derive(Debug)]
pub enum Reading {
    /// Something to do.
    Command {
        command: Box<Command>,
        warnings: Vec<Warning>,
    },
    /// Nothing that is about anybody: counted, never a rejection.
    Control(Control),
    /// The source was emptied. Nobody is erased by that alone: a person decides.
    Truncated,
}

/// Why a record is about nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Control {
    Heartbeat,
    /// The mark of a transaction's beginning or end.
    Transaction,
    /// Nothing stands in it, and the mapping does not say that this deletes.
    Tombstone,
    SchemaChange,
    /// A message that an application wrote into the source's log.
    Message,
}

impl Control {
    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Transaction => "transaction",
            Self::Tombstone => "tombstone",
            Self::SchemaChange => "schema_change",
            Self::Message => "message",
        }
    }
}

/// How records of one source are read.
#[derive(Clone, Debug)]
pub struct Mapping {
    form: Form,
    project: Option<Tenant>,
}

#[derive(Clone, Debug)]
enum Form {
    Own,
    /// Messages of the tracking API.
    Calls,
    /// Either of them, told record by record.
    Messages,
    /// Objects whose members are called as what they are.
    Columns,
    Document(Box<Document>),
}

/// Whose a record is, where one topic has many projects.
#[derive(Clone, Debug)]
enum Tenant {
    At(Place),
    /// The key up to this text.
    KeyPrefix(String),
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        file::parse(text)
    }

    /// Roster's own format, which needs no file.
    pub fn roster() -> Self {
        let form = Form::Own;
        Self {
            form,
            project: None,
        }
    }

    /// Messages of the tracking API and records of Roster's own format, told record by record: what files of objects have where
    /// nothing is said.
    pub fn of_messages() -> Self {
        let (form, project) = (Form::Messages, None);
        Self { form, project }
    }

    /// Rows whose columns are called as the kind of identity that they hold; all others are traits. What tables have where nothing
    /// is said.
    pub fn of_columns() -> Self {
        let (form, project) = (Form::Columns, None);
        Self { form, project }
    }

    /// True where columns are what they are called as.
    pub fn is_by_columns(&self) -> bool {
        matches!(self.form, Form::Columns)
    }

    /// True where what it makes of a record may be many times as large.
    pub fn may_multiply(&self) -> bool {
        matches!(&self.form, Form::Document(document) if document.may_multiply())
    }

    /// The columns of a table that it reads, by its own names for them, and `*` for all others; `None` where it reads all.
    pub fn columns(&self) -> Option<Vec<String>> {
        match &self.form {
            Form::Document(document) => Some(document.columns()),
            _ => None,
        }
    }

    /// The name of the project whose record this is; `None` where the mapping does not tell, or the record does not.
    pub fn project(&self, record: &Record<'_>) -> Option<String> {
        let name = match self.project.as_ref()? {
            Tenant::KeyPrefix(separator) => {
                let key = std::str::from_utf8(record.key?).ok()?;
                key.split_once(separator.as_str())?.0.to_owned()
            }
            Tenant::At(Place::Header(name)) => place::header(record.headers, name)?,
            Tenant::At(place) => document::text_at(self.envelope(), place, record)?,
        };
        (!name.trim().is_empty()).then(|| name.trim().to_owned())
    }

    /// The version of the document that a record is, where it says one.
    pub fn version(&self, record: &Record<'_>) -> Option<i64> {
        self.envelope().version(record)
    }

    fn envelope(&self) -> Envelope {
        match &self.form {
            Form::Own | Form::Calls | Form::Messages | Form::Columns => Envelope::Bare,
            Form::Document(document) => document.envelope,
        }
    }

    /// Reads a record. `start` is the time of what has none: the beginning of the project's migration. `calls` reads messages of
    /// the tracking API, where the mapping says that records are such.
    ///
    /// # Errors
    /// Why it can't be taken, with all whom it names.
    pub fn read(
        &self,
        record: &Record<'_>,
        gate: &Gate<'_>,
        start: Timestamp,
        calls: &ReadCall,
    ) -> Result<Reading, Rejection> {
        let read = match &self.form {
            Form::Calls => calls::read(record, gate, start, calls),
            Form::Own => own::read(record, gate, start),
            Form::Messages => messages::read(record, gate, start, calls),
            Form::Columns => columns::read(record, gate, start),
            Form::Document(document) => document.read(record, gate, start),
        };
        read.map_err(|rejection| {
            refused::about(rejection, refused::names(&self.form, record, gate))
        })
    }
}

/// A legacy record without a time may be older than any erasure. A file is as of when somebody imports it.
fn earliest(gate: &Gate<'_>, at: Option<Timestamp>) -> Option<Timestamp> {
    let is_untold = at.is_none() && gate.class == Class::Backfill;
    is_untold.then_some(Timestamp::MIN)
}

const NAMES_NOBODY: &str = "the record names nobody: each of its identities is missing, empty, or a text that stands for nobody";

/// The command of a record that a mapping has read; who is named nowhere is told in words that fit a record.
fn judged(gate: &Gate<'_>, draft: Draft) -> Result<Command, Rejection> {
    gate.command(draft).map_err(|mut rejection| {
        if rejection.code == Code::MissingIdentity {
            rejection.message = NAMES_NOBODY.to_owned();
        }
        rejection
    })
}

/// The warnings of the reading are the mapping's and the gate's.
fn done(command: Command, mut warnings: Vec<Warning>) -> Reading {
    warnings.extend_from_slice(command.warnings());
    let command = Box::new(command);
    Reading::Command { command, warnings }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod document_tests;
#[cfg(test)]
#[path = "file_row_tests.rs"]
mod file_row_tests;
#[cfg(test)]
#[path = "from_file_tests.rs"]
mod from_file_tests;
#[cfg(test)]
#[path = "law_tests.rs"]
mod law_tests;
#[cfg(test)]
#[path = "own_tests.rs"]
mod own_tests;
#[cfg(test)]
#[path = "reader_law_tests.rs"]
mod reader_law_tests;
#[cfg(test)]
#[path = "row_tests.rs"]
mod row_tests;
