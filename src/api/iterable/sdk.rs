//! What SDKs ask for when they start, and what partners ask to see whether a key works: true answers of a service that sends nothing.

use super::events::{context, id_of};
use super::jwt;
use super::people::{self, Saying};
use super::refusal::Failure;
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::users::{self, UPDATE};
use super::when;
use crate::domain::{EventDraft, EventType, Json, Text};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Paths that are answered with the same document to everybody.
pub const FIXED: [(&str, &str); 8] = [
    // Offline: what an app could not send waits on the phone and is sent again.
    (
        "mobile/getRemoteConfiguration",
        r#"{"offlineMode":true,"autoRetry":true}"#,
    ),
    ("inApp/getMessages", r#"{"inAppMessages":[]}"#),
    ("inApp/web/getMessages", r#"{"inAppMessages":[]}"#),
    ("embedded-messaging/messages", r#"{"placements":[]}"#),
    ("unknownuser/list", r#"{"count":0,"criteriaSets":[]}"#),
    ("anonymoususer/list", r#"{"count":0,"criteriaSets":[]}"#),
    ("users/getSentMessages", r#"{"messages":[]}"#),
    ("webhooks", r#"{"webhooks":[]}"#),
];

/// What of a session is data of its event.
const SESSION: [&str; 3] = ["unknownSessionContext", "anonSessionContext", "deviceInfo"];

/// Nobody has signed for a session: it is about an id that only its own app can know.
fn is_unknown(saying: &Saying) -> bool {
    let id = saying.named.user_id.as_deref();
    let traits = saying.traits.as_ref();
    let has_names = ["email", "userId"]
        .into_iter()
        .any(|name| traits.is_some_and(|traits| traits.member(name).is_some()));
    saying.named.email.is_none() && !has_names && id.is_some_and(|id| Uuid::try_parse(id).is_ok())
}

/// Makes the user of an app that does not know who that is, with a session of theirs.
pub async fn session(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let call = &readable.fields;
    let user = call.needed_object("user")?;
    let data = SESSION.into_iter();
    let data = data.filter_map(|name| Some((name.to_owned(), call.value(name)?)));
    let data: BTreeMap<String, Json> = data.collect();
    let event = EventDraft {
        message_id: Some(Text::new(id_of(call)?, "id")),
        event_type: EventType::Track,
        name: Some(Text::new("unknownSession", "eventType")),
        properties: Json::from_members(&data),
        context: context(call, Some("unknownSession"))?,
    };
    let mut saying = users::saying(&asked, &user, 0)?;
    if !asked.caller.needs_no_token() && !is_unknown(&saying) {
        return Err(jwt::mismatched().into());
    }
    saying.strangers = super::names::Strangers::Made {
        prefer_user_id: true,
    };
    saying.event = Some(event);
    saying.at = when::created_at(&asked, call, 0)?;
    people::store_one(&asked, readable, saying, UPDATE).await?;
    Ok(Answer::success())
}
