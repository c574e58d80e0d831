//! What records say, case by case: those that people suffered from elsewhere.

use super::*;
use crate::domain::profile::Traits;
use crate::domain::{Class, Code, Json, Kinds, Limits, Mode, ProjectId, Stamp};
use proptest::prelude::*;
use serde_json::json;

const START: &str = "2020-01-01T00:00:00Z";
const ELASTICSEARCH: &str = r#"
preset = "elasticsearch"
[identities]
user_id = "/_id"
email = "/_source/email"
[time]
at = "/_source/updated_at"
format = ["rfc3339", "epoch_ms"]
[traits]
whole = true
drop = ["updated_at", "password"]
rename = { fname = "first_name" }
types = { age = "integer", score = "number", tags = "list" }
"#;
const DEBEZIUM: &str = r#"
preset = "debezium"
[identities]
user_id = "/id"
[time]
at = "/updated_at"
format = ["epoch_ms"]
[traits]
whole = true
drop = ["id", "updated_at"]
"#;

fn limits() -> Limits {
    Limits {
        name_bytes: 200,
        message_id_bytes: 200,
        identity_bytes: 200,
        depth: 64,
        batch_items: 10,
        rejected_item_bytes: 100,
        event_properties: 1_000,
        event_bytes: 100_000,
        trait_bytes: 10_000,
        profile_traits: 100,
        profile_bytes: 100_000,
        profile_identities: 30,
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn read_all(
    mapping: &Mapping,
    key: Option<&str>,
    value: Option<&str>,
    headers: &[(&str, &str)],
) -> Result<Reading, Rejection> {
    let value = value.map(|value| Bytes::from(value.to_owned()));
    read_bytes(mapping, key.map(str::as_bytes), value.as_ref(), headers)
}

fn read_bytes(
    mapping: &Mapping,
    key: Option<&[u8]>,
    value: Option<&Bytes>,
    headers: &[(&str, &str)],
) -> Result<Reading, Rejection> {
    let headers: Vec<(String, Vec<u8>)> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let (kinds, limits) = (Kinds::default(), limits());
    let received_at = time("2026-01-01T00:00:00Z");
    let gate = Gate {
        project_id: ProjectId(1),
        class: Class::Backfill,
        kinds: &kinds,
        limits: &limits,
        received_at,
        is_measured: false,
    };
    let record = Record {
        key,
        value,
        headers: &headers,
        at: Some(received_at),
    };
    mapping.read(&record, &gate, time(START))
}

fn mapping(text: &str) -> Mapping {
    Mapping::parse(text).expect("a mapping")
}

fn command(mapping: &Mapping, value: &serde_json::Value) -> (Command, Vec<Warning>) {
    match read_all(mapping, None, Some(&value.to_string()), &[]) {
        Ok(Reading::Command { command, warnings }) => (command, warnings),
        other => panic!("{other:?}"),
    }
}

/// Kind and value of each name.
fn names(command: &Command) -> Vec<(String, String)> {
    let all = command.identities().iter();
    all.map(|name| (name.kind.as_str().to_owned(), name.value.clone()))
        .collect()
}

fn traits(command: &Command) -> serde_json::Value {
    let write = command
        .subjects()
        .next()
        .expect("somebody")
        .traits
        .expect("traits");
    let members = write.traits.iter().cloned().collect();
    serde_json::from_str(Json::from_members(&members).as_str()).expect("JSON")
}

fn mode(command: &Command) -> Mode {
    command
        .subjects()
        .next()
        .expect("somebody")
        .traits
        .expect("traits")
        .mode
}

fn stamp(command: &Command) -> Stamp {
    command
        .subjects()
        .next()
        .expect("somebody")
        .traits
        .expect("traits")
        .stamp
}

#[test]
fn a_hit_of_elasticsearch_is_a_whole_document_of_its_own_time() {
    let hit = json!({"_index": "people", "_id": "7", "_version": 3, "_source": {
        "email": "Ada@B.c", "updated_at": 1_700_000_000_000_i64, "fname": "Ada", "age": "36", "score": "1E+3", "tags": "a",
        "password": "secret", "shop_id": 1_234_567_890_123_456_789_i64, "nothing": null,
    }});
    let (command, warnings) = command(&mapping(ELASTICSEARCH), &hit);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(
        names(&command),
        [
            ("user_id".to_owned(), "7".to_owned()),
            ("email".to_owned(), "ada@b.c".to_owned())
        ]
    );
    assert_eq!(mode(&command), Mode::Document);
    assert_eq!(
        stamp(&command),
        Stamp {
            at: 1_700_000_000_000_000,
            sequence: 3
        }
    );
    assert_eq!(
        traits(&command),
        json!({
            "email": "Ada@B.c", "first_name": "Ada", "age": 36, "score": 1000, "tags": ["a"], "shop_id": 1_234_567_890_123_456_789_i64,
            "nothing": null,
        })
    );
}

#[test]
fn one_field_that_does_not_convert_is_left_out_with_a_warning() {
    for (value, kept) in [
        (json!("NaN"), false),
        (json!(""), false),
        (json!([1]), false),
        (json!("41"), true),
        (json!(41.5), false),
    ] {
        let hit = json!({"_id": "7", "_source": {"age": value, "city": "Ulm"}});
        let (command, warnings) = command(&mapping(ELASTICSEARCH), &hit);
        assert_eq!(traits(&command).get("age").is_some(), kept, "{hit}");
        assert_eq!(warnings.is_empty(), kept, "{hit}");
        assert_eq!(traits(&command)["city"], "Ulm");
    }
}

#[test]
fn a_record_without_a_time_or_of_1970_is_of_the_migrations_start() {
    for at in [json!(null), json!(0), json!(""), json!("0")] {
        let (command, _) = command(
            &mapping(ELASTICSEARCH),
            &json!({"_id": "7", "_source": {"updated_at": at, "a": 0}}),
        );
        assert_eq!(command.occurred_at(), time(START), "{at}");
    }
    let future = json!({"_id": "7", "_source": {"updated_at": "2030-01-01T00:00:00Z", "a": 0}});
    let (command, _) = command(&mapping(ELASTICSEARCH), &future);
    assert_eq!(
        command.occurred_at(),
        time("2026-01-01T00:00:00Z"),
        "no later than Kafka's own time"
    );
}

#[test]
fn a_record_that_names_nobody_says_where_it_was_looked_for() {
    for id in [json!(null), json!(" "), json!({}), json!([1])] {
        let value = json!({"_id": id, "_source": {}}).to_string();
        let refused =
            read_all(&mapping(ELASTICSEARCH), None, Some(&value), &[]).expect_err("nobody");
        assert_eq!(refused.code, Code::MissingIdentity);
        assert!(
            refused.message.contains("/_id") && refused.message.contains("/_source/email"),
            "{refused}"
        );
    }
}

#[test]
fn an_unchanged_large_column_is_left_alone_also_in_a_whole_document() {
    let change = json!({"op": "u", "before": null, "after": {"id": 7, "plan": "pro", "bio": "__debezium_unavailable_value"}, "source": {"ts_ms": 5}});
    let (command, warnings) = command(&mapping(DEBEZIUM), &change);
    assert_eq!(traits(&command), json!({"plan": "pro"}));
    assert_eq!(
        mode(&command),
        Mode::Single,
        "nothing is said about what is not there"
    );
    assert_eq!(warnings.len(), 1);
}

#[test]
fn a_deletion_is_of_its_sources_time_and_takes_names_from_the_key() {
    let value = json!({"op": "d", "before": {"id": 7, "plan": null}, "after": null, "source": {"ts_ms": 1_700_000_000_000_i64}}).to_string();
    for (key, value) in [
        (None, value.as_str()),
        (
            Some(r#"{"id":7}"#),
            r#"{"op":"d","before":null,"after":null,"source":{"ts_ms":1700000000000}}"#,
        ),
    ] {
        let Ok(Reading::Command { command, .. }) =
            read_all(&mapping(DEBEZIUM), key, Some(value), &[])
        else {
            panic!("a deletion")
        };
        assert!(command.erases());
        assert_eq!(command.occurred_at().micros(), 1_700_000_000_000_000);
        assert_eq!(names(&command)[0].1, "7");
    }
    let tombstone = read_all(&mapping(DEBEZIUM), Some(r#"{"id":7}"#), None, &[]);
    assert!(
        matches!(tombstone, Ok(Reading::Control(Control::Tombstone))),
        "{tombstone:?}"
    );
}

#[test]
fn a_flattened_deletion_is_a_text_and_false_is_none() {
    let flat = |deleted: serde_json::Value| {
        command(
            &mapping(DEBEZIUM),
            &json!({"id": 7, "email": null, "__deleted": deleted}),
        )
        .0
    };
    assert!(flat(json!("true")).erases() && flat(json!(true)).erases());
    assert!(!flat(json!("false")).erases() && !flat(json!(false)).erases());
    assert_eq!(traits(&flat(json!("false"))), json!({"email": null}));
}

#[test]
fn a_snapshots_time_of_reading_is_nobodys_time() {
    let row = |snapshot: serde_json::Value, op: &str| {
        let change = json!({"op": op, "after": {"id": 7, "a": 1}, "source": {"snapshot": snapshot, "ts_ms": 1_700_003_600_000_i64}});
        command(&mapping(DEBEZIUM), &change).0.occurred_at()
    };
    for snapshot in ["true", "first", "last", "incremental"] {
        assert_eq!(row(json!(snapshot), "r"), time(START), "{snapshot}");
    }
    assert_eq!(row(json!("incremental"), "u"), time(START));
    assert_eq!(row(json!("false"), "u").micros(), 1_700_003_600_000_000);
    assert_eq!(row(json!(null), "c").micros(), 1_700_003_600_000_000);
}

#[test]
fn truncation_erases_nobody_and_heartbeats_and_transactions_are_no_records() {
    let read = |value: &str| read_all(&mapping(DEBEZIUM), None, Some(value), &[]);
    assert!(matches!(
        read(r#"{"op":"t","before":null,"after":null}"#),
        Ok(Reading::Truncated)
    ));
    assert!(matches!(
        read(r#"{"ts_ms":1700000000000}"#),
        Ok(Reading::Control(Control::Heartbeat))
    ));
    assert!(matches!(
        read(r#"{"status":"BEGIN","id":"88","ts_ms":1}"#),
        Ok(Reading::Control(Control::Transaction))
    ));
}

#[test]
fn schemas_come_and_go_record_by_record_and_say_what_a_decimal_is() {
    let schema = json!({"type": "struct", "fields": [{"field": "after", "type": "struct", "fields": [
        {"field": "balance", "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}]}]});
    let payload = json!({"op": "c", "after": {"id": 7, "balance": "BOI="}, "source": {}});
    let (with, _) = command(
        &mapping(DEBEZIUM),
        &json!({"schema": schema, "payload": payload}),
    );
    assert_eq!(traits(&with)["balance"].to_string(), "12.5");
    let (without, _) = command(&mapping(DEBEZIUM), &payload);
    assert_eq!(
        traits(&without)["balance"],
        "BOI=",
        "undeclared it stays a text"
    );
    let declared = mapping(&DEBEZIUM.replace(
        "whole = true",
        "whole = true\ntypes = { balance = \"decimal(2)\" }",
    ));
    let (declared, _) = command(&declared, &payload);
    assert_eq!(traits(&declared)["balance"].to_string(), "12.5");
}

#[test]
fn a_change_of_keys_links_and_does_not_erase() {
    let value = r#"{"op":"d","before":{"id":7},"after":null,"source":{"ts_ms":5}}"#;
    let headers = [("__debezium.newkey", r#"{"id":8}"#)];
    let Ok(Reading::Command { command, .. }) = read_all(
        &mapping(DEBEZIUM),
        Some(r#"{"id":7}"#),
        Some(value),
        &headers,
    ) else {
        panic!("a rename")
    };
    assert!(!command.erases());
    assert_eq!(names(&command).len(), 2);
}

#[test]
fn mongodbs_typed_values_become_plain_ones() {
    let text = r#"{"_id":{"$oid":"64b7"},"n":{"$numberLong":"42"},"d":{"$numberDecimal":"1.50"},"at":{"$date":{"$numberLong":"1700000000000"}},"on":{"$date":1700000000000}}"#;
    let change = json!({"op": "c", "after": text, "source": {"ts_ms": 5}});
    let mongo = "preset = \"debezium\"\njson_text = true\n[identities]\nuser_id = \"/_id\"\n[traits]\ndrop = [\"_id\"]";
    let (command, _) = command(&mapping(mongo), &change);
    assert_eq!(names(&command)[0].1, "64b7");
    let at = "2023-11-14T22:13:20Z";
    let found = traits(&command);
    assert_eq!(
        (found["n"].to_string(), found["d"].to_string()),
        ("42".to_owned(), "1.50".to_owned())
    );
    assert_eq!(time(found["at"].as_str().expect("a text")), time(at));
    assert_eq!(found["on"], found["at"]);
}

#[test]
fn a_registrys_prefix_before_json_is_taken_off_and_avro_is_said() {
    let mut framed = vec![0, 0, 0, 0, 7];
    framed.extend_from_slice(br#"{"_id":"7","_source":{"a":1}}"#);
    let read = |bytes: Vec<u8>| {
        read_bytes(
            &mapping(ELASTICSEARCH),
            None,
            Some(&Bytes::from(bytes)),
            &[],
        )
    };
    assert!(matches!(read(framed), Ok(Reading::Command { .. })));
    let refused = read(vec![0, 0, 0, 0, 7, 2, 4, 6]).expect_err("Avro");
    assert_eq!(refused.code, Code::SchemaRegistryFormat);
    assert_eq!(
        read(b"{\"a\":".to_vec()).expect_err("cut").code,
        Code::NotJson
    );
}

#[test]
fn dotted_names_become_objects_and_the_nested_form_stays() {
    let dotted =
        mapping(&ELASTICSEARCH.replace("whole = true", "whole = true\nexpand_dots = true"));
    let hit = json!({"_id": "7", "_source": {"car.make": "Fiat", "car.doors": 5, "a.b": 1, "a": {"b": 2}}});
    let (expanded, warnings) = command(&dotted, &hit);
    assert_eq!(
        traits(&expanded),
        json!({"car": {"make": "Fiat", "doors": 5}, "a": {"b": 2}})
    );
    assert_eq!(warnings.len(), 1);
    let (plain, _) = command(&mapping(ELASTICSEARCH), &hit);
    assert_eq!(
        traits(&plain).as_object().map(serde_json::Map::len),
        Some(4),
        "two traits each"
    );
}

#[test]
fn times_are_read_in_the_zone_and_unit_that_the_mapping_says() {
    let at = |settings: &str, value: serde_json::Value| {
        let text = format!("[identities]\nuser_id = \"/id\"\n[time]\nat = \"/at\"\n{settings}");
        command(&mapping(&text), &json!({"id": 1, "at": value}))
            .0
            .occurred_at()
    };
    let berlin = "zone = \"Europe/Berlin\"\nformat = [\"epoch_ms\", \"rfc3339\"]";
    assert_eq!(
        at(berlin, json!(1_700_000_000_000_i64)),
        time("2023-11-14T21:13:20Z")
    );
    assert_eq!(
        at(berlin, json!("2023-07-01 12:00:00")),
        time("2023-07-01T10:00:00Z")
    );
    assert_eq!(
        at(berlin, json!("2023-07-01T12:00:00Z")),
        time("2023-07-01T12:00:00Z")
    );
    for (unit, count) in [
        ("epoch_s", "1700000000"),
        ("epoch_us", "1700000000000000"),
        ("epoch_ns", "1700000000000000000"),
    ] {
        assert_eq!(
            at(&format!("format = [\"{unit}\"]"), json!(count)),
            time("2023-11-14T22:13:20Z"),
            "{unit}"
        );
    }
    assert_eq!(
        at("format = [\"epoch_days\"]", json!(19_675)),
        time("2023-11-14T00:00:00Z")
    );
}

#[test]
fn every_complaint_about_a_mapping_names_its_key() {
    let text = "[identities]\nuser_id = \"id\"\n[time]\nformat = [\"guess\"]\nzone = \"Mars\"\n[traits]\ntypes = { a = \"blob\" }";
    let complaints = Mapping::parse(text).expect_err("all wrong").join("; ");
    for key in [
        "identities.user_id",
        "time.format",
        "time.zone",
        "traits.types.a",
    ] {
        assert!(complaints.contains(key), "{key}: {complaints}");
    }
    let unknown = Mapping::parse("[traits]\nwhloe = true")
        .expect_err("a typo")
        .join("; ");
    assert!(unknown.contains("whloe"), "{unknown}");
    assert!(
        Mapping::parse("preset = \"json\"").is_err(),
        "nobody is named"
    );
}

#[test]
fn a_project_is_told_by_header_field_or_key() {
    let of = |section: &str| {
        let text = format!("[identities]\nuser_id = \"/id\"\n[project]\n{section}");
        let value = Bytes::from_static(b"{\"id\":1,\"tenant\":\"acme\"}");
        let headers = [("tenant".to_owned(), b"acme".to_vec())];
        let record = Record {
            key: Some(b"acme:1"),
            value: Some(&value),
            headers: &headers,
            at: None,
        };
        mapping(&text).project(&record)
    };
    for section in [
        "header = \"tenant\"",
        "field = \"/tenant\"",
        "key_prefix = \":\"",
    ] {
        assert_eq!(of(section).as_deref(), Some("acme"), "{section}");
    }
    assert_eq!(of("header = \"other\""), None);
}

#[test]
fn rosters_own_records_say_what_they_mean() {
    let own = Mapping::roster();
    let upsert = json!({"roster": 1, "type": "upsert", "identities": {"user_id": 7, "email": "a@b.c"}, "traits": {"plan": "pro"},
        "updated_at": "2023-01-01T00:00:00Z", "sequence": 5, "times": {"plan": "2022-01-01T00:00:00Z"}, "group": {"id": "acme"}});
    let (upserted, _) = command(&own, &upsert);
    assert_eq!(stamp(&upserted).sequence, 5);
    let write = upserted
        .subjects()
        .next()
        .expect("somebody")
        .traits
        .expect("traits");
    assert_eq!(
        write.stamp_of("plan").at,
        time("2022-01-01T00:00:00Z").micros()
    );
    assert!(upserted.group().is_some() && upserted.event().is_none());
    let event = json!({"roster": 1, "type": "event", "id": "e1", "name": "Bought", "identities": {"user_id": "7"}, "at": "2023-01-01T00:00:00Z"});
    assert!(command(&own, &event).0.event().is_some());
    for (broken, field) in [
        (
            json!({"type": "upsert", "identities": {"user_id": "7"}}),
            "roster",
        ),
        (
            json!({"roster": 2, "type": "upsert", "identities": {"user_id": "7"}}),
            "roster",
        ),
        (
            json!({"roster": 1, "type": "upsert", "identity": {}}),
            "identity",
        ),
        (json!({"roster": 1, "type": "upsert"}), "identities"),
        (
            json!({"roster": 1, "type": "upsert", "identities": {"phone": "7"}}),
            "identities",
        ),
        (
            json!({"roster": 1, "type": "merge", "identities": {"user_id": "7"}}),
            "type",
        ),
        (
            json!({"roster": 1, "type": "event", "identities": {"user_id": "7"}, "name": "x"}),
            "id",
        ),
        (
            json!({"roster": 1, "type": "upsert", "identities": {"user_id": "7"}, "updated_at": 5}),
            "updated_at",
        ),
        (
            json!({"roster": 1, "type": "upsert", "identities": {"user_id": "7"}, "whole": true, "times": {"a": "2022-01-01T00:00:00Z"}}),
            "times",
        ),
    ] {
        let refused = read_all(&own, None, Some(&broken.to_string()), &[]).expect_err("broken");
        assert_eq!(refused.field.as_deref(), Some(field), "{broken}: {refused}");
    }
}

/// One of few records about one person, live or legacy.
fn written() -> impl Strategy<Value = (bool, i64, i64, bool, Vec<(u8, u8)>)> {
    (
        any::<bool>(),
        1..4_i64,
        0..3_i64,
        any::<bool>(),
        prop::collection::vec((0..4_u8, 0..4_u8), 0..4),
    )
}

fn write_of(
    &(is_live, at, sequence, is_whole, ref pairs): &(bool, i64, i64, bool, Vec<(u8, u8)>),
) -> crate::domain::TraitWrite {
    let value = |value: u8| {
        if value == 0 {
            json!(null)
        } else {
            json!(value)
        }
    };
    let stated: serde_json::Map<_, _> = pairs
        .iter()
        .map(|(name, one)| (format!("t{name}"), value(*one)))
        .collect();
    let stamp = if is_live {
        Stamp::live(at)
    } else {
        Stamp { at, sequence }
    };
    let members = Json::of(&stated).members().expect("an object");
    crate::domain::TraitWrite {
        stamp,
        mode: if is_whole && !is_live {
            Mode::Document
        } else {
            Mode::Single
        },
        traits: members.into_iter().collect(),
        times: std::collections::BTreeMap::new(),
    }
}

proptest! {
    #[test]
    fn laws_records_and_live_writes_end_the_same_in_any_order(
        (all, shuffled) in prop::collection::vec(written(), 1..6).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        let ends = |writes: &[(bool, i64, i64, bool, Vec<(u8, u8)>)]| {
            let mut traits = Traits::default();
            writes.iter().chain(writes).for_each(|one| {
                    traits.merge(&write_of(one));
                });
            traits
        };
        let (one, other) = (ends(&all), ends(&shuffled));
        prop_assert_eq!(one.to_stored().0, other.to_stored().0);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn laws_a_live_write_is_never_undone_by_a_record_of_its_time(value in 1..9_u8, legacy in 1..9_u8, sequence in any::<i64>()) {
        let live = write_of(&(true, 2, 0, false, vec![(1, value)]));
        let mut record = write_of(&(false, 2, 0, true, vec![(1, legacy), (2, legacy)]));
        record.stamp.sequence = sequence.min(i64::MAX - 1);
        for writes in [[&live, &record], [&record, &live]] {
            let mut traits = Traits::default();
            writes.iter().for_each(|write| {
                traits.merge(write);
            });
            let kept = traits.to_stored().0.member("t1").expect("it is there");
            prop_assert_eq!(kept.as_str(), value.to_string());
        }
    }

    #[test]
    fn laws_no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), key in prop::collection::vec(any::<u8>(), 0..20), which in 0..3_usize) {
        let text = [ELASTICSEARCH, DEBEZIUM, "preset = \"roster\""][which];
        let _ = read_bytes(&mapping(text), Some(&key), Some(&Bytes::from(bytes)), &[]);
    }

    #[test]
    fn laws_no_json_makes_reading_panic(op in "[a-z]?", id in any::<Option<i64>>(), at in any::<Option<i64>>(), text in ".{0,20}", which in 0..3_usize) {
        let value = json!({"op": op, "_id": id, "id": id, "updated_at": at, "after": {"id": text, "updated_at": at, "a.b..": at}, "source": {"ts_ms": at},
            "_source": {"updated_at": at, "age": text, "score": text, "tags": at}, "roster": 1, "type": "upsert", "identities": {"user_id": text}});
        let mapping = mapping([ELASTICSEARCH, DEBEZIUM, "preset = \"roster\""][which]);
        let _ = read_all(&mapping, Some(&text), Some(&value.to_string()), &[]);
    }
}
