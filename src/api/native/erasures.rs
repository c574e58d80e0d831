//! `DELETE /v1/profiles/{reference}`, `POST …/unforget`, and `GET /v1/erasures/{id}`: the receipt.

use super::query::Query;
use super::{answer_of, reader, reference, reply, segment};
use crate::api::State;
use crate::api::erasing;
use crate::api::error::ApiError;
use crate::domain::{Caller, Identity};
use crate::store::{Erasure, Reference};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use uuid::Uuid;

/// What can be shown to the person. It names nobody.
#[derive(Serialize)]
pub struct Shown {
    id: String,
    requested_at: String,
    /// Newer data is refused too.
    forgotten: bool,
    /// `erasing` while events are left, `sweeping` until nothing can be in flight any more, then `finished`.
    state: &'static str,
    identities: i64,
    events: i64,
    cleared_at: Option<String>,
    finished_at: Option<String>,
}

/// Erases a person; with `?forget=true` for good. 200 when all is gone, 202 where events are left that go on going.
pub async fn erase(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match erased(&request, &state).await {
        Ok(receipt) if receipt.cleared_at.is_none() => HttpResponse::Accepted().json(receipt),
        outcome => reply::json(&request, &state, outcome),
    }
}

async fn erased(request: &HttpRequest, state: &Data<State>) -> Result<Shown, ApiError> {
    let caller = reader(request, state).await?;
    let query = Query::parse(request.query_string(), &["forget"])?;
    let identities = names(&reference::of_path(request, &caller)?, state, &caller).await?;
    let is_forgotten = query.flag("forget")?;
    let id = erasing::erase(state, caller.project_id, identities, is_forgotten).await?;
    receipt(state, &caller, id).await
}

/// The names that lead to somebody. A name that nobody has can be erased too: what comes later may be older.
async fn names(
    reference: &Reference,
    state: &Data<State>,
    caller: &Caller,
) -> Result<Vec<Identity>, ApiError> {
    let Reference::Name(identity) = reference else {
        let person = reference::person(reference, state, caller).await?;
        return answer_of(state, state.store.load_identities(person.id)).await;
    };
    Ok(vec![identity.clone()])
}

/// Lifts the block of a person who was forgotten. What was erased stays erased.
pub async fn unforget(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, lifted(&request, &state).await)
}

async fn lifted(request: &HttpRequest, state: &Data<State>) -> Result<Shown, ApiError> {
    let caller = reader(request, state).await?;
    let Reference::Name(identity) = reference::of_path(request, &caller)? else {
        return Err(ApiError::InvalidParameter {
            name: "reference".to_owned(),
            reason: "must be kind:value, since an erased person has no profile".to_owned(),
        });
    };
    let key = (caller.project_id, identity);
    let id = answer_of(state, state.store.lift_block(&key))
        .await?
        .ok_or(ApiError::NoSuchErasure)?;
    receipt(state, &caller, id).await
}

/// Shows the receipt of an erasure.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, find(&request, &state).await)
}

async fn find(request: &HttpRequest, state: &Data<State>) -> Result<Shown, ApiError> {
    let caller = reader(request, state).await?;
    let id = Uuid::try_parse(&segment(request, 3)?).map_err(|_| ApiError::NoSuchErasure)?;
    receipt(state, &caller, id).await
}

async fn receipt(state: &Data<State>, caller: &Caller, id: Uuid) -> Result<Shown, ApiError> {
    let found = answer_of(state, state.store.load_erasure(caller.project_id, id)).await?;
    found.map(shown).ok_or(ApiError::NoSuchErasure)
}

fn shown(erasure: Erasure) -> Shown {
    let state = match (erasure.cleared_at, erasure.finished_at) {
        (_, Some(_)) => "finished",
        (Some(_), None) => "sweeping",
        (None, None) => "erasing",
    };
    Shown {
        id: erasure.id.to_string(),
        requested_at: erasure.requested_at.to_string(),
        forgotten: erasure.is_forgotten,
        state,
        identities: erasure.identities,
        events: erasure.events,
        cleared_at: erasure.cleared_at.map(|time| time.to_string()),
        finished_at: erasure.finished_at.map(|time| time.to_string()),
    }
}
