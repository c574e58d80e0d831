//! What people do, live and in records of an old store, and what must be left of it.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

/// The first second of everybody's past.
const BEGINNING: i64 = 1_672_531_200;
const TRAITS: [&str; 3] = ["plan", "city", "age"];

/// Something that somebody did, or that an old store says.
pub struct Deed {
    at: i64,
    what: What,
}

enum What {
    Call(Value),
    Record(Value),
    /// A record that says everything there is to be said.
    Whole(Value),
    Deletion(Value),
}

impl Deed {
    pub fn call(&self) -> Option<&Value> {
        match &self.what {
            What::Call(call) => Some(call),
            _ => None,
        }
    }

    pub fn record(&self) -> Option<&Value> {
        match &self.what {
            What::Call(_) => None,
            What::Record(record) | What::Whole(record) | What::Deletion(record) => Some(record),
        }
    }

    /// What it says of a trait; `Some(null)`: that there is none.
    fn says(&self, name: &str) -> Option<Value> {
        match &self.what {
            What::Call(said) | What::Record(said) => said["traits"].get(name).cloned(),
            What::Whole(said) => Some(said["traits"].get(name).cloned().unwrap_or_default()),
            What::Deletion(_) => None,
        }
    }
}

pub struct Person {
    pub number: usize,
    key: String,
    /// Each at a time of its own.
    pub deeds: Vec<Deed>,
    is_merged: bool,
}

impl Person {
    /// The same for the same seed and number.
    pub fn drawn(seed: u64, number: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed << 32 | (1 << 21) | number as u64);
        let is_deleted = rng.random_bool(0.4);
        let mut person = Self {
            number,
            key: format!("{seed}-{number}"),
            deeds: Vec::new(),
            is_merged: !is_deleted && rng.random_bool(0.4),
        };
        let count = rng.random_range(3..9);
        let mut times: Vec<i64> = (0..count + 3).map(|place| BEGINNING + place * 60).collect();
        times.shuffle(&mut rng);
        for at in times.iter().skip(3) {
            let deed = person.draw(&mut rng, *at);
            person.deeds.push(deed);
        }
        // A deletion is told once, or twice with two times.
        for at in times.iter().take(if is_deleted {
            rng.random_range(1..=2)
        } else {
            0
        }) {
            let record = person.record("delete", "deleted_at", *at);
            let what = What::Deletion(record);
            person.deeds.push(Deed { at: *at, what });
        }
        person
    }

    fn user(&self) -> String {
        format!("user-{}", self.key)
    }

    fn device(&self) -> String {
        format!("device-{}", self.key)
    }

    pub fn name(&self) -> String {
        format!("user_id:{}", self.user())
    }

    /// Two profiles of one person that somebody joins by hand.
    pub fn merge(&self) -> Option<(String, String)> {
        let from = || format!("anonymous_id:{}", self.device());
        let has_device = || {
            self.deeds
                .iter()
                .any(|deed| deed.call().is_some_and(|call| call.get("userId").is_none()))
        };
        (self.is_merged && has_device()).then(|| (self.name(), from()))
    }

    fn draw(&self, rng: &mut StdRng, at: i64) -> Deed {
        let mut traits = drawn_traits(rng);
        if traits.as_object().is_some_and(Map::is_empty) {
            // A record that only names somebody is no sign of life, as BACKFILL.md says.
            traits["plan"] = Value::Null;
        }
        let what = match rng.random_range(0..10) {
            0..4 => What::Call(self.call(rng, at, traits)),
            4..8 => {
                let mut record = self.record("upsert", "updated_at", at);
                record["traits"] = traits;
                What::Record(record)
            }
            _ => {
                let mut record = self.record("upsert", "updated_at", at);
                record["traits"] = traits;
                record["whole"] = json!(true);
                What::Whole(record)
            }
        };
        Deed { at, what }
    }

    fn call(&self, rng: &mut StdRng, at: i64, traits: Value) -> Value {
        let id = format!("{}-{at}", self.key);
        let mut call =
            json!({"type": "identify", "timestamp": at, "messageId": id, "traits": traits});
        // Somebody who will be merged does some of it by a device that nobody knows yet.
        if self.is_merged && rng.random_bool(0.5) {
            call["anonymousId"] = json!(self.device());
        } else {
            call["userId"] = json!(self.user());
        }
        call
    }

    fn record(&self, kind: &str, field: &str, at: i64) -> Value {
        let at = jiff::Timestamp::from_second(at)
            .expect("a time")
            .to_string();
        json!({"roster": 1, "type": kind, "identities": {"user_id": self.user()}, field: at})
    }

    /// The traits in the end; null of nobody.
    pub fn expected(&self) -> Value {
        let deletions = self
            .deeds
            .iter()
            .filter(|deed| matches!(deed.what, What::Deletion(_)));
        let deleted = deletions.map(|deed| deed.at).max().unwrap_or(0);
        let left = || {
            self.deeds
                .iter()
                .filter(|deed| deed.at > deleted && !matches!(deed.what, What::Deletion(_)))
        };
        if left().next().is_none() {
            return Value::Null;
        }
        let mut traits = Map::new();
        for name in TRAITS {
            let said = left().filter_map(|deed| Some((deed.at, deed.says(name)?)));
            let newest = said.max_by_key(|(at, _)| *at);
            if let Some((_, value)) = newest.filter(|(_, value)| !value.is_null()) {
                traits.insert(name.to_owned(), value);
            }
        }
        Value::Object(traits)
    }
}

fn drawn_traits(rng: &mut StdRng) -> Value {
    let mut traits = Map::new();
    for name in TRAITS {
        if rng.random_bool(0.6) {
            let value = if rng.random_bool(0.2) {
                Value::Null
            } else {
                json!(rng.random_range(0..9))
            };
            traits.insert(name.to_owned(), value);
        }
    }
    Value::Object(traits)
}
