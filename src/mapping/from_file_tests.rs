//! What follows from the place of a record in its file: ids, times, order.

use super::file_row_tests::{EMAIL, EVENT, from, read_by, read_from, row};
use super::row_tests::{START, at, no_calls, stamp, traits};
use super::*;
use crate::domain::{Code, NameByPlace, Stamp};
use serde_json::{Value, json};

#[test]
fn fact_1_ids_of_events_follow_from_the_file_and_the_place_and_nothing_else() {
    let mapping = Mapping::parse(EVENT).expect("a mapping");
    let value = json!({"who": 7, "at": "2023-05-01T10:00:00Z", "amount": "12.50"});
    let id = |from| {
        let (command, _) = read_from(&mapping, &value, from).expect("read");
        command.event().expect("an event").message_id.clone()
    };
    let usual = id(from(1, true));
    assert_eq!(usual, id(from(1, true)));
    let (line, part) = (9, Some(2));
    let others = [
        from(2, true),
        FromFile {
            name: "other.csv",
            ..from(1, true)
        },
        FromFile {
            line,
            ..from(1, true)
        },
        FromFile {
            part,
            ..from(1, true)
        },
    ];
    let mut all: Vec<String> = others.map(id).to_vec();
    all.push(usual);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5);
}

#[test]
fn messages_are_handed_on_as_they_stand_and_told_apart_from_own_records() {
    let said = |value: &Value| {
        let read = read_by(&Mapping::of_messages(), value, from(1, false), &no_calls);
        read.expect_err("the text").message
    };
    for call in [
        json!({"type": "track", "event": "Paid", "userId": "7"}),
        json!({"type": "track", "messageId": "m-1", "context": {"roster": 1}}),
    ] {
        assert_eq!(said(&call), call.to_string());
    }
}

#[test]
fn a_message_without_an_id_is_named_by_its_place() {
    let value = json!({"type": "track", "event": "Paid", "userId": "7"});
    let named = |text: &Bytes, _: &Gate<'_>, id: Option<NameByPlace<'_>>| {
        let id = id.expect("it stands in a file")(text);
        Err(Rejection::of(Code::InvalidField, "value", id))
    };
    let id = |from| {
        let read = read_by(&Mapping::of_messages(), &value, from, &named);
        read.expect_err("the id").message
    };
    let usual = id(from(1, false));
    assert_eq!(usual, id(from(1, false)));
    assert_ne!(usual, id(from(2, false)));
}

#[test]
fn fact_12_values_that_postgresql_writes_have_types() {
    let mapping = format!(
        "{EMAIL}[time]\nat = \"/seen\"\n[traits.types]\nactive = \"boolean\"\nmore = \"json\"\nraw = \"text\"\n"
    );
    let value = json!({"email": "a@x.test", "seen": "2023-05-01 12:00:00+02", "active": "t", "more": "{\"age\": 42}", "raw": "\\xdead"});
    let (command, _) = row(&mapping, value).expect("read");
    assert_eq!(command.occurred_at(), at("2023-05-01T10:00:00.000Z"));
    assert_eq!(
        traits(&command),
        json!({"active": true, "more": {"age": 42}, "raw": "\\xdead"})
    );
}

/// Reads a call as one that says its time, or has that of receipt.
fn call(text: &Bytes, gate: &Gate<'_>, _: Option<NameByPlace<'_>>) -> Result<Command, Rejection> {
    let call: Value = serde_json::from_slice(text).expect("JSON");
    let said = call["timestamp"].as_str().and_then(Timestamp::parse);
    gate.command(crate::domain::Draft {
        names: vec![gate.name("user_id", "7", "userId")],
        traits: Some(crate::domain::Json::of(&call["traits"])),
        ..crate::domain::Draft::at(said.unwrap_or(gate.received_at))
    })
}

#[test]
fn a_message_without_a_time_has_the_file_s_own_and_its_place_in_the_order() {
    let read = |value: &Value| {
        let (command, _) =
            read_by(&Mapping::of_messages(), value, from(5, false), &call).expect("read");
        stamp(&command)
    };
    let timeless = json!({"type": "identify", "traits": {"a": 1}});
    assert_eq!(read(&timeless), Stamp::of(at(START), 5));
    let timed =
        json!({"type": "identify", "traits": {"a": 1}, "timestamp": "2024-05-01T00:00:00Z"});
    assert_eq!(read(&timed), Stamp::of(at("2024-05-01T00:00:00.000Z"), 5));
}
