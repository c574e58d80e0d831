//! What workers send, and the fingerprint by which it is known again in the database.

use rand::{random_bool, random_range};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The earliest time that calls speak of, in microseconds since 1970, and the seconds over which they spread: few enough that
/// many calls about one person share a time, and ties have to be broken.
const EPOCH: i64 = 1_704_067_200_000_000;
const SECONDS: i64 = 2_000;

/// What a paper keeps of an item: enough to know it again, and to fold its traits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Promise {
    pub project: i32,
    pub user: String,
    pub seq: u64,
    pub message_id: String,
    /// The fingerprint of all its fields.
    pub hash: String,
    /// When it happened, in microseconds since 1970.
    pub at: i64,
    /// What an identify call says.
    pub traits: Option<Map<String, Value>>,
    /// It names the user's device too.
    pub names_device: bool,
    /// Wrong on purpose: to be refused, and never stored.
    pub is_bad: bool,
}

/// An item, and what was promised about it.
#[derive(Clone)]
pub struct Call {
    pub promise: Promise,
    pub body: Value,
}

/// Who speaks, and about how many people all together.
#[derive(Clone, Copy)]
pub struct Speaker {
    pub project: i32,
    pub worker: usize,
    pub people: u32,
}

impl Speaker {
    /// Makes up the next call: mostly tracks, some identifies, a few bad ones.
    pub fn call(self, seq: u64) -> Call {
        let user = format!("user-{}", random_range(0..self.people));
        let id = message_id(self.worker, seq);
        match random_range(0..100) {
            0..3 => self.bad(seq, user, id),
            3..30 => self.identify(seq, user, id),
            _ => self.track(seq, user, id),
        }
    }

    fn track(self, seq: u64, user: String, message_id: String) -> Call {
        let properties = json!({"seq": seq, "price": 0.25, "text": "ä\u{1F600} \"quoted\"", "list": [1, null, {"deep": seq}]});
        let mut body = json!({"type": "track", "event": format!("Event {}", seq % 7), "properties": properties});
        if random_bool(0.3) {
            body["anonymousId"] = json!(format!("device-of-{user}"));
        }
        self.finish(seq, user, message_id, body)
    }

    fn identify(self, seq: u64, user: String, message_id: String) -> Call {
        let mut traits = Map::new();
        for name in ["plan", "city", "age", "team", "visits"] {
            if random_bool(0.4) {
                // Every value says whose it is, so that the judge sees which write a trait comes from.
                let value = if random_bool(0.1) {
                    Value::Null
                } else {
                    json!(format!("{name} of {message_id}"))
                };
                traits.insert(name.to_owned(), value);
            }
        }
        self.finish(
            seq,
            user,
            message_id,
            json!({"type": "identify", "traits": traits}),
        )
    }

    /// A track without the name of an event.
    fn bad(self, seq: u64, user: String, message_id: String) -> Call {
        let mut call = self.finish(seq, user, message_id, json!({"type": "track"}));
        call.promise.is_bad = true;
        call
    }

    fn finish(self, seq: u64, user: String, message_id: String, mut body: Value) -> Call {
        let at = EPOCH + random_range(0..SECONDS) * 1_000_000;
        let time = jiff::Timestamp::from_microsecond(at).expect("a near time");
        body["userId"] = json!(user);
        body["messageId"] = json!(message_id);
        body["timestamp"] = json!(time.to_string());
        body["context"] = json!({"worker": self.worker});
        let traits = body.get("traits").and_then(Value::as_object).cloned();
        let properties = body.get("properties").or(body.get("traits"));
        let stored = Stored {
            user: &user,
            kind: body["type"].as_str().unwrap_or_default(),
            name: body["event"].as_str(),
            at,
            properties: properties.unwrap_or(&Value::Null),
            context: &body["context"],
        };
        let hash = stored.hash();
        Call {
            promise: Promise {
                names_device: body.get("anonymousId").is_some(),
                project: self.project,
                user,
                seq,
                message_id,
                hash,
                at,
                traits,
                is_bad: false,
            },
            body,
        }
    }
}

/// Half of the ids are UUIDs and half are not: they are stored in different ways.
fn message_id(worker: usize, seq: u64) -> String {
    if random_bool(0.5) {
        Uuid::new_v4().to_string()
    } else {
        format!("w{worker}-{seq}-{}", Uuid::new_v4().simple())
    }
}

/// The fields of an event that have to come back as they were sent.
#[derive(Serialize)]
pub struct Stored<'a> {
    pub user: &'a str,
    pub kind: &'a str,
    pub name: Option<&'a str>,
    pub at: i64,
    pub properties: &'a Value,
    pub context: &'a Value,
}

impl Stored<'_> {
    /// Equal for equal content, however the JSON is spelled: the members of an object are sorted by `Value`.
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(self).expect("plain values");
        Sha256::digest(text)[..12]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
