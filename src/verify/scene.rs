//! What both walks of a verification are made with.

use super::progress::Progress;
use super::seen::Seen;
use super::{Stop, Verify};
use crate::backfill::{Past, PastRecord};
use crate::domain::containment::Direction;
use crate::domain::{Class, Gate, KeyKind, Kinds, Limits, Rejection, Timestamp};
use crate::legacy::{Client, Failure};
use crate::mapping::{Mapping, Reading, Reverse};
use crate::store::{DueVerification, Store};
use crate::upkeep::frame::Turn;
use std::time::Duration;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

/// What a topic can't tell.
const NO_INDEX: &str = "the plan names no index";

/// The legacy side.
pub enum Side<'a> {
    /// An index that is asked.
    Index(Client),
    /// Where there is none, the topic of the plan's source.
    Topic(Past<'a>),
}

/// One project's two sides, and how they are read.
pub struct Scene<'a> {
    pub store: &'a Store,
    pub due: &'a DueVerification,
    pub side: Side<'a>,
    pub mapping: Mapping,
    pub reverse: Reverse,
    pub kinds: Kinds,
    limits: &'a Limits,
    /// The database's clock.
    pub now: Timestamp,
    /// The time of documents that have none.
    pub start: Timestamp,
    per_second: u32,
}

impl<'a> Scene<'a> {
    /// Sees whether both sides can be compared at all.
    pub async fn open(
        own: &'a Verify,
        turn: &'a Turn,
        due: &'a DueVerification,
    ) -> Result<Self, Stop> {
        if !due.mirrors {
            let told = "the migration does not mirror: there is nothing to compare with";
            return Err(Stop::End(told.to_owned()));
        }
        if !due.is_walked {
            return Err(Stop::Passing(
                "the mirror has not marked everybody yet".to_owned(),
            ));
        }
        let mapping = Mapping::parse(&due.plan.mapping);
        let mapping = mapping.map_err(|complaints| Stop::End(complaints.join("; ")))?;
        let kind = Some(due.plan.document_kind.as_str());
        let reverse = mapping.reverse(kind).map_err(Stop::End)?;
        let store = &turn.store;
        let project = store.load_project(&due.project).await?;
        let (_, kinds) = project.ok_or_else(|| Stop::End("the project is gone".to_owned()))?;
        let now = store.ping().await?;
        let source = match &due.plan.source {
            Some(source) => store.load_source(source).await?,
            None => None,
        };
        Ok(Self {
            store,
            due,
            side: own.side(due)?,
            mapping,
            reverse: reverse.with_kinds(kinds.clone()),
            kinds,
            limits: &own.limits,
            now,
            start: source.map_or(now, |source| source.started_at),
            per_second: own.legacy.verify_per_second,
        })
    }

    /// As the backfill reads records.
    pub fn gate(&self) -> Gate<'_> {
        Gate {
            project_id: self.due.project_id,
            class: Class::Backfill,
            by: KeyKind::Server,
            kinds: &self.kinds,
            limits: self.limits,
            received_at: self.now,
            is_measured: false,
        }
    }

    /// The index that is compared.
    pub fn index(&self) -> &str {
        &self.due.plan.index
    }

    /// The client of the index.
    pub fn client(&self) -> Result<&Client, Stop> {
        match &self.side {
            Side::Index(client) => Ok(client),
            Side::Topic(_) => Err(Stop::End(NO_INDEX.to_owned())),
        }
    }

    /// What a record of the source's topic says; `None` where it is another project's.
    pub fn read_record(&self, record: &PastRecord) -> Option<Result<Reading, Rejection>> {
        let Side::Topic(past) = &self.side else {
            return None;
        };
        let whose = (&*self.due.project, self.due.project_id, &self.kinds);
        record.read(past.source(), whose, self.start)
    }

    /// Begins with the first stretch, and sees with each whether the legacy side is still the same.
    pub async fn begin(&self, progress: &mut Progress) -> Result<(), Stop> {
        match &self.side {
            Side::Index(_) => self.begin_documents(progress).await,
            Side::Topic(past) => self.begin_records(past, progress),
        }
    }

    /// The next page of the walk that is not at its end.
    pub async fn page(&self, progress: &mut Progress) -> Result<Vec<Seen>, Stop> {
        match &self.side {
            _ if progress.has_documents => self.people_page(progress).await,
            Side::Index(_) => self.document_page(progress).await,
            Side::Topic(past) => self.record_page(past, progress).await,
        }
    }

    /// Waits as long as the setting asks for after a page of so many.
    pub async fn rest(&self, started: Instant, count: usize) {
        if self.per_second > 0 {
            let time = Duration::from_secs_f64(count as f64 / f64::from(self.per_second));
            sleep(time.saturating_sub(started.elapsed())).await;
        }
    }

    /// What a failure of the store comes to.
    pub fn stop(&self, failure: &Failure) -> Stop {
        Stop::Passing(format!("index {}: {failure}", self.index()))
    }
}

impl Verify {
    /// The index, or else the topic of the source, which has to be in the settings of this node.
    fn side(&self, due: &DueVerification) -> Result<Side<'_>, Stop> {
        if !due.plan.index.is_empty() {
            let client = Client::under_turn(&self.legacy).map_err(Stop::Passing)?;
            return Ok(Side::Index(client));
        }
        if due.direction == Direction::Reverse {
            return Err(Stop::End(NO_INDEX.to_owned()));
        }
        let name = due.plan.source.as_deref().unwrap_or_default();
        let source = self.sources.iter().find(|source| source.name == name);
        let told = || Stop::Passing(format!("source {name:?} is not in this node's settings"));
        let past = block_in_place(|| Past::open(source.ok_or_else(told)?).map_err(Stop::Passing));
        past.map(Side::Topic)
    }
}
