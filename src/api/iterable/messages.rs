//! What SDKs tell of messages (opened, clicked, consumed, seen), kept as events of the person.

use super::events::{TRACK, context, of_event};
use super::fields::Fields;
use super::names::{Fault, Named, Strangers};
use super::people::{self, Saying};
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use crate::domain::{EventDraft, EventType, Json, Text};
use std::collections::BTreeMap;

/// The paths with the types of their events.
pub const MESSAGES: [(&str, &str); 12] = [
    ("events/trackPushOpen", PUSH_OPEN),
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
const PUSH_OPEN: &str = "pushOpen";
/// A client for Python spells the campaign so.
const CAMPAIGN_OF_PYTHON: &str = "CampaignId";

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
    check(call, event_type)?;
    let event = EventDraft {
        message_id: call.text("id")?.map(|id| Text::new(id, "id")),
        event_type: EventType::Track,
        name: Some(Text::new(event_type, "eventType")),
        properties: data(call)?,
        context: context(call, Some(event_type))?,
    };
    // What SDKs tell of a message is the same in every project, and no field that somebody thought of.
    let saying = Saying {
        creates_fields: true,
        ..of_event(&asked, call, event, Strangers::Kept, 0)?
    };
    if saying.named == Named::default() && asked.signed.is_none() {
        let most = asked.state.limits.rejected_item_bytes;
        return Err(nobody(&call.json, most).into());
    }
    people::store_one(&asked, readable, saying, TRACK).await?;
    Ok(Answer::success())
}

/// A call that names nobody is told with itself among the params; of a large one nothing.
fn nobody(body: &Json, most: usize) -> Refusal {
    let bytes = Some(body.as_bytes()).filter(|bytes| bytes.len() <= most);
    let params = bytes.and_then(|bytes| serde_json::from_slice(bytes).ok());
    Refusal {
        params: params.unwrap_or_default(),
        ..Fault::Nobody.refusal(&Named::default(), TRACK)
    }
}

/// What the contract wants beside the user: the message, but where it may be about many, and a push's campaign.
fn check(call: &Fields, event_type: &str) -> Result<(), Refusal> {
    let is_of_many = event_type.starts_with("embedded") || event_type == "inboxSession";
    if !is_of_many {
        call.needed_text("messageId")?;
    }
    if event_type == PUSH_OPEN && call.quoted_number(CAMPAIGN_OF_PYTHON)?.is_none() {
        let campaign = call.quoted_number("campaignId")?;
        campaign.ok_or_else(|| call.wrong("campaignId", "Missing required field"))?;
    }
    Ok(())
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
