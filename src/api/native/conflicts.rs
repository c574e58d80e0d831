//! `GET /v1/conflicts`: identities that calls gave to one person while they belong to another.

use super::query::Query;
use super::{answer_of, cursor, reader, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::store::StoredConflict;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

/// A conflict as it is shown.
#[derive(Serialize)]
pub struct Shown {
    id: String,
    kind: String,
    value: String,
    /// Whose the identity is and stays.
    owner_id: String,
    /// Whom the call was about.
    claimant_id: String,
    first_seen: String,
    /// Why it stayed: `two_people`, or `hub` where it would have pulled ever more people into one.
    reason: String,
}

#[derive(Serialize)]
struct Page {
    conflicts: Vec<Shown>,
    next_cursor: Option<String>,
}

/// Lists a project's conflicts, newest first.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, page(&request, &state).await)
}

async fn page(request: &HttpRequest, state: &Data<State>) -> Result<Page, ApiError> {
    let caller = reader(request, state).await?;
    let query = Query::parse(request.query_string(), &["limit", "cursor"])?;
    let (limit, after) = (query.limit()?, query.cursor()?);
    let _room = state.reads.room(caller.project_id).await?;
    let found = answer_of(
        state,
        state.store.load_conflicts(caller.project_id, after, limit),
    )
    .await?;
    let is_full = found.len() as i64 == limit;
    let next_cursor = found
        .last()
        .filter(|_| is_full)
        .map(|last| cursor::encode(last.first_seen, last.id));
    Ok(Page {
        conflicts: found.into_iter().map(shown).collect(),
        next_cursor,
    })
}

/// How a conflict is shown.
pub fn shown(conflict: StoredConflict) -> Shown {
    Shown {
        id: conflict.id.to_string(),
        kind: conflict.kind,
        value: conflict.value,
        owner_id: conflict.owner_id.to_string(),
        claimant_id: conflict.claimant_id.to_string(),
        first_seen: conflict.first_seen.to_string(),
        reason: conflict.reason,
    }
}
