//! Requests as Segment's Node SDK makes them, written once; before each sending only ids and times change, in place.

use super::plan::BATCH_ITEMS;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Stand in a template for what changes, each as long as that.
const MESSAGE_ID: &str = "@message-id-of-exactly-36-characters";
const USER_ID: &str = "@user-id----";
const TIME: &str = "@time-in-24-characters--";
/// What stands before the key in a request's head.
const BASIC: &[u8] = b"Authorization: Basic ";

const NAMES: [&str; 5] = [
    "Product Viewed",
    "Product Added",
    "Checkout Started",
    "Order Completed",
    "Article Read",
];
const COLOURS: [&str; 4] = ["black", "navy", "olive", "white"];

/// The id of a person, as long as `USER_ID`.
pub fn user_id(number: u32) -> String {
    format!("user-{number:07}")
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

/// A whole HTTP request in one buffer.
pub struct Request {
    bytes: Vec<u8>,
    message_ids: Vec<usize>,
    user_ids: Vec<usize>,
    times: Vec<usize>,
}

impl Request {
    /// A single call to `path`.
    pub fn single(path: &str, key: &str, index: usize) -> Self {
        Self::new(path, key, &call(&track(index)))
    }

    /// A batch; `index` tells the batches of several connections apart.
    pub fn batch(key: &str, index: usize, sample: fn(usize) -> Sample) -> Self {
        Self::many("/v1/batch", key, (index, BATCH_ITEMS), sample)
    }

    /// So many calls, of the `index`th sort, to a path that takes batches.
    pub fn many(
        path: &str,
        key: &str,
        (index, items): (usize, usize),
        sample: fn(usize) -> Sample,
    ) -> Self {
        let first = index * items;
        let calls: Vec<String> = (first..first + items)
            .map(|item| call(&sample(item)))
            .collect();
        let body = format!(r#"{{"batch":[{}],"sentAt":"{TIME}"}}"#, calls.join(","));
        Self::new(path, key, &body)
    }

    fn new(path: &str, key: &str, body: &str) -> Self {
        let key = credential(key);
        let length = body.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: analytics-node/2.3.0\r\nAccept: */*\r\nAuthorization: Basic {key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let places = |mark: &str| memmem::find_iter(text.as_bytes(), mark).collect();
        Self {
            message_ids: places(MESSAGE_ID),
            user_ids: places(USER_ID),
            times: places(TIME),
            bytes: text.into(),
        }
    }

    /// Sends in the name of another key of the same length.
    pub fn address(&mut self, key: &str) {
        let key = credential(key);
        let at = memmem::find(&self.bytes, BASIC).expect("written here") + BASIC.len();
        self.bytes[at..at + key.len()].copy_from_slice(key.as_bytes());
    }

    /// What was last sent, as it was.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes new events of it: new message ids, people drawn from all, the time now. Returns what to send.
    pub fn renew(&mut self, people: u32) -> &[u8] {
        for at in &self.message_ids {
            let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
            id.hyphenated()
                .encode_lower(&mut self.bytes[*at..*at + MESSAGE_ID.len()]);
        }
        for at in &self.user_ids {
            let id = user_id(rand::random_range(0..people));
            self.bytes[*at..*at + USER_ID.len()].copy_from_slice(id.as_bytes());
        }
        let time = now_text();
        for at in &self.times {
            self.bytes[*at..*at + TIME.len()].copy_from_slice(time.as_bytes());
        }
        &self.bytes
    }
}

fn credential(key: &str) -> String {
    STANDARD.encode(format!("{key}:"))
}

fn call(sample: &Sample) -> String {
    let (kind, name) = match sample.name {
        Some(name) => ("properties", format!(r#""event":"{name}","#)),
        None => ("traits", String::new()),
    };
    format!(
        r#"{{"type":"{}",{name}"userId":"{USER_ID}","messageId":"{MESSAGE_ID}","timestamp":"{TIME}","{kind}":{},"context":{},"integrations":{{}}}}"#,
        sample.event_type, sample.properties, sample.context
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bench plays the sender, who has a clock of its own"
)]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The time now, as long as `TIME`.
pub fn now_text() -> String {
    format!("{:.3}", now())
}

/// The key of a new event.
pub fn event_id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_about_600_bytes_and_no_mark_is_left() {
        let mut request = Request::batch("key", 3, track);
        let first = request.renew(200_000).to_vec();
        let body = first.split(|byte| *byte == b'{').count();
        assert!(body > BATCH_ITEMS);
        assert_eq!(memmem::find_iter(&first, b"@").count(), BATCH_ITEMS);
        let size = first.len() / BATCH_ITEMS;
        assert!((560..640).contains(&size), "{size} bytes");
        assert_ne!(first, request.renew(200_000));
    }

    #[test]
    fn what_is_sent_is_json() {
        for mut request in [
            Request::batch("key", 0, identify),
            Request::single("/v1/track", "key", 7),
        ] {
            let bytes = request.renew(10);
            let at = memmem::find(bytes, b"\r\n\r\n").expect("a body") + 4;
            serde_json::from_slice::<serde_json::Value>(&bytes[at..]).expect("JSON");
        }
    }
}
