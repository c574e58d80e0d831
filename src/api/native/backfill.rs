//! `GET /v1/backfill`: how far the project's legacy records have got; `GET /v1/backfill/rejections`: those that could not be taken.

use super::query::Query;
use super::{answer_of, reader, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::store::{Refusal, SourceStatus};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Sources {
    sources: Vec<SourceStatus>,
}

#[derive(Serialize)]
struct Shown {
    source: String,
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: Option<String>,
    rejected_at: Option<String>,
    code: String,
    field: Option<String>,
    message: String,
    /// Text; what is none shows as replacement characters.
    key: Option<String>,
    record: Option<String>,
    record_bytes: i64,
    attempts: i32,
}

#[derive(Serialize)]
struct Page {
    rejections: Vec<Shown>,
    next_cursor: Option<String>,
}

/// The key of the last row of a page.
#[derive(Deserialize, Serialize)]
struct Cursor(String, String, i32, i64);

/// Shows the sources that had records of this project.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, sources(&request, &state).await)
}

async fn sources(request: &HttpRequest, state: &Data<State>) -> Result<Sources, ApiError> {
    let caller = reader(request, state).await?;
    let reading = state.store.backfill_status(Some(caller.project_id));
    let sources = answer_of(state, reading).await?;
    Ok(Sources { sources })
}

/// Lists records that were refused, by their places.
pub async fn rejections(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, page(&request, &state).await)
}

async fn page(request: &HttpRequest, state: &Data<State>) -> Result<Page, ApiError> {
    let caller = reader(request, state).await?;
    let query = Query::parse(request.query_string(), &["limit", "cursor"])?;
    let limit = query.limit()?;
    let after = query.text("cursor").as_deref().map(decoded).transpose()?;
    let _room = state.reads.room(caller.project_id).await?;
    let reading = state
        .store
        .load_refusals(caller.project_id, after.as_ref(), limit);
    let found = answer_of(state, reading).await?;
    let is_full = found.len() as i64 == limit;
    let next_cursor = found.last().filter(|_| is_full).map(encoded);
    Ok(Page {
        rejections: found.into_iter().map(shown).collect(),
        next_cursor,
    })
}

fn encoded(last: &Refusal) -> String {
    let (topic, partition) = last.partition.clone();
    let cursor = Cursor(last.source.clone(), topic, partition, last.offset);
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).unwrap_or_default())
}

fn decoded(text: &str) -> Result<Refusal, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let cursor = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // No database takes a NUL, and no source or topic has one.
    let cursor =
        cursor.filter(|Cursor(source, topic, ..)| !format!("{source}{topic}").contains('\0'));
    let Some(Cursor(source, topic, partition, offset)) = cursor else {
        return Err(ApiError::InvalidParameter {
            name: "cursor".to_owned(),
            reason: "is not one that this API gave out".to_owned(),
        });
    };
    Ok(Refusal::at(source, (topic, partition), offset))
}

fn shown(refusal: Refusal) -> Shown {
    let text =
        |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (topic, partition) = refusal.partition;
    Shown {
        source: refusal.source,
        topic,
        partition,
        offset: refusal.offset,
        timestamp: refusal.at.map(|at| at.to_string()),
        rejected_at: refusal.rejected_at.map(|at| at.to_string()),
        code: refusal.code,
        field: refusal.field,
        message: refusal.message,
        key: text(refusal.key),
        record: text(refusal.record),
        record_bytes: refusal.record_bytes,
        attempts: refusal.attempts,
    }
}
