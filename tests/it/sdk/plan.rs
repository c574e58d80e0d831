//! A made-up month of a small business: the calls that an SDK is to make, the same in every run.
//!
//! People's calls share a name whatever their order, so that the outcome depends on no order of arrival: SDKs send in parallel.

use super::Sdk;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of a plan, repeats included.
const CALLS: usize = 1_000;
/// Every so often a line is one that was there before.
const REPEATS: f64 = 0.1;
/// 2024-01-01T00:00:00Z
const BEGINNING: i64 = 1_704_067_200_000;

/// How a person's calls say whose they are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Habit {
    /// Always by user id, often with a device beside it.
    Known,
    /// By a device, sometimes with the user id beside it: somebody who logs in late.
    Late,
    /// Only ever by a device.
    Visitor,
}

/// Somebody whom the plan is about.
pub struct Person {
    habit: Habit,
    user_id: Value,
    devices: Vec<String>,
    label: String,
}

/// A call: its line, and whom it is about by their place among the people.
pub struct Call {
    pub person: usize,
    pub line: Value,
}

/// What an SDK is told to do.
pub struct Plan {
    pub people: usize,
    /// Every message once.
    pub calls: Vec<Call>,
    /// The lines, repeats included, in the order in which the SDK gets them.
    pub lines: Vec<Value>,
}

impl Call {
    pub fn message_id(&self) -> &str {
        self.line["message_id"]
            .as_str()
            .expect("every line has one")
    }

    pub fn kind(&self) -> &str {
        self.line["call"].as_str().expect("every line has one")
    }
}

impl Plan {
    /// Makes the plan of a seed, within what the SDK can carry.
    pub fn new(sdk: &Sdk, seed: u64) -> Self {
        let mut maker = Maker {
            sdk,
            random: StdRng::seed_from_u64(seed),
            times: Vec::new(),
        };
        maker.times = (0..CALLS as i64).collect();
        maker.times.shuffle(&mut maker.random);
        let people = maker.people();
        let (mut calls, mut lines) = (Vec::<Call>::new(), Vec::new());
        while lines.len() < CALLS {
            let earlier = calls.choose(&mut maker.random);
            if let Some(earlier) = earlier.filter(|_| maker.random.random_bool(REPEATS)) {
                lines.push(earlier.line.clone());
                continue;
            }
            let person = maker.random.random_range(0..people.len());
            let line = maker.call(calls.len(), &people[person]);
            lines.push(line.clone());
            calls.push(Call { person, line });
        }
        Self {
            people: people.len(),
            calls,
            lines,
        }
    }

    /// Where a person's calls stand among `calls`.
    pub fn calls_of(&self, person: usize) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(move |call| call.person == person)
    }

    /// Every group with the number of its members.
    pub fn groups(&self) -> impl Iterator<Item = (String, usize)> {
        let mut members = BTreeMap::<String, BTreeSet<usize>>::new();
        for call in self.calls.iter().filter(|call| call.kind() == "group") {
            let id = &call.line["group_id"];
            let text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            members.entry(text).or_default().insert(call.person);
        }
        members
            .into_iter()
            .map(|(group, people)| (group, people.len()))
    }

    /// The types that the plan holds.
    pub fn kinds(&self) -> BTreeSet<&str> {
        self.calls.iter().map(Call::kind).collect()
    }
}

struct Maker<'a> {
    sdk: &'a Sdk,
    random: StdRng,
    /// A time for each call, in no order.
    times: Vec<i64>,
}

impl Maker<'_> {
    fn people(&self) -> Vec<Person> {
        let person = |number: usize| {
            let (habit, user_id) = match number {
                0 if self.sdk.numeric_user_ids => (Habit::Known, json!(9_007_199_254_740_991_i64)),
                1 => (Habit::Known, json!("Zoë/ünïcode 🦆:%2F")),
                2..12 | 0 => (Habit::Known, json!(format!("user-{number}"))),
                12..18 => (Habit::Late, json!(format!("user-{number}"))),
                _ => (Habit::Visitor, Value::Null),
            };
            let devices = (1..=3).map(|device| format!("device-{number}-{device}"));
            // Late people are held together by their device, visitors have nothing else.
            let owned = if habit == Habit::Known { 3 } else { 1 };
            Person {
                habit,
                user_id,
                devices: devices.take(owned).collect(),
                label: format!("Person.{number}"),
            }
        };
        (0..24).map(person).collect()
    }

    fn call(&mut self, number: usize, person: &Person) -> Value {
        let kind = match self.random.random_range(0..100) {
            0..25 => "identify",
            25..60 => "track",
            60..75 => "page",
            75..85 => "screen",
            85..94 => "group",
            // An alias names no device, so that it could come before all else a late person is known by.
            _ if person.habit == Habit::Known => "alias",
            _ => "track",
        };
        let mut line = self.content(kind, number, person);
        line.insert("call".into(), kind.into());
        line.insert("message_id".into(), format!("{kind}-{number}/ä").into());
        self.name(&mut line, person);
        if let Some(context) = self.context(kind) {
            line.insert("context".into(), context);
        }
        if self.random.random_bool(0.1) {
            line.insert("integrations".into(), json!({"All": true}));
        }
        // Without a time an event happens now; what identify says must be told apart by its time.
        if kind != "track" || self.random.random_bool(0.9) {
            line.insert("timestamp".into(), self.time(number).into());
        }
        Value::Object(line)
    }

    /// One of the month's times, each used once.
    fn time(&self, number: usize) -> String {
        let slot = self.times[number];
        let instant = Timestamp::from_millisecond(BEGINNING + slot * 2_600_417);
        format!("{:.3}", instant.expect("in range"))
    }

    fn name(&mut self, line: &mut Map<String, Value>, person: &Person) {
        let (mut user, mut device) = match person.habit {
            Habit::Known => (true, self.random.random_bool(0.6)),
            Habit::Late => (self.random.random_bool(0.5), true),
            Habit::Visitor => (false, true),
        };
        if line["call"] == "alias" {
            (user, device) = (true, false);
        }
        if user {
            line.insert("user_id".into(), person.user_id.clone());
        }
        if device {
            let device = person.devices.choose(&mut self.random).expect("has one");
            line.insert("anonymous_id".into(), device.clone().into());
        }
    }

    fn content(&mut self, kind: &str, number: usize, person: &Person) -> Map<String, Value> {
        let content = match kind {
            "identify" => json!({"traits": self.traits(person)}),
            "track" => {
                json!({"event": self.pick(&["Order Completed", "заказ ✓", "a.b$c", "Quote \"it\"\n"]), "properties": self.facts(6)})
            }
            "group" => {
                let id = [
                    json!(format!("group-{}", number % 7)),
                    json!(1 + number % 7),
                ];
                json!({"group_id": self.pick(&id), "traits": self.facts(3)})
            }
            "alias" => {
                let id = [json!(format!("before-{number}")), json!(1_000_000 + number)];
                json!({"previous_id": self.pick(&id)})
            }
            _ => self.view(),
        };
        let Value::Object(content) = content else {
            unreachable!("made so above")
        };
        content
    }

    /// A page or a screen: with or without name, category and properties.
    fn view(&mut self) -> Value {
        let mut view = Map::new();
        // Segment's Java SDK takes none without a name.
        if self.random.random_bool(0.8) || self.sdk.is_java {
            let name = self.pick(&["Pricing", "Главная", "Home / News"]);
            view.insert("name".into(), name.into());
        }
        if self.random.random_bool(0.5) {
            let category = self.pick(&["Docs", "Blög"]);
            view.insert("category".into(), category.into());
        }
        if self.random.random_bool(0.8) {
            view.insert("properties".into(), self.facts(4));
        }
        Value::Object(view)
    }

    /// Traits out of a small choice, so that they meet; now and then `null`, which removes one.
    fn traits(&mut self, person: &Person) -> Value {
        let mut traits = Map::new();
        for trait_name in ["plan", "age", "stadt 🏙", "address", "tags", ""] {
            if self.random.random_bool(0.4) {
                let value = match self.random.random_bool(0.25) {
                    true => Value::Null,
                    false => self.value(),
                };
                traits.insert(trait_name.into(), value);
            }
        }
        if self.random.random_bool(0.3) {
            let provider = self.pick(&["Example.com", "example.ORG "]);
            traits.insert(
                "email".into(),
                format!("{}@{provider}", person.label).into(),
            );
        }
        Value::Object(traits)
    }

    fn facts(&mut self, most: usize) -> Value {
        let names = [
            "revenue", "items", "цена", "a.b", "$set", "", "nested", "category",
        ];
        let many = self.random.random_range(0..=most);
        let facts = (0..many).map(|_| (self.pick(&names).to_owned(), self.value()));
        Value::Object(facts.collect())
    }

    /// Values that every JSON library writes alike, so that they can be compared as they are.
    fn value(&mut self) -> Value {
        let common = [
            Value::Null,
            json!(true),
            json!(49.99),
            json!(-7),
            json!(9_007_199_254_740_991_i64),
            json!("Ада Лавлейс 🦆 \"quoted\" \\ \t </script> \u{2028}"),
            json!(""),
            json!([]),
            json!({}),
            json!([1, "two", null, {"three": [3, [4.5]]}]),
            json!({"city": "Łódź", "postal": {"code": "90-001", "zone": null}, "": 0}),
            json!("2020-05-06T07:08:09Z"),
        ];
        let vast = ["9007199254740993", "1180591620717411303424"];
        if self.sdk.big_integers && self.random.random_bool(0.1) {
            return serde_json::from_str(self.pick(&vast)).expect("a number");
        }
        self.pick(&common)
    }

    /// What an application adds; a person's traits in it are no news, except on identify.
    fn context(&mut self, kind: &str) -> Option<Value> {
        let mut context = Map::new();
        if self.random.random_bool(0.5) {
            context.insert("ip".into(), "203.0.113.7".into());
            context.insert("campaign".into(), json!({"name": "Frühling", "n": 1}));
        }
        if self.random.random_bool(0.3) {
            let said = if kind == "identify" {
                "referrer"
            } else {
                "plan"
            };
            context.insert("traits".into(), json!({said: self.value()}));
        }
        (!context.is_empty()).then_some(Value::Object(context))
    }

    fn pick<T: Clone>(&mut self, choice: &[T]) -> T {
        choice.choose(&mut self.random).expect("a choice").clone()
    }
}
