//! The law of the road: a valid call with junk of any type in its fields is refused by a code of the documented list, or stored with
//! all that was readable, and each field that was changed is told.

use super::dice::Dice;
use super::fuzz::junk;
use super::{Siege, amount};
use crate::harness::Project;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const BATCH: usize = 50;
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The first column of the table under a heading of API.md.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = std::fs::read_to_string(format!("{ROOT}/docs/API.md")).expect("text");
    let (_, section) = page
        .split_once(&format!("### {heading}\n"))
        .expect("is there");
    let section = section.split("\n### ").next().expect("some");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
        .collect()
}

/// A valid call about somebody of its own.
fn valid(dice: &mut Dice, number: usize) -> Value {
    let more = [
        json!({"type": "track", "event": "Seen", "category": "c", "properties": {"p": 1, "list": [1, {"a": null}]}}),
        json!({"type": "identify", "traits": {"plan": "pro", "deep": {"a": [1.5]}}}),
        json!({"type": "page", "name": "Home", "properties": {"p": 1}}),
        json!({"type": "screen", "name": "Home", "properties": {"p": "x"}}),
        json!({"type": "group", "groupId": "g", "traits": {"n": 1}}),
        json!({"type": "alias", "previousId": format!("before-{number}")}),
    ];
    let mut call = json!({"userId": format!("user-{number}"), "anonymousId": format!("device-{number}"),
        "messageId": format!("message-{number}"), "timestamp": "2024-01-02T03:04:05.678Z",
        "originalTimestamp": "2024-01-02T03:04:05.678Z", "context": {"ip": "10.0.0.1", "os": {"name": "x"}}});
    let more = dice.pick(&more).as_object().expect("an object").clone();
    call.as_object_mut().expect("an object").extend(more);
    call
}

/// The call with junk in some of its fields, and which these are.
fn spoiled(dice: &mut Dice, number: usize) -> (Value, BTreeSet<String>) {
    let mut call = valid(dice, number);
    let names: Vec<String> = call
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    let mut touched = BTreeSet::new();
    for _ in 0..1 + dice.below(3) {
        let name = dice.pick(&names).clone();
        call[&name] = junk(dice);
        touched.insert(name);
    }
    (call, touched)
}

/// True where a value of that field is kept as it came, says nothing, or is not read by calls of the type.
fn needs_no_word(call: &Value, field: &str) -> bool {
    let (value, kind) = (&call[field], call["type"].as_str().unwrap_or_default());
    let is_id = value.is_string() || value.is_number() || value.is_null();
    match field {
        "name" => is_id || !matches!(kind, "page" | "screen"),
        "userId" | "anonymousId" | "messageId" | "timestamp" => is_id,
        "properties" => {
            value.is_object() || value.is_null() || !matches!(kind, "track" | "page" | "screen")
        }
        "traits" => value.is_object() || value.is_null() || !matches!(kind, "identify" | "group"),
        "context" => value.is_object() || value.is_null(),
        "event" => value.is_string() || kind != "track",
        _ => true,
    }
}

/// What a stored event lacks of the fields that nobody touched.
async fn lost(
    project: &Project,
    call: &Value,
    touched: &BTreeSet<String>,
    id: &str,
) -> Vec<String> {
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC).to_string();
    let stored = project.event(&id).await;
    let mut lost = Vec::new();
    let mut compare = |field: &str, ours: &Value, theirs: &Value| {
        if ours != theirs {
            lost.push(format!("{field}: {ours} is stored as {theirs}"));
        }
    };
    for (field, value) in call.as_object().expect("an object") {
        if touched.contains(field) {
            continue;
        }
        match field.as_str() {
            "type" => compare(field, value, &stored["type"]),
            "messageId" => compare(field, value, &stored["message_id"]),
            "event" | "name" | "groupId" | "previousId" => compare(field, value, &stored["name"]),
            "timestamp" => compare(field, value, &stored["occurred_at"]),
            "properties" | "traits" | "context" => {
                let place = if field == "context" {
                    "context"
                } else {
                    "properties"
                };
                for (name, own) in value.as_object().expect("an object") {
                    compare(&format!("{field}.{name}"), own, &stored[place][name]);
                }
            }
            // An alias names its user alone.
            "anonymousId" if call["type"] == "alias" => {}
            "userId" | "anonymousId" => {
                let kind = if field == "userId" {
                    "user_id"
                } else {
                    "anonymous_id"
                };
                let name = format!("{kind}:{}", value.as_str().expect("text"));
                let owner = project.profile(&name).await;
                compare(field, &owner["id"], &stored["profile_id"]);
            }
            _ => {}
        }
    }
    lost
}

#[tokio::test]
async fn siege_junk_in_any_field_is_refused_by_a_documented_code_or_told() {
    let siege = Siege::begin("junk in any field").await;
    let project = &siege.project;
    let (refusals, mendings) = (documented("Rejection codes"), documented("Mendings"));
    assert!(refusals.contains("missing_identity") && mendings.contains("bad_time"));
    let seed = std::env::var("ROSTER_SIEGE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(20_261_128);
    eprintln!("siege: junk in any field: ROSTER_SIEGE_SEED={seed}");
    let (mut dice, mut stored, mut refused) = (Dice::new(seed), 0, 0);
    for batch in 0..amount(400, 40_000).div_ceil(BATCH) {
        let calls = (0..BATCH).map(|place| spoiled(&mut dice, batch * BATCH + place));
        let (calls, touched): (Vec<Value>, Vec<BTreeSet<String>>) = calls.unzip();
        let told = project.results(&calls).await;
        assert_eq!(told.len(), calls.len());
        for ((call, touched), told) in calls.iter().zip(&touched).zip(&told) {
            let story = format!("{call}\n{told}");
            if told["status"] == "rejected" {
                refused += 1;
                assert!(
                    refusals.contains(told["code"].as_str().expect("text")),
                    "{story}"
                );
                continue;
            }
            let warnings = told["warnings"].as_array().map_or(&[][..], Vec::as_slice);
            let said = |name: &'static str| {
                warnings
                    .iter()
                    .filter_map(move |one| one[name].as_str().map(str::to_owned))
            };
            assert!(said("code").all(|code| mendings.contains(&code)), "{story}");
            for field in touched {
                assert!(
                    needs_no_word(call, field) || said("field").any(|said| said == *field),
                    "{field}: {story}"
                );
            }
            // Junk ids meet: the second of them is a duplicate.
            if told["status"] == "stored" {
                stored += 1;
                let id = told["message_id"].as_str().expect("text");
                let lost = lost(project, call, touched, id).await;
                assert!(lost.is_empty(), "{lost:?}\n{story}");
            }
        }
    }
    eprintln!("siege: junk in any field: {stored} stored, {refused} refused");
    assert!(stored > 100 && refused > 20, "{stored} {refused}");
    siege.end().await;
}
