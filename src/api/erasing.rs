//! Erasing a person while a request waits, whatever dialect it came by.

use super::State;
use super::error::ApiError;
use super::reading::answer_of;
use crate::config::millis;
use crate::domain::{Identity, ProjectId};
use crate::store::ErasureRequest;
use tokio::time::Instant;
use uuid::Uuid;

/// Erases whom the names lead to, and what is left of them where that is quick; returns the id of the receipt. What is not done in
/// half of a request's time goes on by itself.
///
/// # Errors
/// When the database does not take it; a repeat is safe.
pub async fn erase(
    state: &State,
    project_id: ProjectId,
    identities: Vec<Identity>,
    is_forgotten: bool,
) -> Result<Uuid, ApiError> {
    let mut asked = ErasureRequest {
        project_id,
        id: Uuid::new_v4(),
        at: state.clock.now(),
        is_forgotten,
        identities,
        profiles: Vec::new(),
        kept: None,
    };
    let until = Instant::now() + millis(state.server.request_timeout_ms) / 2;
    asked.profiles = answer_of(state, state.store.erase(&asked)).await?;
    answer_of(state, state.store.clear(&asked, until)).await?;
    Ok(asked.id)
}
