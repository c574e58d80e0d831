//! Items between the gate and the lanes, held against their project's tracking plan by who tells what came of it.

use super::State;
use super::charge::grow;
use super::error::ApiError;
use crate::domain::type_check::{Terms, Told};
use crate::domain::{Command, Item, ProjectId, TypeRule};
use crate::ingest::Reservation;

/// Fixes the types of new fields, and mends or refuses what does not fit. What is told of it is held beside the items.
///
/// # Errors
/// `Unavailable` where the database does not answer, as `charge::grow` where there is no room for what is told.
pub async fn check(
    state: &State,
    project_id: ProjectId,
    (items, room): (&mut [Item], &mut Reservation),
    terms: &Terms<'_>,
) -> Result<Told, ApiError> {
    let has_plan = |command: &Command| command.types() != TypeRule::Off;
    if !items.iter().filter_map(Item::command).any(has_plan) {
        return Ok(Told::default());
    }
    let before = held(items);
    let told = state.ingest.check_types(project_id, items, terms).await?;
    let more = held(items).saturating_sub(before);
    grow(room, more)?;
    Ok(told)
}

fn held(items: &[Item]) -> usize {
    items.iter().map(Item::bytes).sum()
}
