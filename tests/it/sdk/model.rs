//! What must be stored after a plan, by rules simple enough to be believed: the reference that the service is held against.

use super::Sdk;
use super::plan::{Call, Plan};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An identity's kind and value.
pub type Name = (String, String);

/// A person as they must be read afterwards.
pub struct Expected {
    pub names: BTreeSet<Name>,
    pub traits: Value,
    /// By message id. `occurred_at` is null where the call had no time.
    pub events: BTreeMap<String, Value>,
    /// Message ids of the calls that had a time, newest first.
    pub order: Vec<String>,
}

impl Expected {
    /// What a plan comes to for one of its people.
    pub fn of(plan: &Plan, person: usize, sdk: &Sdk) -> Self {
        let mut timed: Vec<&Call> = plan
            .calls_of(person)
            .filter(|call| call.line["timestamp"].is_string())
            .collect();
        timed.sort_by_key(|call| call.line["timestamp"].to_string());
        let newest_first = timed.iter().rev();
        Self {
            names: plan.calls_of(person).flat_map(names).collect(),
            traits: folded_traits(&timed, sdk),
            order: newest_first
                .map(|call| call.message_id().to_owned())
                .collect(),
            events: plan
                .calls_of(person)
                .map(|call| (call.message_id().to_owned(), event(call, sdk)))
                .collect(),
        }
    }
}

/// The stored event, but for what only the service knows: its id, and when it was received.
fn event(call: &Call, sdk: &Sdk) -> Value {
    let line = &call.line;
    let name = match call.kind() {
        "track" => &line["event"],
        "page" | "screen" => &line["name"],
        "group" => &line["group_id"],
        "alias" => &line["previous_id"],
        _ => &Value::Null,
    };
    let name = (!name.is_null()).then(|| text(name));
    json!({
        "type": call.kind(),
        "name": name,
        "message_id": call.message_id(),
        "occurred_at": line["timestamp"],
        "properties": properties(call, sdk),
        "context": context(call, sdk),
    })
}

fn properties(call: &Call, sdk: &Sdk) -> Map<String, Value> {
    match call.kind() {
        "identify" => traits(call, sdk),
        "group" => object(&call.line["traits"]),
        "alias" => Map::new(),
        _ => {
            let mut properties = object(&call.line["properties"]);
            let category = call.line.get("category").cloned();
            let overrides = sdk.page_category_overrides && call.kind() == "page";
            let is_sent = !(sdk.is_java && call.kind() == "screen");
            if let Some(category) =
                category.filter(|_| is_sent && (overrides || !properties.contains_key("category")))
            {
                properties.insert("category".into(), category);
            }
            properties
        }
    }
}

/// What an identify says about the person: its traits, and those in its context that it does not name itself.
fn traits(call: &Call, sdk: &Sdk) -> Map<String, Value> {
    let mut traits = object(&context(call, sdk)["traits"]);
    traits.extend(object(&call.line["traits"]));
    traits
}

fn context(call: &Call, sdk: &Sdk) -> Value {
    let mut context = object(&call.line["context"]);
    let (name, version) = sdk.library();
    context.insert("library".into(), json!({"name": name, "version": version}));
    if sdk.traits_go_to_context && call.kind() == "identify" {
        context.insert("traits".into(), call.line["traits"].clone());
    }
    Value::Object(context)
}

/// Newest wins, trait by trait; null removes. `calls` are in the order of their times, which are all different.
fn folded_traits(calls: &[&Call], sdk: &Sdk) -> Value {
    let mut folded = Map::new();
    let identifies = calls.iter().filter(|call| call.kind() == "identify");
    identifies.for_each(|call| folded.extend(traits(call, sdk)));
    folded.retain(|_, value| !value.is_null());
    Value::Object(folded)
}

/// The names that a call gives its person.
fn names(call: &Call) -> Vec<Name> {
    let named =
        |kind: &str, value: &Value| (!value.is_null()).then(|| (kind.to_owned(), text(value)));
    let email = &call.line["traits"]["email"];
    let email = email.as_str().filter(|_| call.kind() == "identify");
    let email = email.map(|email| ("email".to_owned(), email.trim().to_lowercase()));
    [
        named("user_id", &call.line["user_id"]),
        named("anonymous_id", &call.line["anonymous_id"]),
        named("anonymous_id", &call.line["previous_id"]),
        email,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Ids may be numbers, and are texts from then on.
fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
