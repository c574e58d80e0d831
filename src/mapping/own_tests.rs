//! Roster's own format.

use super::row_tests::{KAFKA, START, at, read_with, traits};
use super::*;
use crate::domain::{Code, EventType, IdentityKind, Mode, Stamp};
use serde_json::{Value, json};

/// A record with the members that every one has.
fn record(kind: &str, more: Value) -> Value {
    let mut record = json!({"roster": 1, "type": kind, "identities": {"user_id": 7}});
    let more = more.as_object().expect("an object").clone();
    record.as_object_mut().expect("an object").extend(more);
    record
}

fn read(record: &Value) -> Result<Reading, Rejection> {
    let value = record.to_string();
    read_with(&Mapping::roster(), None, Some(value.as_bytes()), &[])
}

fn taken(kind: &str, more: Value) -> (Command, Vec<Warning>) {
    match read(&record(kind, more)) {
        Ok(Reading::Command { command, warnings }) => (*command, warnings),
        other => panic!("{other:?}"),
    }
}

fn refused(kind: &str, more: Value) -> (Code, String) {
    let rejection = read(&record(kind, more)).expect_err("a rejection");
    (rejection.code, rejection.field.unwrap_or_default())
}

fn warned(warnings: &[Warning]) -> Vec<(&str, &str)> {
    let all = warnings.iter();
    all.map(|one| (one.code, one.field.as_str())).collect()
}

/// What a command says about its person's traits.
fn write(command: &Command) -> &crate::domain::TraitWrite {
    let person = command.subjects().next().expect("a person");
    person.traits.expect("traits")
}

#[test]
fn an_upsert_says_traits_as_of_its_time() {
    let (command, warnings) = taken(
        "upsert",
        json!({"updated_at": "2023-05-01T10:00:00Z", "traits": {"plan": "pro"}}),
    );
    assert_eq!(traits(&command), json!({"plan": "pro"}));
    assert_eq!(command.occurred_at(), at("2023-05-01T10:00:00Z"));
    assert!(command.event().is_none() && !command.erases());
    assert_eq!(write(&command).mode, Mode::Single);
    assert!(warnings.is_empty());
}

#[test]
fn whole_true_is_a_document_and_nothing_else_is() {
    let mode = |whole: Value| {
        let (command, _) = taken("upsert", json!({"whole": whole, "traits": {"a": 1}}));
        write(&command).mode
    };
    assert_eq!(mode(json!(true)), Mode::Document);
    for other in [json!(false), json!("true"), json!(1), Value::Null] {
        assert_eq!(mode(other), Mode::Single);
    }
}

#[test]
fn a_deletion_erases_as_of_its_time_and_says_nothing_else() {
    let (command, warnings) = taken(
        "delete",
        json!({"deleted_at": 1_683_000_000_000_i64, "traits": {"plan": "pro"}}),
    );
    assert!(command.erases());
    assert_eq!(command.occurred_at(), at("2023-05-02T04:00:00Z"));
    assert_eq!(command.identities()[0].value, "7");
    assert!(command.subjects().all(|subject| subject.traits.is_none()));
    assert!(warnings.is_empty());
}

#[test]
fn a_deletion_without_a_time_is_of_kafka_s() {
    let (command, _) = taken("delete", json!({}));
    assert_eq!(command.occurred_at(), at(KAFKA));
    let (command, warnings) = taken("delete", json!({"deleted_at": "soon"}));
    assert_eq!(command.occurred_at(), at(KAFKA));
    assert_eq!(warned(&warnings), [("not_a_time", "deleted_at")]);
}

#[test]
fn a_deletion_of_nobody_is_refused() {
    let nobody = json!({"identities": {}});
    let expected = (Code::MissingIdentity, "identities".to_owned());
    assert_eq!(refused("delete", nobody), expected);
}

#[test]
fn an_event_has_its_id_name_time_and_properties() {
    let (command, warnings) = taken(
        "event",
        json!({"id": "e-1", "name": "Paid", "at": "2022-01-01", "properties": {"sum": 5}, "context": {"ip": "::1"}}),
    );
    let event = command.event().expect("an event");
    assert_eq!(
        (event.message_id.as_str(), event.event_type),
        ("e-1", EventType::Track)
    );
    assert_eq!(event.name.as_deref(), Some("Paid"));
    assert_eq!(event.properties.as_str(), r#"{"sum":5}"#);
    assert_eq!(event.context.as_str(), r#"{"ip":"::1"}"#);
    assert_eq!(command.occurred_at(), at("2022-01-01T00:00:00Z"));
    assert!(warnings.is_empty());
}

#[test]
fn an_event_without_an_id_is_named_after_what_it_says() {
    let id = |more: Value| {
        let (command, _) = taken("event", more);
        command.event().expect("an event").message_id.clone()
    };
    let paid = || json!({"name": "Paid", "at": "2022-01-01", "properties": {"a": 1, "b": 2}});
    assert_eq!(id(paid()), id(paid()), "a replay makes no second event");
    let other = json!({"name": "Paid", "at": "2022-01-01", "properties": {"a": 1, "b": 3}});
    assert_ne!(id(paid()), id(other));
    assert_eq!(id(json!({"id": 42, "name": "Paid"})), "42");
}

#[test]
fn events_are_of_three_kinds_and_tracks_have_names() {
    for (kind, expected) in [
        ("track", EventType::Track),
        ("page", EventType::Page),
        ("screen", EventType::Screen),
    ] {
        let (command, _) = taken("event", json!({"kind": kind, "name": "Home"}));
        assert_eq!(command.event().expect("an event").event_type, expected);
    }
    let (nameless, _) = taken("event", json!({"kind": "page"}));
    assert_eq!(nameless.event().expect("an event").name, None);
    assert_eq!(
        refused("event", json!({})),
        (Code::MissingField, "name".to_owned())
    );
    let identify = json!({"kind": "identify", "name": "x"});
    assert_eq!(
        refused("event", identify),
        (Code::UnknownType, "kind".to_owned())
    );
}

#[test]
fn a_group_has_an_id_and_traits_of_its_own() {
    let (command, warnings) = taken(
        "upsert",
        json!({"group": {"id": 5, "traits": {"size": 3}}, "traits": {"plan": "pro"}}),
    );
    let group = command.group().expect("a group");
    assert_eq!(group.identity.kind, IdentityKind::GroupId);
    assert_eq!(group.identity.value, "5");
    let of_group = group.traits.as_ref().expect("traits");
    assert_eq!(of_group.traits[0].0, "size");
    assert_eq!(traits(&command), json!({"plan": "pro"}), "not the group's");
    assert!(warnings.is_empty());
}

#[test]
fn a_group_without_an_id_is_left_out_and_the_record_is_taken() {
    let (command, warnings) = taken(
        "upsert",
        json!({"group": {"traits": {"size": 3}}, "traits": {"plan": "pro"}}),
    );
    assert!(command.group().is_none());
    assert_eq!(traits(&command), json!({"plan": "pro"}));
    assert_eq!(warned(&warnings), [("not_an_identity", "group.id")]);
    let text = json!({"group": "acme"});
    assert_eq!(
        refused("upsert", text),
        (Code::InvalidField, "group".to_owned())
    );
}

#[test]
fn the_version_is_1_and_nothing_is_read_without_it() {
    let versioned = |version: Value| {
        let mut record = record("upsert", json!({}));
        record["roster"] = version;
        read(&record)
    };
    assert!(versioned(json!(1)).is_ok());
    for other in [json!(2), json!("1"), json!(1.5), Value::Null] {
        let rejection = versioned(other.clone()).expect_err("another version");
        assert_eq!(rejection.code, Code::InvalidField, "{other}");
        assert_eq!(rejection.field.as_deref(), Some("roster"));
    }
    assert_eq!(
        refused("update", json!({})),
        (Code::UnknownType, "type".to_owned())
    );
}

#[test]
fn traits_have_times_of_their_own() {
    let (command, warnings) = taken(
        "upsert",
        json!({"updated_at": "2023-01-01", "traits": {"a": 1, "b": 2}, "times": {"a": "2021-01-01", "b": "never", "c": 0}}),
    );
    let write = write(&command);
    let micros = |text: &str| at(text).micros();
    assert_eq!(write.stamp_of("a").at, micros("2021-01-01T00:00:00Z"));
    assert_eq!(write.stamp_of("b").at, micros("2023-01-01T00:00:00Z"));
    let expected = [("not_a_time", "times.b"), ("not_a_time", "times.c")];
    assert_eq!(warned(&warnings), expected);
}

#[test]
fn a_whole_record_is_true_as_of_one_time() {
    let both = json!({"whole": true, "traits": {"a": 1}, "times": {"a": "2021-01-01"}});
    assert_eq!(
        refused("upsert", both),
        (Code::InvalidTime, "times".to_owned())
    );
}

#[test]
fn times_are_milliseconds_or_texts_and_0_or_none_is_the_start() {
    let time = |value: Value| {
        taken("upsert", json!({"updated_at": value}))
            .0
            .occurred_at()
    };
    assert_eq!(
        time(json!(1_683_000_000_000_i64)),
        at("2023-05-02T04:00:00Z")
    );
    assert_eq!(time(json!("1683000000000")), at("2023-05-02T04:00:00Z"));
    assert_eq!(
        time(json!("2023-05-02 04:00:00")),
        at("2023-05-02T04:00:00Z")
    );
    for none in [json!(0), Value::Null, json!("yesterday"), json!([1])] {
        assert_eq!(time(none.clone()), at(START), "{none}");
    }
    assert_eq!(
        time(json!("2031-01-01")),
        at(KAFKA),
        "never later than Kafka's"
    );
}

#[test]
fn a_sequence_decides_among_records_and_never_against_live_traffic() {
    let sequence = |value: Value| {
        let (command, warnings) = taken("upsert", json!({"sequence": value, "traits": {"a": 1}}));
        (write(&command).stamp.sequence, warnings.len())
    };
    assert_eq!(sequence(json!(5)), (5, 0));
    assert_eq!(sequence(json!("6")), (6, 0));
    assert_eq!(sequence(Value::Null), (i64::MIN, 0));
    assert_eq!(sequence(json!("v6")), (i64::MIN, 1));
    let (most, _) = sequence(json!(u64::MAX));
    assert_eq!(most, Stamp::LIVE - 1);
}

#[test]
fn names_that_can_be_none_are_left_out_with_a_warning() {
    let identities = json!({"identities": {"user_id": [7, "8"], "email": {"a": 1}, "Bad-Kind": "x", "group_id": "g"}});
    let (command, warnings) = taken("upsert", identities);
    let values: Vec<&str> = command
        .identities()
        .iter()
        .map(|name| name.value.as_str())
        .collect();
    assert_eq!(values, ["7", "8"]);
    let expected = [
        ("not_an_identity", "identities.Bad-Kind"),
        ("not_an_identity", "identities.email"),
        ("not_an_identity", "identities.group_id"),
    ];
    assert_eq!(warned(&warnings), expected);
}

#[test]
fn an_unknown_field_is_told_and_the_record_taken() {
    let (_, warnings) = taken("upsert", json!({"trait": {"plan": "pro"}}));
    assert_eq!(warned(&warnings), [("unknown_field", "trait")]);
}
