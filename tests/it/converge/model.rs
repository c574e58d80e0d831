//! What people do, and what must be left of it. The model knows no order of arrival: names that were ever used together are one
//! person's, the newest value of a trait wins, an erasure takes all that happened before it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use roster::domain::EventId;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// The first second of everybody's past.
const BEGINNING: i64 = 1_704_067_200;

/// Marks what is sent with a write key. No reader of calls knows it.
pub const BY_WRITE_KEY: &str = "byWriteKey";

/// Somebody with three to seven names.
pub struct Person {
    key: String,
    pub user: String,
    devices: Vec<String>,
    has_email: bool,
    was_somebody_else: bool,
    /// Whose user id a page with a write key says is theirs, where one does: that gives them a device of this name, and nothing else.
    claims: Option<String>,
    /// Somebody at the customer's joins two of the person's profiles by hand.
    pub merges: bool,
    pub is_erased: bool,
    comes_back: bool,
    /// Somebody at the customer's joins a stranger to the person, and takes them apart again.
    meets: bool,
    past: Vec<Value>,
    /// What an old device keeps until the person is erased.
    pub late: Vec<Value>,
    future: OnceLock<Vec<Value>>,
}

/// What is read in the end.
pub struct Expected {
    pub names: BTreeSet<String>,
    pub traits: Value,
    /// Message ids, newest first.
    pub timeline: Vec<String>,
}

/// A reference.
pub fn name(kind: &str, value: &str) -> String {
    format!("{kind}:{value}")
}

impl Person {
    /// The same for the same seed and number.
    pub fn drawn(seed: u64, number: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed << 32 | (1 << 20) | number as u64);
        let key = format!("{seed}-{number}");
        let devices = (0..rng.random_range(2..=3)).map(|device| format!("device-{key}-{device}"));
        let mut person = Self {
            user: format!("user-{key}"),
            devices: devices.collect(),
            key,
            has_email: rng.random_bool(0.6),
            was_somebody_else: rng.random_bool(0.3),
            claims: rng
                .random_bool(0.3)
                .then(|| format!("user-{seed}-{}", number + 1)),
            merges: rng.random_bool(0.2),
            is_erased: rng.random_bool(0.3),
            comes_back: rng.random_bool(0.5),
            meets: rng.random_bool(0.3),
            past: Vec::new(),
            late: Vec::new(),
            future: OnceLock::new(),
        };
        person.past = person.draw_past(&mut rng);
        if person.is_erased {
            // The last three tie no name to anybody.
            person.late = person.past.split_off(person.past.len() - 3);
        }
        person
    }

    /// All names: the user id, then the devices, then what else there is.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![name("user_id", &self.user)];
        names.extend(
            self.devices
                .iter()
                .map(|device| name("anonymous_id", device)),
        );
        if self.has_email {
            names.push(name("email", &self.email()));
        }
        if self.was_somebody_else {
            names.push(name("user_id", &self.old_user()));
        }
        let claimed = self.claims.iter();
        names.extend(claimed.map(|user| name("anonymous_id", user)));
        names
    }

    fn email(&self) -> String {
        format!("{}@example.com", self.key)
    }

    fn old_user(&self) -> String {
        format!("old-{}", self.key)
    }

    /// What a stranger did who is taken for the person for a while; nothing where nobody is. All of it is newer than the person's past.
    pub fn stranger(&self) -> Option<(String, Vec<Value>)> {
        let user = format!("stranger-{}", self.key);
        let at = |second: i64| BEGINNING + 10_000 + second;
        let calls = vec![
            json!({"type": "identify", "userId": user, "traits": {"plan": "other", "city": null, "boat": 1}, "timestamp": at(1), "messageId": format!("{user}-1")}),
            json!({"type": "track", "event": "Seen", "userId": user, "timestamp": at(2), "messageId": format!("{user}-2")}),
        ];
        (self.meets && !self.is_erased).then_some((name("user_id", &user), calls))
    }

    pub fn past(&self) -> Vec<Value> {
        self.past.clone()
    }

    /// Calls that tie every name to the person, and others between them; each at a time of its own, but for some that share one.
    fn draw_past(&self, rng: &mut StdRng) -> Vec<Value> {
        let mut calls: Vec<Value> = self
            .devices
            .iter()
            .map(|device| json!({"type": "identify", "userId": self.user, "anonymousId": device}))
            .collect();
        if self.has_email {
            calls.push(
                json!({"type": "identify", "userId": self.user, "traits": {"email": self.email()}}),
            );
        }
        if self.was_somebody_else {
            calls
                .push(json!({"type": "alias", "userId": self.user, "previousId": self.old_user()}));
            calls.push(json!({"type": "track", "event": "Seen", "userId": self.old_user()}));
        }
        if let Some(user) = &self.claims {
            calls.push(json!({"type": "alias", "userId": self.user, "previousId": user, BY_WRITE_KEY: true}));
        }
        for _ in 0..rng.random_range(4..10) {
            calls.push(self.draw_call(rng));
        }
        for (number, call) in calls.iter_mut().enumerate() {
            // Times go down where numbers go up, so that no order of sending is the order of times by itself.
            let at = BEGINNING + rng.random_range(0..20) * 100 - number as i64 % 7;
            call["timestamp"] = json!(at);
            call["messageId"] = json!(format!("{}-{number:02}", self.key));
            if call["type"] == "identify" && call["traits"].is_null() {
                call["traits"] = drawn_traits(rng);
            }
        }
        calls
    }

    fn draw_call(&self, rng: &mut StdRng) -> Value {
        let device = &self.devices[rng.random_range(0..self.devices.len())];
        match rng.random_range(0..5) {
            0 => json!({"type": "track", "event": "Seen", "userId": self.user}),
            1 => json!({"type": "track", "event": "Seen", "anonymousId": device}),
            2 => {
                json!({"type": "page", "name": "Home", "userId": self.user, "anonymousId": device})
            }
            3 => json!({"type": "identify", "anonymousId": device}),
            _ => json!({"type": "identify", "userId": self.user}),
        }
    }

    /// What an erased person does afterwards; nothing, if they stay away. To be asked for first when the erasure is done.
    pub fn future(&self) -> Vec<Value> {
        let draw = || {
            let now = jiff::Timestamp::now();
            let device = &self.devices[0];
            let calls = [
                json!({"type": "identify", "userId": self.user, "anonymousId": device, "traits": {"plan": "new"}}),
                json!({"type": "track", "event": "Back", "anonymousId": device}),
            ];
            let dated = calls.into_iter().enumerate().map(|(number, mut call)| {
                call["timestamp"] = json!(now.to_string());
                call["messageId"] = json!(format!("{}-new-{number}", self.key));
                call
            });
            dated.filter(|_| self.comes_back).collect()
        };
        self.future.get_or_init(draw).clone()
    }

    /// What must be read; nothing of somebody who is gone.
    pub fn expected(&self) -> Option<Expected> {
        if !self.is_erased {
            return Some(expected(self.names().into_iter().collect(), &self.past));
        }
        let names = [
            name("user_id", &self.user),
            name("anonymous_id", &self.devices[0]),
        ];
        self.comes_back.then(|| {
            // Times do not matter here: only one call has traits, and both happen at once.
            let calls = [
                json!({"type": "identify", "traits": {"plan": "new"}, "timestamp": 0, "messageId": format!("{}-new-0", self.key)}),
                json!({"type": "track", "timestamp": 0, "messageId": format!("{}-new-1", self.key)}),
            ];
            expected(names.into_iter().collect(), &calls)
        })
    }
}

fn drawn_traits(rng: &mut StdRng) -> Value {
    let mut traits = Map::new();
    for key in ["plan", "city", "age"] {
        if rng.random_bool(0.5) {
            let value = if rng.random_bool(0.2) {
                Value::Null
            } else {
                json!(rng.random_range(0..9))
            };
            traits.insert(key.to_owned(), value);
        }
    }
    Value::Object(traits)
}

fn expected(names: BTreeSet<String>, calls: &[Value]) -> Expected {
    let at = |call: &Value| call["timestamp"].as_i64().expect("seconds");
    let mut traits = Map::new();
    for key in ["email", "plan", "city", "age"] {
        let stated = calls.iter().filter(|call| call["type"] == "identify");
        let stated = stated.filter_map(|call| Some((at(call), call["traits"].get(key)?)));
        // Of equals in time the larger by its text: digits are, and letters ("null") are larger still.
        let newest = stated.max_by_key(|(at, value)| (*at, value.to_string()));
        if let Some((_, value)) = newest.filter(|(_, value)| !value.is_null()) {
            traits.insert(key.to_owned(), value.clone());
        }
    }
    let id = |call: &Value| call["messageId"].as_str().expect("text").to_owned();
    let mut timeline: Vec<&Value> = calls.iter().collect();
    // Events of one instant are in the order of their keys.
    timeline.sort_by_key(|call| std::cmp::Reverse((at(call), EventId::of(&id(call)))));
    Expected {
        names,
        traits: Value::Object(traits),
        timeline: timeline.into_iter().map(id).collect(),
    }
}
