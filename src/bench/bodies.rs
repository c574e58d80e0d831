//! What is said in requests and files: calls as Segment's Node SDK makes them, and users as Iterable's clients do, with marks for
//! what changes from one sending to the next.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Stand for what changes, each as long as that.
pub const MESSAGE_ID: &str = "@message-id-of-exactly-36-characters";
pub const USER_ID: &str = "@user-id----";
pub const DEVICE_ID: &str = "@device-id----";
pub const VISITOR_ID: &str = "@visitor-id---------";
pub const TIME: &str = "@time-in-24-characters--";

const NAMES: [&str; 5] = [
    "Product Viewed",
    "Product Added",
    "Checkout Started",
    "Order Completed",
    "Article Read",
];
const COLOURS: [&str; 4] = ["black", "navy", "olive", "white"];
/// Names of a known person: the one that all have, and the two of a person with a device.
const USER: &str = r#""userId":"@user-id----","#;
const USER_AND_DEVICE: &str = r#""userId":"@user-id----","anonymousId":"@device-id----","#;
const VISITOR: &str = r#""anonymousId":"@visitor-id---------","#;

/// The id of a person, as long as `USER_ID`.
pub fn user_id(number: u32) -> String {
    format!("user-{number:07}")
}

/// The anonymous id of a person's device, as long as `DEVICE_ID`.
pub fn device_id(number: u32) -> String {
    format!("device-{number:07}")
}

/// One event in its parts, which the raw client sends as they are.
pub struct Sample {
    pub event_type: &'static str,
    pub name: Option<&'static str>,
    pub properties: Box<RawValue>,
    pub context: Box<RawValue>,
}

fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).expect("written here as JSON")
}

/// A track call, `index` varying what it says.
pub fn track(index: usize) -> Sample {
    let (price, colour) = (10 + index * 7 % 90, COLOURS[index % COLOURS.len()]);
    Sample {
        event_type: "track",
        name: Some(NAMES[index % NAMES.len()]),
        properties: raw(format!(
            r#"{{"product_id":"507f1f77bcf86cd7994{index:05}","sku":"G-{index:04}","category":"Apparel","price":{price}.95,"quantity":{},"currency":"EUR","color":"{colour}","position":{index},"coupon":null}}"#,
            1 + index % 3
        )),
        context: context(index),
    }
}

/// An identify call; its last trait changes with each sending.
pub fn identify(index: usize) -> Sample {
    Sample {
        event_type: "identify",
        name: None,
        properties: raw(traits(index, TIME)),
        context: context(index),
    }
}

/// The traits of `identify`, last seen at `time`.
pub fn traits(index: usize, time: &str) -> String {
    let plan = ["free", "team", "business"][index % 3];
    format!(
        r#"{{"firstName":"Ada","lastName":"Lovelace","plan":"{plan}","logins":{index},"company":{{"name":"Analytical Engines","size":42}},"newsletter":true,"createdAt":"2026-01-05T08:00:00.000Z","lastSeenAt":"{time}"}}"#
    )
}

fn context(index: usize) -> Box<RawValue> {
    raw(format!(
        r#"{{"library":{{"name":"@segment/analytics-node","version":"2.3.0"}},"ip":"203.0.113.{}","locale":"de-DE","timezone":"Europe/Berlin","page":{{"path":"/shop/{index}","title":"Shop"}},"app":{{"name":"Shop","version":"4.1.{index}"}}}}"#,
        index % 250
    ))
}

/// A call of somebody known by his user id.
pub fn call(sample: &Sample) -> String {
    worded(sample, USER, true)
}

/// A call of somebody known by his user id and his device.
pub fn call_of_two_names(sample: &Sample) -> String {
    worded(sample, USER_AND_DEVICE, true)
}

/// A call of somebody who has told no name.
pub fn call_of_a_visitor(sample: &Sample) -> String {
    worded(sample, VISITOR, true)
}

/// A call as a line of a file: its id follows from the file's name and its place.
pub fn line(sample: &Sample) -> String {
    worded(sample, USER, false)
}

fn worded(sample: &Sample, names: &str, has_id: bool) -> String {
    let (kind, name) = match sample.name {
        Some(name) => ("properties", format!(r#""event":"{name}","#)),
        None => ("traits", String::new()),
    };
    let id = if has_id {
        format!(r#""messageId":"{MESSAGE_ID}","#)
    } else {
        String::new()
    };
    format!(
        r#"{{"type":"{}",{name}{names}{id}"timestamp":"{TIME}","{kind}":{},"context":{},"integrations":{{}}}}"#,
        sample.event_type, sample.properties, sample.context
    )
}

/// A user as Iterable's clients send one, known by his user id.
pub fn user(index: usize) -> String {
    let fields = traits(index, TIME);
    format!(r#"{{"userId":"{USER_ID}","dataFields":{fields},"preferUserId":true}}"#)
}

/// What a key is sent as in a header of the tracking API.
pub fn credential(key: &str) -> String {
    STANDARD.encode(format!("{key}:"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bench plays the sender, who has a clock of its own"
)]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A time, as long as `TIME`.
pub fn time_text(time: jiff::Timestamp) -> String {
    format!("{time:.3}")
}

/// The key of a new event.
pub fn event_id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

/// A visitor whom nobody has seen, as long as `VISITOR_ID`.
pub fn new_visitor() -> String {
    format!("visitor-{:012x}", rand::random::<u64>() >> 16)
}
