//! Where profiles are read from, as people set it.

use super::{Denied, Status, status};
use crate::domain::ProjectId;
use crate::domain::migration::{Gate, State};
use crate::domain::reads::{ReadSource, Reads, Unreadable};
use crate::store::{ReadsStep, Store};
use uuid::Uuid;

/// Who sets reads to what.
#[derive(Clone, Debug)]
pub struct ReadsOrder {
    pub source: ReadSource,
    /// Of a hundred people so many are read from Roster, whatever the source.
    pub share: u8,
    pub operator: String,
    /// Empty where none was given.
    pub reason: String,
}

/// Sets where a project's profiles are read from, if the state of its migration allows it.
///
/// # Errors
/// Why it stays as it is.
pub async fn set_reads(
    store: &Store,
    project_id: ProjectId,
    order: &ReadsOrder,
) -> Result<Status, Denied> {
    let from = store.load_migration(project_id).await?;
    let from = from.ok_or(Denied::NoMigration)?;
    let asked = Reads {
        share: order.share,
        ..Reads::of(order.source, from.version + 1)
    };
    if from.plan.index.is_empty() {
        return Err(Denied::Reads(Unreadable::NoIndex));
    }
    let reads = asked.checked(from.state).map_err(Denied::Reads)?;
    let reads = reads.counted_from(from.reads);
    let seen = Gate {
        name: "reads".to_owned(),
        wanted: Reads::told(Some(reads)),
        seen: Reads::told(from.reads),
        holds: true,
    };
    let step = ReadsStep {
        id: Uuid::new_v4(),
        version: from.version,
        reads,
        operator: &order.operator,
        reason: &order.reason,
        seen: &seen,
    };
    let is_set = store.set_reads(project_id, &step).await?;
    let now = status(store, project_id).await?;
    let now = now.ok_or(Denied::NoMigration)?;
    if is_set {
        Ok(now)
    } else {
        let state = State::parse(now.state);
        Err(Denied::Moved(state.unwrap_or(from.state)))
    }
}
