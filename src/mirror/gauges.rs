//! How far each mirror is behind, as a metric of every node that may relay: whoever relays just now, all tell the same.

use crate::domain::ProjectId;
use crate::metric_names::{MIRROR_BACKLOG, MIRROR_LAG};
use crate::store::{Error, Store};
use metrics::gauge;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

/// Between two looks: a scrape is rarer.
const EVERY: Duration = Duration::from_secs(5);

/// Tells it for as long as the process lives.
pub async fn tell(store: Store) {
    let mut told = BTreeSet::new();
    loop {
        if let Err(error) = tell_once(&store, &mut told).await {
            tracing::debug!(reason = %error.full_text(), "mirrors were not measured");
        }
        sleep(EVERY).await;
    }
}

/// A project that mirrors no more is not behind.
async fn tell_once(store: &Store, told: &mut BTreeSet<ProjectId>) -> Result<(), Error> {
    let active = store.active_mirrors().await?;
    for project_id in told.difference(&active) {
        set(*project_id, (0.0, 0));
    }
    for project_id in &active {
        let seen = store.measure_mirror(*project_id).await?;
        set(*project_id, (seen.lag_seconds, seen.backlog));
    }
    *told = active;
    Ok(())
}

fn set(project_id: ProjectId, (lag_seconds, backlog): (f64, i64)) {
    let project = project_id.0.to_string();
    gauge!(MIRROR_LAG, "project" => project.clone()).set(lag_seconds);
    gauge!(MIRROR_BACKLOG, "project" => project).set(backlog as f64);
}
