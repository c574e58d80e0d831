//! What is mended of a call, and what is told of it; and the law that nothing else is lost.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// The codes and fields that are told of a track with these fields.
fn told(fields: &str) -> Vec<(&'static str, String)> {
    let text = format!(r#"{{"type":"track","event":"e","userId":"u"{fields}}}"#);
    let command = command(&text);
    let told = command.warnings().iter();
    told.map(|it| (it.code, it.field.clone())).collect()
}

fn one(code: &'static str, field: &str) -> Vec<(&'static str, String)> {
    vec![(code, field.to_owned())]
}

fn occurred(fields: &str) -> Timestamp {
    let text = format!(r#"{{"type":"track","event":"e","userId":"u"{fields}}}"#);
    command(&text).occurred_at()
}

#[test]
fn a_time_that_cannot_be_read_leaves_it_to_the_next() {
    let junk = r#","timestamp":"10013-01-01T00:00:00Z""#;
    assert_eq!(told(junk), one("bad_time", "timestamp"));
    assert_eq!(occurred(junk), at(NOW));
    let next = r#","timestamp":{},"originalTimestamp":"soon","createdAt":"2024-01-02""#;
    assert_eq!(occurred(next), at("2024-01-02"));
    assert_eq!(told(next).len(), 2);
    let odd = r#","timestamp":"2017-1-05T16:44:34+0800""#;
    assert_eq!(told(odd), one("odd_time", "timestamp"));
    assert_eq!(occurred(odd), at("2017-01-05T08:44:34Z"));
    assert!(told(r#","timestamp":"2024-01-02""#).is_empty());
}

#[test]
fn zero_values_of_times_are_absent() {
    for zero in ["0001-01-01T00:00:00Z", "0000-00-00", "1899-12-31T23:59:59Z"] {
        let fields = format!(r#","timestamp":"{zero}""#);
        assert_eq!(told(&fields), one("no_time", "timestamp"));
        assert_eq!(occurred(&fields), at(NOW));
        let sent = format!(r#","timestamp":"2024-01-02","sentAt":"{zero}""#);
        assert_eq!(told(&sent), one("no_sent_at", "sentAt"));
        assert_eq!(occurred(&sent), at("2024-01-02"));
    }
    let moved_away = r#","timestamp":"1901-01-01","sentAt":"9998-01-01""#;
    assert_eq!(occurred(moved_away), at(NOW));
    assert_eq!(told(moved_away), one("bad_time", "timestamp"));
}

#[test]
fn what_stands_where_an_object_is_meant_costs_nothing_else() {
    for empty in ["[]", r#""""#, "false"] {
        let fields = format!(r#","properties":{empty}"#);
        assert_eq!(told(&fields), one("empty_object", "properties"));
    }
    for other in ["[1]", r#""text""#, "true", "7"] {
        for field in ["properties", "context"] {
            let fields = format!(r#","{field}":{other}"#);
            assert_eq!(told(&fields), one("not_an_object", field));
        }
    }
    let text = r#"{"type":"identify","userId":"u","traits":[1],"context":{"traits":3,"ip":"1"}}"#;
    let command = command(text);
    let fields: Vec<&str> = command.warnings().iter().map(|it| &*it.field).collect();
    assert_eq!(fields, ["traits", "context.traits"]);
    assert_eq!(event(text).properties.as_str(), "{}");
}

#[test]
fn a_trait_over_its_limit_is_left_out_and_the_rest_stored() {
    let long = "x".repeat(110_000);
    let text =
        format!(r#"{{"type":"identify","userId":"u","traits":{{"bio":"{long}","plan":"pro"}}}}"#);
    assert_eq!(traits(&text)[0].0, "plan");
    let warnings = command(&text).warnings().to_vec();
    assert_eq!(
        (warnings[0].code, &*warnings[0].field),
        ("trait_too_large", "traits.bio")
    );
    let many: Map<String, Value> = (0..1_003).map(|n| (format!("t{n:04}"), json!(n))).collect();
    let text = json!({"type": "identify", "userId": "u", "traits": many}).to_string();
    assert_eq!(traits(&text).len(), 1_000);
    let fields: Vec<String> = command(&text)
        .warnings()
        .iter()
        .map(|it| it.field.clone())
        .collect();
    assert_eq!(fields, ["traits.t1000", "traits.t1001", "traits.t1002"]);
}

#[test]
fn properties_over_their_limit_are_left_out() {
    let many: Map<String, Value> = (0..9_000).map(|n| (format!("p{n:04}"), json!(n))).collect();
    let text = json!({"type": "page", "userId": "u", "properties": many}).to_string();
    assert_eq!(event(&text).properties.count_keys(), 8_000);
    let warnings = command(&text).warnings().to_vec();
    assert_eq!(
        (warnings[0].code, &*warnings[0].field),
        ("too_many_properties", "properties")
    );
    assert!(
        warnings[0].message.contains("1000 members"),
        "{}",
        warnings[0].message
    );
}

#[test]
fn of_two_calls_without_a_time_the_later_wins() {
    let (source, limits) = (source(None), limits());
    let text = r#"{"batch":[{"type":"page","userId":"u"},{"type":"page","userId":"u","timestamp":"2030-01-01"}]}"#;
    let body = Document::new(
        Body::loose(Bytes::copy_from_slice(text.as_bytes())),
        1 << 20,
    );
    let body = body.expect("room");
    let batch = envelope::batch(body.text().expect("text"), 10).expect("a batch");
    let surroundings = Surroundings::new(&source, &limits, &body, &batch);
    let calls = batch.calls.iter().enumerate();
    let times: Vec<i64> = calls
        .map(|(index, call)| {
            let call = call.as_ref().expect("an object");
            surroundings
                .command(call, Some(index))
                .expect("valid")
                .occurred_at()
                .micros()
        })
        .collect();
    assert_eq!(times, [at(NOW).micros() - 1, at(NOW).micros()]);
}

/// The documented codes that a call by itself can be refused with.
const REFUSALS: [Code; 9] = [
    Code::UnknownType,
    Code::MissingIdentity,
    Code::MissingField,
    Code::InvalidField,
    Code::TooLong,
    Code::TooDeep,
    Code::NumberTooLarge,
    Code::EventTooLarge,
    Code::TooManyIdentities,
];

fn valid_calls() -> Vec<Value> {
    let common = |more: Value| {
        let mut call = json!({"userId": "u", "anonymousId": "a", "messageId": "m", "timestamp": "2024-01-02T03:04:05Z",
            "originalTimestamp": "2024-01-02T03:04:05Z", "sentAt": "2024-01-02T03:04:06Z", "context": {"ip": "1"}});
        let members = more.as_object().expect("an object").clone();
        call.as_object_mut().expect("an object").extend(members);
        call
    };
    vec![
        common(json!({"type": "track", "event": "E", "properties": {"p": 1}, "category": "c"})),
        common(json!({"type": "identify", "traits": {"plan": "pro"}})),
        common(json!({"type": "page", "name": "N", "properties": {"p": 1}})),
        common(json!({"type": "group", "groupId": "g", "traits": {"n": 1}})),
        common(json!({"type": "alias", "previousId": "before"})),
        common(
            json!({"type": "merge", "mergeProperties": [{"type": "email", "value": "a@b"}, {"type": "userId", "value": "v"}]}),
        ),
    ]
}

fn junk() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        select(vec![
            "",
            "soon",
            "0001-01-01T00:00:00Z",
            "2024-01-02T3:04 PM"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z$:]{0,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// True where a field of that value is kept as it came, or says nothing.
fn is_kept(field: &str, value: &Value) -> bool {
    let is_id = value.is_string() || value.is_number() || value.is_null();
    match field {
        "userId" | "anonymousId" | "messageId" | "name" => is_id,
        "properties" | "traits" | "context" => value.is_object() || value.is_null(),
        "event" => value.is_string() || value.is_null(),
        "timestamp" | "sentAt" => {
            value.is_null() || value == "" || value.is_string() || value.is_number()
        }
        _ => true,
    }
}

proptest! {
    #[test]
    fn laws_junk_in_any_field_is_refused_by_a_documented_code_or_told(
        call in select(valid_calls()),
        places in prop::collection::vec((any::<prop::sample::Index>(), junk()), 1..4),
    ) {
        let mut call = call;
        let members = call.as_object_mut().expect("an object");
        let names: Vec<String> = members.keys().cloned().collect();
        for (place, value) in places {
            members.insert(names[place.index(names.len())].clone(), value);
        }
        let text = call.to_string();
        let command = match read_from(&source(None), &text) {
            Err(rejection) => {
                prop_assert!(REFUSALS.contains(&rejection.code), "{rejection}: {text}");
                return Ok(());
            }
            Ok(command) => command,
        };
        let told: Vec<&str> = command.warnings().iter().map(|it| &*it.field).collect();
        let event_type = command.event().expect("an event").event_type;
        for (field, value) in call.as_object().expect("an object") {
            // A field that the type has no use for is not read.
            let is_read = match field.as_str() {
                "name" => matches!(event_type, EventType::Page),
                "userId" | "anonymousId" => call["type"].as_str().is_none_or(|it| it.trim() != "merge"),
                _ => true,
            };
            prop_assert!(!is_read || is_kept(field, value) || told.contains(&&**field), "{field}: {text} {told:?}");
        }
        let properties = command.event().expect("an event").properties.clone();
        let own = match event_type {
            EventType::Identify | EventType::Group => &call["traits"],
            EventType::Alias => &Value::Null,
            _ => &call["properties"],
        };
        for (name, value) in own.as_object().into_iter().flatten() {
            let stored = properties.member(name).map(|it| it.canonical());
            prop_assert_eq!(stored, Some(Json::of(value).canonical()), "{} of {}", name, text);
        }
    }
}
