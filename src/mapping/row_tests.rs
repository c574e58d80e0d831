//! The cases of `contracts/field-backfill.md`, by the numbers of its rows, and what every mapping must do.

use super::*;
use crate::domain::{
    Class, Code, Identity, KeyKind, Kinds, Limits, Mode, NameByPlace, ProjectId, Stamp,
};
use serde_json::{Value, json};

pub fn limits() -> Limits {
    Limits::wide()
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

pub const START: &str = "2020-01-01T00:00:00.000Z";
pub(super) const KAFKA: &str = "2024-05-01T00:00:00.000Z";

/// Headers of a record in a test.
pub type Headers<'a> = &'a [(String, Vec<u8>)];

pub fn read_with(
    mapping: &Mapping,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: Headers<'_>,
) -> Result<Reading, Rejection> {
    let (kinds, limits) = (Kinds::default(), limits());
    let recorded_at = at(KAFKA);
    let gate = Gate {
        project_id: ProjectId(1),
        class: Class::Backfill,
        by: KeyKind::Server,
        kinds: &kinds,
        limits: &limits,
        received_at: recorded_at,
        is_measured: false,
    };
    let value = value.map(Bytes::copy_from_slice);
    let record = Record {
        key,
        value: value.as_ref(),
        headers,
        at: Some(recorded_at),
        from: None,
    };
    mapping.read(&record, &gate, at(START), &no_calls)
}

/// Stands for the tracking API's reader, which these tests do not have: the text that it was given is the reason.
pub fn no_calls(
    text: &Bytes,
    _: &Gate<'_>,
    _: Option<NameByPlace<'_>>,
) -> Result<Command, Rejection> {
    let text = String::from_utf8_lossy(text);
    Err(Rejection::of(Code::InvalidField, "value", text))
}

pub(super) fn read(mapping: &str, value: &Value) -> (Command, Vec<Warning>) {
    read_keyed(mapping, None, value)
}

pub(super) fn read_keyed(
    mapping: &str,
    key: Option<&str>,
    value: &Value,
) -> (Command, Vec<Warning>) {
    let mapping = Mapping::parse(mapping).expect("a mapping");
    let key = key.map(str::as_bytes);
    match read_with(&mapping, key, Some(value.to_string().as_bytes()), &[]) {
        Ok(Reading::Command { command, warnings }) => (*command, warnings),
        other => panic!("{other:?}"),
    }
}

pub(super) fn rejected(mapping: &str, value: &[u8]) -> Rejection {
    let mapping = Mapping::parse(mapping).expect("a mapping");
    read_with(&mapping, None, Some(value), &[]).expect_err("a rejection")
}

pub(super) fn control(mapping: &str, key: Option<&str>, value: Option<&str>) -> Control {
    let mapping = Mapping::parse(mapping).expect("a mapping");
    match read_with(
        &mapping,
        key.map(str::as_bytes),
        value.map(str::as_bytes),
        &[],
    ) {
        Ok(Reading::Control(control)) => control,
        other => panic!("{other:?}"),
    }
}

/// The traits that a command states, as one object.
pub fn traits(command: &Command) -> Value {
    let write = command.subjects().next().and_then(|person| person.traits);
    let all = write.into_iter().flat_map(|write| &write.traits);
    let value = |json: &crate::domain::Json| serde_json::from_str(json.as_str()).expect("JSON");
    Value::Object(
        all.map(|(name, json)| (name.clone(), value(json)))
            .collect(),
    )
}

pub(super) fn mode(command: &Command) -> Mode {
    let person = command.subjects().next().expect("a person");
    person.traits.expect("traits").mode
}

pub(super) fn stamp(command: &Command) -> Stamp {
    let person = command.subjects().next().expect("a person");
    person.traits.expect("traits").stamp
}

pub fn names(command: &Command) -> Vec<String> {
    let spelled = |name: &Identity| format!("{}:{}", name.kind.as_str(), name.value);
    command.identities().iter().map(spelled).collect()
}

pub(super) fn codes(warnings: &[Warning]) -> Vec<(&str, &str)> {
    warnings
        .iter()
        .map(|warning| (warning.code, warning.field.as_str()))
        .collect()
}

pub(super) const DEBEZIUM: &str = "preset = \"debezium\"";
pub(super) const BARE: &str = "[identities]\nuser_id = \"/id\"\n[time]\nat = \"/updated_at\"\n";

#[test]
fn row_1_a_placeholder_leaves_a_trait_alone_also_in_a_whole_document() {
    let value = json!({"op": "u", "after": {"id": 7, "plan": "pro", "bio": "__debezium_unavailable_value", "gone": null}});
    for mapping in [DEBEZIUM, "preset = \"debezium\"\n[traits]\nwhole = true"] {
        let (command, warnings) = read(mapping, &value);
        assert_eq!(
            traits(&command),
            json!({"id": 7, "plan": "pro", "gone": null})
        );
        assert_eq!(
            mode(&command),
            Mode::Single,
            "a whole document would take bio away"
        );
        assert_eq!(codes(&warnings), [("unchanged", "bio")]);
    }
    let nested = json!({"op": "u", "after": {"id": 7, "list": ["__debezium_unavailable_value"]}});
    assert_eq!(traits(&read(DEBEZIUM, &nested).0), json!({"id": 7}));
    let own = "preset = \"debezium\"\n[traits]\nplaceholder = \"#same\"";
    let (command, _) = read(own, &json!({"op": "u", "after": {"id": 7, "bio": "#same"}}));
    assert_eq!(traits(&command), json!({"id": 7}));
}

#[test]
fn row_9_a_bare_row_may_have_columns_that_are_called_as_parts_of_an_envelope() {
    let value = json!({"id": 7, "op": "renewal", "source": "web", "message": "hello"});
    let (command, _) = read(DEBEZIUM, &value);
    assert_eq!(traits(&command), value);
    let marked = json!({"op": "m", "message": {"prefix": "x"}, "source": {"ts_ms": 1}});
    let marked = control(DEBEZIUM, None, Some(&marked.to_string()));
    assert_eq!(marked, Control::Message);
}

#[test]
fn row_2_a_delete_erases_as_of_its_source_and_the_tombstone_after_it_is_nothing() {
    let value = json!({"op": "d", "before": {"id": 7}, "after": null, "source": {"ts_ms": 1_700_000_000_000_i64}});
    let (command, _) = read_keyed(DEBEZIUM, Some("{\"id\":7}"), &value);
    assert!(command.erases());
    assert_eq!(names(&command), ["user_id:7"]);
    assert_eq!(command.occurred_at(), at("2023-11-14T22:13:20Z"));
    for nothing in [
        None,
        Some(""),
        Some("null"),
        Some("{\"schema\":null,\"payload\":null}"),
    ] {
        assert_eq!(
            control(DEBEZIUM, Some("{\"id\":7}"), nothing),
            Control::Tombstone
        );
    }
}

#[test]
fn row_3_marks_compare_as_text_and_boolean() {
    for (mark, erases) in [
        (json!("true"), true),
        (json!(true), true),
        (json!("false"), false),
        (json!(false), false),
        (json!(null), false),
    ] {
        let value = json!({"id": 7, "email": null, "__deleted": mark});
        let (command, _) = read(DEBEZIUM, &value);
        assert_eq!(command.erases(), erases, "{mark}");
    }
    let own = format!("{BARE}[delete]\nmark = \"/state\"\nvalues = [\"gone\", 3]\n");
    for (mark, erases) in [
        (json!("gone"), true),
        (json!(3), true),
        (json!("3"), true),
        (json!("true"), false),
    ] {
        let (command, _) = read(&own, &json!({"id": 7, "state": mark}));
        assert_eq!(command.erases(), erases, "{mark}");
    }
}

#[test]
fn row_4_decimals_are_exact_by_schema_or_by_declaration_and_else_stay_text() {
    let field = json!({"field": "balance", "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}});
    let schema = json!({"type": "struct", "fields": [{"field": "after", "type": "struct", "fields": [field]}]});
    let payload = json!({"op": "u", "after": {"id": 7, "balance": "BOI="}});
    let (command, _) = read(DEBEZIUM, &json!({"schema": schema, "payload": payload}));
    assert_eq!(traits(&command)["balance"].to_string(), "12.50");
    let declared = "preset = \"debezium\"\n[traits.types]\nbalance = \"decimal(2)\"";
    assert_eq!(
        traits(&read(declared, &payload).0)["balance"].to_string(),
        "12.50"
    );
    assert_eq!(traits(&read(DEBEZIUM, &payload).0)["balance"], "BOI=");
}

#[test]
fn row_6_a_snapshot_is_never_stamped_with_the_time_of_reading() {
    let mapped = "preset = \"debezium\"\n[time]\nat = \"/updated_at\"";
    for snapshot in [
        json!("true"),
        json!("first"),
        json!("last"),
        json!("incremental"),
        json!(true),
    ] {
        for op in ["r", "c"] {
            let source = json!({"snapshot": snapshot, "ts_ms": 1_700_003_600_000_i64});
            let row = json!({"op": op, "source": source, "after": {"id": 7, "updated_at": "2021-01-01T00:00:00Z"}});
            assert_eq!(read(DEBEZIUM, &row).0.occurred_at(), at(START));
            assert_eq!(read(mapped, &row).0.occurred_at(), at("2021-01-01"));
        }
    }
    let change = json!({"op": "u", "source": {"snapshot": "false", "ts_ms": 1_700_000_000_000_i64}, "after": {"id": 7}});
    assert_eq!(
        read(DEBEZIUM, &change).0.occurred_at(),
        at("2023-11-14T22:13:20Z")
    );
}

#[test]
fn row_7_a_truncation_erases_nobody() {
    let mapping = Mapping::parse("preset = \"debezium\"").expect("a preset");
    for value in [
        r#"{"op":"t","before":null,"after":null}"#,
        r#"{"id":null,"__op":"t"}"#,
    ] {
        let reading = read_with(&mapping, None, Some(value.as_bytes()), &[]);
        assert!(matches!(reading, Ok(Reading::Truncated)), "{reading:?}");
    }
}

#[test]
fn row_8_heartbeats_and_marks_of_transactions_are_no_rejections() {
    let heartbeat = control(DEBEZIUM, None, Some(r#"{"ts_ms":1700000000000}"#));
    assert_eq!(heartbeat, Control::Heartbeat);
    for mark in [
        r#"{"status":"BEGIN","id":"88","ts_ms":1}"#,
        r#"{"status":"END","id":"88","event_count":2,"data_collections":[]}"#,
    ] {
        assert_eq!(control(DEBEZIUM, None, Some(mark)), Control::Transaction);
    }
}

#[test]
fn row_9_envelopes_with_and_without_schema_are_told_record_by_record() {
    let bare = json!({"op": "c", "after": {"id": 7, "plan": "pro"}});
    let wrapped = json!({"schema": {"type": "struct"}, "payload": bare});
    let keys = [
        None,
        Some(r#"{"id":7}"#),
        Some(r#"{"schema":{},"payload":{"id":7}}"#),
    ];
    for value in [&bare, &wrapped] {
        for key in keys {
            let (command, _) = read_keyed(DEBEZIUM, key, value);
            assert_eq!(names(&command), ["user_id:7"]);
            assert_eq!(traits(&command), json!({"id": 7, "plan": "pro"}));
        }
    }
}

#[test]
fn row_10_a_delete_with_a_new_key_links_the_two_names() {
    let mapping = Mapping::parse("preset = \"debezium\"").expect("a preset");
    let headers = [(
        "__debezium.newkey".to_owned(),
        br#"{"schema":{},"payload":{"id":8}}"#.to_vec(),
    )];
    let value = br#"{"op":"d","before":{"id":7,"plan":"x"},"after":null}"#;
    let reading = read_with(&mapping, Some(br#"{"id":7}"#), Some(value), &headers);
    let Ok(Reading::Command { command, .. }) = reading else {
        panic!("{reading:?}");
    };
    assert!(!command.erases());
    assert_eq!(names(&command), ["user_id:7", "user_id:8"]);
    assert_eq!(
        command.subjects().next().map(|person| person.explicit),
        Some(2)
    );
    assert_eq!(traits(&command), json!({}));
}

#[test]
fn row_11_who_is_deleted_is_told_by_the_key_first() {
    let mapping = "preset = \"debezium\"\n[identities]\nuser_id = \"/id\"\nemail = \"/email\"";
    for before in [json!(null), json!({"id": null, "email": null})] {
        let value = json!({"op": "d", "before": before, "after": null});
        let (command, _) = read_keyed(mapping, Some(r#"{"id":7}"#), &value);
        assert_eq!(names(&command), ["user_id:7"]);
        assert!(command.erases() && traits(&command) == json!({}));
    }
    let value = json!({"op": "d", "before": {"id": 9, "email": "a@b.c"}});
    let (command, _) = read_keyed(mapping, Some(r#"{"id":7}"#), &value);
    assert_eq!(names(&command), ["user_id:7", "email:a@b.c"]);
}

#[test]
fn row_12_documents_of_mongodb_become_plain() {
    let after = r#"{"_id":{"$oid":"64b7"},"n":{"$numberLong":"42"}}"#;
    let (command, _) = read(DEBEZIUM, &json!({"op": "c", "after": after}));
    assert_eq!(names(&command), ["user_id:64b7"]);
    assert_eq!(traits(&command), json!({"_id": "64b7", "n": 42}));
    let key = r#"{"id":"{\"$oid\":\"64b7\"}"}"#;
    let (command, _) = read_keyed(DEBEZIUM, Some(key), &json!({"op": "d", "before": null}));
    assert_eq!(names(&command), ["user_id:64b7"]);
    let declared = format!("{BARE}[traits.types]\ndoc = \"json_text\"\n");
    let (command, _) = read(
        &declared,
        &json!({"id": 1, "doc": "{\"n\":{\"$numberLong\":\"42\"}}"}),
    );
    assert_eq!(traits(&command)["doc"], json!({"n": 42}));
}

#[test]
fn row_13_a_time_of_0_is_none_and_a_trait_of_0_stays() {
    let mapping = format!("{BARE}format = \"epoch_ms\"\n");
    for time in [
        json!(0),
        json!("0"),
        json!("0000-00-00 00:00:00"),
        json!(null),
    ] {
        let (command, _) = read(&mapping, &json!({"id": 1, "updated_at": time, "born": 0}));
        assert_eq!(command.occurred_at(), at(START), "{time}");
        assert_eq!(command.earliest(), Timestamp::MIN, "before any erasure");
        assert_eq!(traits(&command)["born"], 0);
    }
}

#[test]
fn row_14_a_second_key_decides_within_one_time() {
    let mapping = format!("{BARE}sequence = \"/version\"\n");
    let sequence = |version: Value| {
        let row = json!({"id": 1, "updated_at": "2021-01-01T00:00:00Z", "version": version});
        stamp(&read(&mapping, &row).0).sequence
    };
    assert_eq!(sequence(json!(5)), 5);
    assert_eq!(sequence(json!("6")), 6);
    assert_eq!(sequence(json!(null)), i64::MIN);
    assert_eq!(sequence(json!("x")), i64::MIN);
    assert_eq!(
        sequence(json!(u64::MAX)),
        Stamp::LIVE - 1,
        "ties go to live traffic"
    );
    let mysql = |pos: i64| json!({"op": "u", "after": {"id": 1}, "source": {"file": "mysql-bin.000003", "pos": pos, "ts_ms": 1_700_000_000_000_i64}});
    assert!(
        stamp(&read(DEBEZIUM, &mysql(5)).0).sequence < stamp(&read(DEBEZIUM, &mysql(6)).0).sequence
    );
}

#[test]
fn row_15_a_time_in_the_future_is_capped_by_the_record_and_not_by_the_clock() {
    let (command, _) = read(
        BARE,
        &json!({"id": 1, "updated_at": "2030-01-01T00:00:00Z"}),
    );
    assert_eq!(command.occurred_at(), at(KAFKA));
}

#[test]
fn row_16_what_does_not_convert_is_left_out_and_the_record_stays() {
    let mapping = format!(
        "{BARE}[traits.types]\na = \"number\"\nb = \"number\"\nc = \"number\"\nd = \"number\"\n"
    );
    let row =
        json!({"id": 1, "updated_at": "2021-01-01", "a": "1E+3", "b": "NaN", "c": "", "d": "42"});
    let (command, warnings) = read(&mapping, &row);
    let expected = json!({"id": 1, "updated_at": "2021-01-01", "a": 1000, "d": 42});
    assert_eq!(traits(&command), expected);
    assert_eq!(
        codes(&warnings),
        [("not_converted", "/b"), ("not_converted", "/c")]
    );
    assert!(warnings[0].message.contains("number"));
}
