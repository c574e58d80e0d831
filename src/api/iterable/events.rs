//! `events/track` and `events/trackBulk`: custom events.
//!
//! An id decides, as everywhere in Roster: an event is stored once, and what comes again under its id is not stored a second time nor
//! put in its place (docs/decisions/0017).

use super::bulk::BulkReply;
use super::fields::Fields;
use super::names::{Named, Strangers};
use super::people::{self, Saying};
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::users::{creates_fields, members, named};
use super::when;
use crate::domain::{EventDraft, EventType, Json, Mode, ProjectType, Text};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How messages name an event without a user.
pub const TRACK: &str = "specified in a track call";
/// What of a call stands beside its data.
const CAMPAIGN: [&str; 2] = ["campaignId", "templateId"];

/// Tracks one event. Who is not known yet is kept: what happened is not lost.
pub async fn track(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let id = id_of(&readable.fields)?;
    let saying = saying(&asked, &readable.fields, &id, Strangers::Kept, 0)?;
    people::store_one(&asked, readable, saying, TRACK).await?;
    Ok(Answer::Done {
        message: format!("Event with id: {id} tracked."),
        params: json!({ "id": id }),
    })
}

/// Tracks many. In projects by email, strangers are told of and not kept (contract section 3).
pub async fn track_bulk(mut asked: Asked, mut readable: Readable) -> Result<Answer, Failure> {
    let strangers = match asked.caller.kinds.rules.iterable {
        ProjectType::Email => Strangers::Refused,
        ProjectType::Hybrid | ProjectType::UserId => Strangers::Kept,
    };
    let events = members(&mut asked, &mut readable, "events")?;
    let count = events.len();
    let mut sayings = Vec::with_capacity(count);
    for (place, event) in events.into_iter().map(Fields::found_once).enumerate() {
        let followers = count - place - 1;
        let id = id_of(&event)?;
        sayings.push(saying(&asked, &event, &id, strangers, followers)?);
    }
    let named: Vec<Named> = sayings.iter().map(|saying| saying.named.clone()).collect();
    let (fates, told) = people::store_told(&asked, readable, sayings).await?;
    let reply = BulkReply::of_events(&named, &fates).with_fields(told);
    Ok(Answer::document(&reply))
}

fn saying(
    asked: &Asked,
    call: &Fields,
    id: &str,
    strangers: Strangers,
    followers: usize,
) -> Result<Saying, Refusal> {
    let name = call.needed_name("eventName")?;
    let event = EventDraft {
        message_id: Some(Text::new(id, "id")),
        event_type: EventType::Track,
        name: Some(Text::new(name, "eventName")),
        properties: call
            .object("dataFields")?
            .unwrap_or_else(Json::empty_object),
        context: context(call, None)?,
    };
    of_event(asked, call, event, strangers, followers)
}

/// An event as something that is said about the person whom its call names.
pub fn of_event(
    asked: &Asked,
    call: &Fields,
    event: EventDraft,
    strangers: Strangers,
    followers: usize,
) -> Result<Saying, Refusal> {
    Ok(Saying {
        named: named(asked, call)?,
        inner: Named::default(),
        strangers,
        traits: None,
        mode: Mode::Single,
        event: Some(event),
        creates_fields: creates_fields(call)?,
        at: when::created_at(asked, call, followers)?,
        item: call.json.clone(),
    })
}

/// The id of an event; one of our own where it has none.
pub fn id_of(call: &Fields) -> Result<String, Refusal> {
    let id = call.text("id")?.filter(|id| !id.trim().is_empty());
    Ok(id.unwrap_or_else(|| Uuid::now_v7().to_string()))
}

/// What this dialect says about an event beside its data; nothing of most custom ones.
pub fn context(call: &Fields, event_type: Option<&str>) -> Result<Json, Refusal> {
    let mut own = BTreeMap::new();
    if let Some(event_type) = event_type {
        own.insert("eventType".to_owned(), Json::of(&event_type));
    }
    for name in CAMPAIGN {
        if let Some(number) = call.quoted_number(name)? {
            own.insert(name.to_owned(), number);
        }
    }
    if own.is_empty() {
        return Ok(Json::empty_object());
    }
    let own = Json::from_members(&own);
    Ok(Json::from_members(&BTreeMap::from([(
        "iterable".to_owned(),
        own,
    )])))
}
