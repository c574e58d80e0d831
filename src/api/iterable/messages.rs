//! What SDKs tell of messages (opened, clicked, consumed, seen), kept as events of the person.

use super::events::{TRACK, context, of_event};
use super::fields::Fields;
use super::names::Strangers;
use super::people;
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use crate::domain::{EventDraft, EventType, Json, Text};
use std::collections::BTreeMap;

/// The paths with the types of their events.
pub const MESSAGES: [(&str, &str); 12] = [
    ("events/trackPushOpen", "pushOpen"),
    ("events/trackWebPushClick", "webPushClick"),
    ("events/trackInAppOpen", "inAppOpen"),
    ("events/trackInAppClick", "inAppClick"),
    ("events/trackInAppClose", "inAppClose"),
    ("events/trackInAppDelivery", "inAppDelivery"),
    ("events/inAppConsume", "inAppDelete"),
    ("events/trackInboxSession", "inboxSession"),
    ("embedded-messaging/events/received", "embeddedReceived"),
    ("embedded-messaging/events/click", "embeddedClick"),
    ("embedded-messaging/events/session", "embeddedSession"),
    ("embedded-messaging/events/dismiss", "embeddedDismiss"),
];

/// What of a call is no data of its event.
const ASIDE: [&str; 9] = [
    "campaignId",
    "createNewFields",
    "createdAt",
    "dataFields",
    "email",
    "id",
    "preferUserId",
    "templateId",
    "userId",
];

/// Keeps what a call tells of a message.
pub async fn track(
    asked: Asked,
    readable: Readable,
    event_type: &'static str,
) -> Result<Answer, Failure> {
    let call = &readable.fields;
    let event = EventDraft {
        message_id: call.text("id")?.map(|id| Text::new(id, "id")),
        event_type: EventType::Track,
        name: Some(Text::new(event_type, "eventType")),
        properties: data(call)?,
        context: context(call, Some(event_type))?,
    };
    let saying = of_event(&asked, call, event, Strangers::Kept, 0)?;
    people::store_one(&asked, readable, saying, TRACK).await?;
    Ok(Answer::success())
}

/// The data fields, with what stands beside them.
fn data(call: &Fields) -> Result<Json, Refusal> {
    let own: BTreeMap<String, Json> = call.json.members().unwrap_or_default();
    let own = own.into_iter();
    let own: BTreeMap<String, Json> = own
        .filter(|(name, value)| !ASIDE.contains(&name.as_str()) && !value.is_null())
        .collect();
    let more = call.object("dataFields")?;
    let own = Json::from_members(&own);
    Ok(more.map_or_else(|| own.clone(), |more| own.with_defaults(&more)))
}
