//! What documents say by a mapping: formats, shapes, places, and what is wrong with either.

use super::row_tests::{BARE, at, codes, mode, names, read, read_with, rejected, stamp, traits};
use super::*;
use crate::domain::{Code, Mode};
use serde_json::json;

#[test]
fn row_37_a_registrys_prefix_is_stripped_and_avro_is_refused() {
    let mapping = Mapping::parse(BARE).expect("a mapping");
    let framed = |rest: &[u8]| [&[0, 0, 0, 0, 5][..], rest].concat();
    let value = framed(br#"{"id":7}"#);
    let Ok(Reading::Command { command, .. }) = read_with(&mapping, None, Some(&value), &[]) else {
        panic!("stored");
    };
    assert_eq!(names(&command), ["user_id:7"]);
    for avro in [&[2_u8, 14, 6, b'a'][..], &[0xFF, 0xFE, 0x01]] {
        let code = rejected(BARE, &framed(avro)).code;
        assert_eq!(code, Code::SchemaRegistryFormat);
    }
}

#[test]
fn row_45_digits_survive() {
    let row = r#"{"id":1,"shop":1234567890123456789,"f":0.1000000000000000055511151231257827}"#;
    let mapping = Mapping::parse(BARE).expect("a mapping");
    let Ok(Reading::Command { command, .. }) = read_with(&mapping, None, Some(row.as_bytes()), &[])
    else {
        panic!("stored");
    };
    let traits = traits(&command).to_string();
    assert!(
        traits.contains("1234567890123456789")
            && traits.contains("0.1000000000000000055511151231257827")
    );
}

#[test]
fn row_46_a_list_is_one_in_both_shapes_where_declared() {
    let declared = format!("{BARE}[traits.types]\ntags = \"list\"\n");
    for tags in [json!("a"), json!(["a"])] {
        let row = json!({"id": 1, "tags": tags});
        assert_eq!(traits(&read(&declared, &row).0)["tags"], json!(["a"]));
        assert_eq!(traits(&read(BARE, &row).0)["tags"], tags);
    }
}

#[test]
fn row_47_the_nested_form_wins_over_dots() {
    let expand = format!("{BARE}[traits]\nexpand_dots = true\n");
    let row = json!({"id": 1, "a.b": 1, "a": {"b": 2}, "c.d.e": 3, "c": {"f.g": 4}});
    let (command, warnings) = read(&expand, &row);
    let expected = json!({"id": 1, "a": {"b": 2}, "c": {"d": {"e": 3}, "f": {"g": 4}}});
    assert_eq!(traits(&command), expected);
    assert!(codes(&warnings).contains(&("name_conflict", "a.b")));
    assert_eq!(traits(&read(BARE, &row).0), row);
    let flatten = format!("{BARE}[traits]\nflatten = true\n");
    let flat = json!({"id": 1, "a.b": 2, "c.d.e": 3, "c.f.g": 4});
    assert_eq!(traits(&read(&flatten, &row).0), flat);
}

/// Without a bound the process had no stack for it.
#[test]
fn a_name_of_many_dots_is_too_deep_at_any_number_of_them() {
    let expand = format!("{BARE}[traits]\nexpand_dots = true\n");
    for dots in [100, 1_000, 20_000] {
        let name = vec!["a"; dots + 1].join(".");
        let row = json!({"id": 1, name.clone(): 1, "n": {name.clone(): [{name: 1}]}});
        let rejection = rejected(&expand, row.to_string().as_bytes());
        assert_eq!(rejection.code, Code::TooDeep, "{dots}");
    }
}

#[test]
fn row_49_and_50_formats_are_tried_in_order_and_quotes_make_no_difference() {
    let mapping = format!("{BARE}format = [\"rfc3339\", \"epoch_s\"]\n");
    for time in [
        json!(1_700_000_000),
        json!("1700000000"),
        json!("2023-11-14T22:13:20Z"),
    ] {
        let (command, _) = read(&mapping, &json!({"id": 1, "updated_at": time}));
        assert_eq!(command.occurred_at(), at("2023-11-14T22:13:20Z"), "{time}");
    }
}

#[test]
fn row_51_places_are_verbatim_unless_mapped() {
    let geo = format!("{BARE}[traits.types]\nloc = \"geo\"\n");
    for loc in [
        json!("51.5,-0.1"),
        json!([-0.1, 51.5]),
        json!({"lat": 51.5, "lon": -0.1}),
        json!("POINT (-0.1 51.5)"),
    ] {
        let row = json!({"id": 1, "loc": loc});
        assert_eq!(
            traits(&read(&geo, &row).0)["loc"],
            json!({"lat": 51.5, "lon": -0.1})
        );
        assert_eq!(traits(&read(BARE, &row).0)["loc"], loc);
    }
}

#[test]
fn row_52_a_hit_is_opened_and_its_version_is_the_second_key() {
    let mapping = "preset = \"elasticsearch\"\n[time]\nat = \"/updated\"\n[traits]\nwhole = true";
    let hit = json!({"_index": "people-3", "_id": "7", "_version": 4, "_seq_no": 9, "_source": {"updated": "2021-01-01", "a.b": 1}});
    let (command, _) = read(mapping, &hit);
    assert_eq!(names(&command), ["user_id:7"]);
    assert_eq!(
        (stamp(&command).sequence, mode(&command)),
        (4, Mode::Document)
    );
    assert_eq!(traits(&command), json!({"updated": "2021-01-01", "a.b": 1}));
    let hidden = json!({"_index": "people-3", "_id": "7"});
    let rejection = rejected(mapping, hidden.to_string().as_bytes());
    assert_eq!(rejection.field.as_deref(), Some("_source"));
}

#[test]
fn bad_records_say_where() {
    let rejection = rejected(BARE, b"{\"id\":1,\n oops}");
    assert_eq!(rejection.code, Code::NotJson);
    assert!(
        rejection.message.contains("line 2, column 2"),
        "{rejection}"
    );
    assert_eq!(rejected(BARE, &[0xFF, 0xD8]).code, Code::NotJson);
    assert_eq!(rejected(BARE, b"[1]").code, Code::NotAnObject);
    let deep = format!("{{\"id\":1,\"a\":{}{}}}", "[".repeat(90), "]".repeat(90));
    assert_eq!(rejected(BARE, deep.as_bytes()).code, Code::TooDeep);
    let nobody = rejected(BARE, br#"{"id":" ","email":"a@b.c"}"#);
    assert_eq!(nobody.code, Code::MissingIdentity);
    assert!(nobody.message.contains("user_id at /id"), "{nobody}");
    let (command, _) = read(BARE, &json!({"id": 1, "a": 1}));
    assert_eq!(names(&command), ["user_id:1"]);
}

#[test]
fn a_mark_of_byte_order_nul_and_nan_are_mended_as_elsewhere() {
    let mapping = Mapping::parse(BARE).expect("a mapping");
    let value = b"\xEF\xBB\xBF{\"id\":1,\"a\":\"x\\u0000\",\"b\":NaN,\"c\":1e2}";
    let Ok(Reading::Command { command, .. }) = read_with(&mapping, None, Some(value), &[]) else {
        panic!("stored");
    };
    assert_eq!(
        traits(&command),
        json!({"id": 1, "a": "x\u{FFFD}", "b": null, "c": 100})
    );
}

#[test]
fn names_come_from_the_key_and_headers_too() {
    let mapping =
        Mapping::parse("[identities]\nuser_id = [\"/none\", \"key:\"]\nemail = \"header:mail\"")
            .expect("a mapping");
    let headers = [("mail".to_owned(), b"A@b.c".to_vec())];
    for (key, name) in [("007", "007"), ("\"x y\"", "x y"), ("1e3", "1e3")] {
        let reading = read_with(&mapping, Some(key.as_bytes()), Some(b"{}"), &headers);
        let Ok(Reading::Command { command, .. }) = reading else {
            panic!("{reading:?}");
        };
        assert_eq!(
            names(&command),
            [format!("user_id:{name}"), "email:a@b.c".to_owned()]
        );
    }
    let tombstones =
        Mapping::parse("[identities]\nuser_id = \"key:/id\"\n[delete]\ntombstones = true")
            .expect("a mapping");
    let reading = read_with(&tombstones, Some(b"{\"id\":5}"), None, &[]);
    assert!(matches!(&reading, Ok(Reading::Command { command, .. }) if command.erases()));
}

#[test]
fn traits_are_dropped_moved_typed_and_added() {
    let mapping = "[identities]\nuser_id = \"/id\"\n[traits]\nroot = \"/doc\"\ndrop = [\"secret\", \"tmp_*\", \"/a/x\"]\n[traits.rename]\nplan_name = \"plan\"\nold = \"/deep/new\"\n[traits.types]\n\"/a/y\" = \"integer\"\nvip = \"boolean\"\nname = \"text\"\n[traits.defaults]\nsource = \"legacy\"\nplan = \"free\"\n[group]\nid = \"/org/id\"\ntraits = \"/org\"";
    let doc = json!({"secret": 1, "tmp_1": 1, "a": {"x": 1, "y": "2.0"}, "plan_name": "pro", "old": 1, "vip": "Yes", "name": 7});
    let (command, warnings) = read(
        mapping,
        &json!({"id": 1, "doc": doc, "org": {"id": "acme", "size": 3}}),
    );
    let expected = json!({"a": {"y": 2}, "plan": "pro", "deep": {"new": 1}, "vip": true, "name": "7", "source": "legacy"});
    assert_eq!(traits(&command), expected);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(
        command.group().map(|group| group.identity.value.as_str()),
        Some("acme")
    );
}

#[test]
fn every_complaint_about_a_file_comes_at_once() {
    let text = "colour = 1\n[identities]\nuser_id = \"id\"\nid = \"/x\"\ngroup_id = \"/g\"\n[time]\nformat = \"soon\"\nzone = \"Mars/X\"\n[traits]\nwhole = \"yes\"\nroot = \"doc\"\n[traits.types]\na = \"colour\"\n[delete]\nmark = \"/~x\"\n[project]\n";
    let complaints = Mapping::parse(text).expect_err("complaints");
    for part in [
        "\"colour\"",
        "\"id\" is no JSON pointer",
        "id can be no kind",
        "group_id names no person",
        "[time] format: \"soon\"",
        "[time] zone: \"Mars/X\"",
        "whole is true or false",
        "\"doc\"",
        "is no type",
        "/~x",
        "header, key_prefix and field",
    ] {
        assert!(
            complaints.iter().any(|complaint| complaint.contains(part)),
            "{part}: {complaints:#?}"
        );
    }
    for text in ["", "preset = \"solr\"", "= 1", "[time]\nat = \"/x\""] {
        assert!(Mapping::parse(text).is_err(), "{text}");
    }
    let both = "[identities]\nuser_id = \"/id\"\n[traits]\nwhole = true\n[time.traits]\nplan = \"/plan_at\"";
    assert!(Mapping::parse(both).is_err());
}

#[test]
fn the_project_is_told_by_header_key_or_field() {
    let project = |mapping: &str, key: &str, value: &str| {
        let mapping = Mapping::parse(mapping).expect("a mapping");
        let (headers, value) = (
            [("tenant".to_owned(), b"acme".to_vec())],
            Bytes::copy_from_slice(value.as_bytes()),
        );
        let record = Record {
            key: Some(key.as_bytes()),
            value: Some(&value),
            headers: &headers,
            at: None,
            from: None,
        };
        mapping.project(&record)
    };
    let own = "preset = \"roster\"\n[project]\n";
    assert_eq!(
        project(&format!("{own}header = \"tenant\""), "", "").as_deref(),
        Some("acme")
    );
    assert_eq!(
        project(&format!("{own}key_prefix = \":\""), "a:7", "").as_deref(),
        Some("a")
    );
    assert_eq!(project(&format!("{own}key_prefix = \":\""), "7", ""), None);
    assert_eq!(
        project(&format!("{own}field = \"/t\""), "", "{\"t\":\"x\"}").as_deref(),
        Some("x")
    );
    assert_eq!(project(&format!("{own}field = \"/t\""), "", "no"), None);
    assert_eq!(project("preset = \"roster\"", "a:7", "{}"), None);
}
