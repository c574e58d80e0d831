//! `GET /v1/profiles/{reference}/events` and `GET /v1/events/{message_id}`.

use super::query::Query;
use super::{answer_of, cursor, reader, reference, reply, segment};
use crate::api::State;
use crate::api::error::ApiError;
use crate::domain::EventId;
use crate::store::{StoredEvent, TimelineQuery};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::RawValue;

/// An event as it is shown.
#[derive(Serialize)]
pub struct Shown {
    id: String,
    message_id: String,
    r#type: String,
    name: Option<String>,
    occurred_at: String,
    received_at: String,
    properties: Box<RawValue>,
    context: Box<RawValue>,
    /// Only where the path does not name the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_id: Option<String>,
}

#[derive(Serialize)]
struct Page {
    events: Vec<Shown>,
    next_cursor: Option<String>,
}

/// Shows one event.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, find(&request, &state).await)
}

async fn find(request: &HttpRequest, state: &Data<State>) -> Result<Shown, ApiError> {
    let caller = reader(request, state).await?;
    let id = EventId::of(&segment(request, 3)?);
    let _room = state.reads.room(caller.project_id).await?;
    let event = answer_of(state, state.store.load_event(caller.project_id, id))
        .await?
        .ok_or(ApiError::NoSuchEvent)?;
    let profile_id = event.profile_id.to_string();
    Ok(Shown {
        profile_id: Some(profile_id),
        ..shown(event)
    })
}

/// Shows a page of a profile's events, newest first.
pub async fn timeline(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, page(&request, &state).await)
}

async fn page(request: &HttpRequest, state: &Data<State>) -> Result<Page, ApiError> {
    let caller = reader(request, state).await?;
    let query = timeline_query(request.query_string())?;
    let referred = reference::of_path(request, &caller)?;
    let person = reference::person(&referred, state, &caller).await?;
    let _room = state.reads.room(caller.project_id).await?;
    let (store, bytes) = (&state.store, state.reads.page_bytes);
    let reading = store.load_timeline(caller.project_id, &person, &query, bytes);
    let page = answer_of(state, reading).await?;
    Ok(Page {
        events: page.events.into_iter().map(shown).collect(),
        next_cursor: page.next.map(|(time, id)| cursor::encode(time, id)),
    })
}

fn timeline_query(text: &str) -> Result<TimelineQuery, ApiError> {
    let query = Query::parse(text, &["name", "type", "from", "to", "limit", "cursor"])?;
    Ok(TimelineQuery {
        name: query.text("name"),
        event_type: query.text("type"),
        from: query.time("from")?,
        to: query.time("to")?,
        after: query.cursor()?,
        limit: query.limit()?,
    })
}

/// How an event is shown.
pub fn shown(event: StoredEvent) -> Shown {
    Shown {
        id: event.id.0.to_string(),
        message_id: event.message_id,
        r#type: event.event_type,
        name: event.name,
        occurred_at: event.occurred_at.to_string(),
        received_at: event.received_at.to_string(),
        properties: event.properties.to_raw(),
        context: event.context.to_raw(),
        profile_id: None,
    }
}
