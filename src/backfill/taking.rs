//! From records to receipts: reads a batch of records by the mapping, hands the commands to the one way to write, and tells what
//! became of each.

use super::arrival::Arrived;
use super::projects::{Project, Projects};
use super::source::Source;
use crate::domain::versions::Versions;
use crate::domain::{
    Class, Code, Command, Gate, Item, KeyKind, Kinds, ProjectId, Receipt, Rejection, Timestamp,
    Warning,
};
use crate::ingest::{Ingest, Origin, SubmitError};
use crate::mapping::{Reading, Record};
use crate::metric_names::BACKFILL_WARNINGS;
use crate::store::{Refusal, Store};
use metrics::counter;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(5);
/// Records from this size on are read where nothing else waits for the thread.
const LARGE: usize = 128 << 10;
/// Bytes of a refused record, and of its key, that are listed.
const LISTED_BYTES: usize = 4_096;

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Stored,
    Unchanged,
    /// It says nothing about anybody.
    Control,
    Rejected(Rejection),
    /// Its source says that it was emptied: refused, and somebody has to look.
    Truncated(Rejection),
}

impl Outcome {
    /// The name in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Unchanged => "unchanged",
            Self::Control => "control",
            Self::Rejected(_) | Self::Truncated(_) => "rejected",
        }
    }

    /// Why it was refused, where it was.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Rejected(rejection) | Self::Truncated(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// Why it was refused, where somebody can do something about it. That a person was erased is as it should be: it says nothing
    /// about the source, and nothing of the record is kept.
    pub fn complaint(&self) -> Option<&Rejection> {
        let is_erased =
            |rejection: &&Rejection| matches!(rejection.code, Code::Erased | Code::Forgotten);
        self.rejection().filter(|rejection| !is_erased(rejection))
    }
}

/// A record that is done.
pub(super) struct Taken {
    pub arrived: Arrived,
    /// 0 where nobody knows whose it is.
    pub project_id: ProjectId,
    pub outcome: Outcome,
}

impl Taken {
    /// How it is listed, where it was refused. Of people who were erased nothing is kept.
    pub fn refusal(&self, source: &Source) -> Option<Refusal> {
        let rejection = self.outcome.rejection()?;
        let arrived = &self.arrived;
        let is_kept = self.outcome.complaint().is_some();
        let cut = |bytes: &[u8]| bytes[..bytes.len().min(LISTED_BYTES)].to_vec();
        let partition = (source.topic.clone(), arrived.partition);
        let listed = Refusal {
            project_id: self.project_id,
            at: arrived.timestamp(),
            key: arrived.key.as_deref().filter(|_| is_kept).map(cut),
            record: arrived.value.as_deref().filter(|_| is_kept).map(cut),
            record_bytes: arrived.value.as_ref().map_or(0, |value| value.len() as i64),
            ..Refusal::at(source.name.clone(), partition, arrived.offset)
        };
        Some(listed.because(rejection))
    }
}

/// What all batches of a source share.
pub(super) struct Taker {
    pub source: Arc<Source>,
    pub ingest: Ingest,
    pub store: Store,
    pub projects: Projects,
    /// The time of records that have none.
    pub start: Timestamp,
}

impl Taker {
    /// Takes a batch; where the database is away it goes on trying, and ends only with the records done.
    pub async fn take(self: Arc<Self>, records: Vec<Arrived>) -> Vec<Taken> {
        let mut taken = Vec::with_capacity(records.len());
        let mut commands = HashMap::<ProjectId, (Vec<Item>, Vec<usize>)>::new();
        for (place, arrived) in records.into_iter().enumerate() {
            let (project_id, read) = self.read(&arrived).await;
            let outcome = match read {
                Ok(Reading::Command { command, warnings }) => {
                    self.count(&warnings);
                    let (items, places) = commands.entry(project_id).or_default();
                    items.push(Item::Command(*command));
                    places.push(place);
                    Outcome::Unchanged
                }
                Ok(Reading::Control(_)) => Outcome::Control,
                Ok(Reading::Truncated) => Outcome::Truncated(truncated()),
                Err(rejection) => Outcome::Rejected(rejection),
            };
            taken.push(Taken {
                arrived,
                project_id,
                outcome,
            });
        }
        let submitted = commands.into_iter().map(|(project_id, (items, places))| {
            let own = &self;
            async move { (own.submit(project_id, &items).await, items, places) }
        });
        for (receipts, items, places) in futures_util::future::join_all(submitted).await {
            for ((receipt, item), place) in receipts.into_iter().zip(items).zip(places) {
                taken[place].outcome = outcome(receipt, &item);
            }
        }
        taken
    }

    fn count(&self, warnings: &[Warning]) {
        for warning in warnings {
            let source = self.source.name.clone();
            counter!(BACKFILL_WARNINGS, "source" => source, "code" => warning.code).increment(1);
        }
    }

    async fn read(&self, arrived: &Arrived) -> (ProjectId, Result<Reading, Rejection>) {
        let nobody = ProjectId(0);
        let record = arrived.as_record();
        let most = self.source.settings.max_record_bytes;
        let bytes = arrived.bytes();
        let Some(name) = self.source.project_of(&record) else {
            return (nobody, Err(of_nobody(None)));
        };
        let Some(project) = self.project(&name).await else {
            return (nobody, Err(of_nobody(Some(&name))));
        };
        if bytes > most {
            return (project.id, Err(too_large(bytes, most)));
        }
        let record = aged(&self.source, record, project.published);
        let whose = (project.id, &*project.kinds);
        let read = || read_as(&self.source, &record, whose, self.start);
        let read = if bytes >= LARGE {
            tokio::task::block_in_place(read)
        } else {
            read()
        };
        (project.id, read)
    }

    /// The project of that name, however long the database takes to say.
    async fn project(&self, name: &str) -> Option<Project> {
        let mut pause = Duration::from_millis(100);
        loop {
            match self.projects.find(&self.store, name).await {
                Ok(project) => return project,
                Err(error) => {
                    tracing::warn!(reason = %error.full_text(), "a backfill waits for the database");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    async fn submit(&self, project_id: ProjectId, items: &[Item]) -> Vec<Receipt> {
        let origin = Origin {
            project_id,
            class: Class::Backfill,
        };
        let mut pause = Duration::from_millis(100);
        loop {
            match self.ingest.submit(origin, items.to_vec(), None).await {
                Ok(receipts) => return receipts,
                // Whoever stops this service drops this future.
                Err(SubmitError::Store | SubmitError::Draining) => sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST);
        }
    }
}

/// A document that a mirror wrote carries the time of its newest trait for all of them. What Roster wrote it knows: the record is from before all
/// times, and brings what Roster lacks and nothing newer.
fn aged<'r>(source: &Source, record: Record<'r>, published: Versions) -> Record<'r> {
    let is_own = published.has_begun()
        && source
            .mapping
            .version(&record)
            .is_some_and(|version| published.may_have(version));
    let before_all = Timestamp::from_micros(0);
    Record {
        at: if is_own { before_all } else { record.at },
        ..record
    }
}

/// What a record says, by its source's mapping.
pub(super) fn read_as(
    source: &Source,
    record: &Record<'_>,
    (project_id, kinds): (ProjectId, &Kinds),
    start: Timestamp,
) -> Result<Reading, Rejection> {
    let gate = Gate {
        project_id,
        class: Class::Backfill,
        by: KeyKind::Server,
        kinds,
        limits: &source.limits,
        // Nothing is later than Kafka's own time, which is the same each time the record is delivered.
        received_at: record.at.unwrap_or(start),
        is_measured: false,
    };
    source.mapping.read(record, &gate, start, &*source.calls)
}

fn outcome(receipt: Receipt, item: &Item) -> Outcome {
    match receipt {
        Receipt::Stored | Receipt::StoredWithout(_) => Outcome::Stored,
        Receipt::Unchanged | Receipt::Duplicate | Receipt::Taken(_) => Outcome::Unchanged,
        Receipt::Rejected(rejection) => {
            let names = item.command().into_iter().flat_map(Command::names).cloned();
            Outcome::Rejected(rejection.about(names))
        }
    }
}

fn truncated() -> Rejection {
    Rejection {
        names: Vec::new(),
        code: Code::SourceTruncated,
        field: None,
        message: "the source says that the whole table was emptied: that erases nobody by itself"
            .to_owned(),
    }
}

fn of_nobody(name: Option<&str>) -> Rejection {
    let message = match name {
        Some(_) => "there is no project of the name that the record says",
        None => "the record does not say whose it is",
    };
    Rejection {
        names: Vec::new(),
        code: Code::UnknownProject,
        field: None,
        message: message.to_owned(),
    }
}

/// Why a record of so many bytes is refused.
pub fn too_large(bytes: usize, most: usize) -> Rejection {
    Rejection {
        names: Vec::new(),
        code: Code::RecordTooLarge,
        field: None,
        message: format!("the record has {bytes} bytes, over the limit of {most}"),
    }
}
