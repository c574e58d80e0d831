//! `GET /v1/rejections`: what was refused, or stored and mended, and why.

use super::query::Query;
use super::{answer_of, cursor, reader, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::store::StoredRejection;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Shown {
    id: String,
    received_at: String,
    code: String,
    field: Option<String>,
    message: String,
    message_id: Option<String>,
    item: Box<RawValue>,
    stored: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Page {
    rejections: Vec<Shown>,
    next_cursor: Option<String>,
}

/// Lists a project's refusals, newest first.
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
        state.store.load_rejections(caller.project_id, after, limit),
    )
    .await?;
    let is_full = found.len() as i64 == limit;
    let next_cursor = found
        .last()
        .filter(|_| is_full)
        .map(|last| cursor::encode(last.received_at, last.id));
    Ok(Page {
        rejections: found.into_iter().map(shown).collect(),
        next_cursor,
    })
}

fn shown(refused: StoredRejection) -> Shown {
    Shown {
        id: refused.id.to_string(),
        received_at: refused.received_at.to_string(),
        code: refused.code,
        field: refused.field,
        message: refused.message,
        message_id: refused.message_id,
        item: refused.item.to_raw(),
        stored: refused.warnings.is_some(),
        warnings: refused.warnings.map(|warnings| warnings.to_raw()),
    }
}
