//! Deleting what has reached its project's age. One node at a time walks over everything, at a pace that live traffic does not feel.

use crate::config::Upkeep;
use crate::domain::{ProjectId, Timestamp};
use crate::metric_names::{EVENTS_EXPIRED, REJECTIONS_EXPIRED};
use crate::store::{Error, Store};
use metrics::counter;
use std::time::Duration;
use tokio::time::sleep;
use uuid::Uuid;

const LEASE: &str = "retention";
/// A holder renews with each page; one that was killed is replaced after this.
const LEASE_TIME: Duration = Duration::from_secs(60);
/// Rows of one statement: some milliseconds of work, so that nobody waits for it.
const PAGE: u32 = 500;

/// Runs for as long as the process lives.
pub async fn run(store: Store, settings: Upkeep) {
    let walk = Walk {
        owner: Uuid::new_v4(),
        store,
        settings,
    };
    loop {
        // Nodes that started together get out of step.
        let interval = Duration::from_secs(walk.settings.retention_interval_seconds);
        sleep(interval.mul_f64(rand::random_range(0.5..1.0))).await;
        if let Err(error) = walk.whole(interval).await {
            tracing::warn!(reason = %error.full_text(), "retention waits");
        }
    }
}

struct Walk {
    owner: Uuid,
    store: Store,
    settings: Upkeep,
}

impl Walk {
    /// Everything once, unless somebody else is at it or has just been.
    async fn whole(&self, interval: Duration) -> Result<(), Error> {
        if !self.holds_lease(LEASE_TIME).await? {
            return Ok(());
        }
        for retention in self.store.load_retentions().await? {
            let project_id = retention.project_id;
            if let Some(before) = retention.events_before {
                self.events(project_id, before).await?;
            }
            self.rejections(project_id, retention.rejections_before)
                .await?;
        }
        // Kept until the next walk is due, so that the other nodes do not do it again.
        self.holds_lease(interval / 2).await.map(drop)
    }

    async fn holds_lease(&self, time: Duration) -> Result<bool, Error> {
        self.store.take_lease(LEASE, self.owner, time).await
    }

    async fn events(&self, project_id: ProjectId, before: Timestamp) -> Result<(), Error> {
        let mut after = Uuid::nil();
        while self.holds_lease(LEASE_TIME).await? {
            let page = i64::from(PAGE);
            let expired = self.store.expire_events(project_id, after, before, page);
            let (end, gone) = expired.await?;
            counter!(EVENTS_EXPIRED).increment(gone.unsigned_abs());
            let Some(end) = end else { break };
            after = end;
            self.pause().await;
        }
        Ok(())
    }

    async fn rejections(&self, project_id: ProjectId, before: Timestamp) -> Result<(), Error> {
        while self.holds_lease(LEASE_TIME).await? {
            let page = i64::from(PAGE);
            let gone = self
                .store
                .expire_rejections(project_id, before, page)
                .await?;
            counter!(REJECTIONS_EXPIRED).increment(gone.unsigned_abs());
            if gone < page {
                break;
            }
            self.pause().await;
        }
        Ok(())
    }

    /// The time that a page may take at the pace that is set.
    async fn pause(&self) {
        let pace = f64::from(self.settings.retention_rows_per_second);
        sleep(Duration::from_secs_f64(f64::from(PAGE) / pace)).await;
    }
}
