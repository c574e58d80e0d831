//! What both walks of a verification are made with.

use super::progress::Progress;
use super::seen::Seen;
use super::{Stop, Verify};
use crate::domain::{Class, Gate, KeyKind, Kinds, Limits, Timestamp};
use crate::legacy::{Client, Failure};
use crate::mapping::{Mapping, Reverse};
use crate::store::{DueVerification, Store};
use crate::upkeep::frame::Turn;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// One project's two sides, and how they are read.
pub struct Scene<'a> {
    pub store: &'a Store,
    pub due: &'a DueVerification,
    pub client: Client,
    pub mapping: Mapping,
    pub reverse: Reverse,
    pub kinds: Kinds,
    limits: &'a Limits,
    /// The database's clock.
    now: Timestamp,
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
            client: Client::under_turn(&own.legacy).map_err(Stop::Passing)?,
            mapping,
            reverse,
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

    /// The next page of the walk that is not at its end.
    pub async fn page(&self, progress: &mut Progress) -> Result<Vec<Seen>, Stop> {
        if progress.has_documents {
            self.people_page(progress).await
        } else {
            self.document_page(progress).await
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
