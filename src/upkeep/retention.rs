//! Deleting what has reached its project's age, at a pace that live traffic does not feel.

use super::frame::{Turn, Work, caught, pause_after};
use crate::config::Upkeep;
use crate::domain::ProjectId;
use crate::metric_names::{
    CONFLICTS_EXPIRED, EVENTS_EXPIRED, MERGE_RECORDS_EXPIRED, REJECTIONS_EXPIRED,
};
use crate::store::{Error, EventWalk, ExpiringList};
use metrics::counter;
use std::time::Duration;
use tokio::time::sleep;

/// Rows of one statement: some milliseconds of work, so that nobody waits for it.
const PAGE: u32 = 500;
/// Walks that are begun in one step.
const WALKS: i64 = 1_000;

/// Rejections and conflicts, which are found by time: one statement for a thousand projects, and as many more as there are pages
/// to delete.
pub struct OldLists(pub Upkeep);

impl Work for OldLists {
    const NAME: &'static str = "old lists";

    fn interval(&self) -> Duration {
        Duration::from_secs(self.0.retention_interval_seconds)
    }

    /// Notes the last project that was done; a successor goes on behind it.
    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        let mut after = turn.progress.parse().map_or(ProjectId(0), ProjectId);
        loop {
            let mut last = None;
            for list in [
                ExpiringList::Rejections,
                ExpiringList::BackfillRejections,
                ExpiringList::ImportRejections,
                ExpiringList::Conflicts,
                ExpiringList::MergeRecords,
                ExpiringList::Comparisons,
            ] {
                last = self.thin_out(turn, list, after).await?;
            }
            match last {
                Some(project_id) => after = project_id,
                None => return turn.keep_at(String::new()).await,
            }
            turn.keep_at(after.0.to_string()).await?;
        }
    }
}

impl OldLists {
    /// Deletes what is old in the next projects, page by page; the last of these projects.
    async fn thin_out(
        &self,
        turn: &Turn,
        list: ExpiringList,
        after: ProjectId,
    ) -> Result<Option<ProjectId>, Error> {
        loop {
            let page = page(&self.0);
            let expiring = turn.store.expire(turn.fence, list, after, page);
            let (last, gone) = expiring.await?;
            let metric = match list {
                ExpiringList::Rejections
                | ExpiringList::BackfillRejections
                | ExpiringList::ImportRejections => Some(REJECTIONS_EXPIRED),
                ExpiringList::Conflicts => Some(CONFLICTS_EXPIRED),
                ExpiringList::MergeRecords => Some(MERGE_RECORDS_EXPIRED),
                ExpiringList::Comparisons => None,
            };
            if let Some(metric) = metric {
                counter!(metric).increment(gone.unsigned_abs());
            }
            if gone < page {
                return Ok(last);
            }
            pause(&self.0).await;
            turn.keep().await?;
        }
    }
}

/// Events, which have no index by time: a walk along the keys of each project that wants one, and of no other.
pub struct OldEvents(pub Upkeep);

impl Work for OldEvents {
    const NAME: &'static str = "old events";

    /// How often it looks whose walk is due; the walks have intervals of their own.
    fn interval(&self) -> Duration {
        Duration::from_secs(self.0.retention_interval_seconds.min(60))
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        for walk in turn.store.due_walks(WALKS).await? {
            match caught(Self::NAME, self.walk(turn, &walk)).await {
                Err(Error::TurnLost(worker)) => return Err(Error::TurnLost(worker)),
                Err(error) => put_off(turn, &walk, &error).await?,
                Ok(()) => {
                    let pause = Duration::from_secs(self.0.retention_interval_seconds);
                    let next = walk.again(pause);
                    turn.store.set_walk(turn.fence, &walk, next).await?;
                }
            }
        }
        Ok(())
    }
}

impl OldEvents {
    /// Each page notes in its own statement where it ended.
    async fn walk(&self, turn: &Turn, walk: &EventWalk) -> Result<(), Error> {
        let mut after = Some(walk.after);
        while let Some(from) = after {
            turn.keep().await?;
            let page = turn
                .store
                .expire_events(turn.fence, walk, from, page(&self.0));
            let (end, gone) = page.await?;
            counter!(EVENTS_EXPIRED).increment(gone.unsigned_abs());
            after = end;
            if end.is_some() {
                pause(&self.0).await;
            }
        }
        Ok(())
    }
}

/// It goes on where it was, later; the other projects' walks do not wait for it.
async fn put_off(turn: &Turn, walk: &EventWalk, error: &Error) -> Result<(), Error> {
    let pause = pause_after(walk.attempts);
    tracing::warn!(project = walk.project_id.0, reason = %error.full_text(), ?pause, "a walk over events waits");
    let next = walk.later(pause);
    turn.store.set_walk(turn.fence, walk, next).await
}

/// Rows of one page: no more than five seconds' at the pace that is set, or the turn would be over.
fn page(settings: &Upkeep) -> i64 {
    let rows = settings.retention_rows_per_second.saturating_mul(5);
    PAGE.min(rows).into()
}

/// The time that a page may take at the pace that is set.
async fn pause(settings: &Upkeep) {
    let pace = f64::from(settings.retention_rows_per_second);
    sleep(Duration::from_secs_f64(page(settings) as f64 / pace)).await;
}
