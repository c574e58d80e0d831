//! What holds for any bytes: no reader panics, and one record reads the same every time.

use super::row_tests::read_with;
use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn laws_no_bytes_make_a_reader_panic(value in prop::collection::vec(any::<u8>(), 0..60), key in prop::collection::vec(any::<u8>(), 0..20)) {
        for mapping in readers() {
            let _ = read_with(&mapping, Some(&key), Some(&value), &[]);
        }
    }

    #[test]
    fn laws_no_json_makes_a_reader_panic(value in json_text(), key in json_text()) {
        for mapping in readers() {
            let headers = [("__debezium.newkey".to_owned(), key.clone().into_bytes())];
            let _ = read_with(&mapping, Some(key.as_bytes()), Some(value.as_bytes()), &headers);
        }
    }

    #[test]
    fn laws_one_record_reads_the_same_every_time(value in json_text()) {
        for mapping in readers() {
            let read = || format!("{:?}", read_with(&mapping, None, Some(value.as_bytes()), &[]).map(said_by));
            prop_assert_eq!(read(), read());
        }
    }
}

/// All but the key that is drawn for each command.
fn said_by(reading: Reading) -> Option<String> {
    match reading {
        Reading::Command { command, warnings } => {
            let subjects: Vec<_> = command.subjects().collect();
            Some(format!("{subjects:?} {warnings:?} {:?}", command.event()))
        }
        _ => None,
    }
}

fn readers() -> [Mapping; 4] {
    let everything = "[identities]\nuser_id = [\"/id\", \"key:\"]\n[time]\nat = \"/at\"\nformat = [\"wall_ms\", \"rfc3339\", \"%Y/%m/%d\"]\nzone = \"UTC\"\nsequence = \"/v\"\n[traits]\nexpand_dots = true\nextended_json = true\n[traits.types]\na = \"geo\"\nb = \"decimal(2)\"\nc = \"json_text\"\nd = \"time\"\n[delete]\nmark = \"/deleted\"";
    let everything = Mapping::parse(everything).expect("a mapping");
    let preset = |name| Mapping::parse(&format!("preset = {name:?}")).expect("a preset");
    [
        Mapping::roster(),
        preset("elasticsearch"),
        preset("debezium"),
        everything,
    ]
}

/// Objects with the names that mean something.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1".to_owned()),
        Just("-0".to_owned()),
        Just("1e30".to_owned()),
        Just("9223372036854775808".to_owned()),
        Just("NaN".to_owned()),
        "\"[a-z0-9=:/%.+-]{0,8}\"",
        Just("\"upsert\"".to_owned()),
        Just("\"event\"".to_owned()),
        Just("\"u\"".to_owned()),
        Just("\"d\"".to_owned()),
        Just("\"\\ud800\\u0000\"".to_owned()),
    ];
    let name = prop::sample::select(vec![
        "id",
        "at",
        "a",
        "b",
        "c",
        "d",
        "v",
        "a.b",
        ".",
        "op",
        "after",
        "before",
        "source",
        "schema",
        "payload",
        "roster",
        "type",
        "identities",
        "user_id",
        "traits",
        "times",
        "ts_ms",
        "snapshot",
        "_id",
        "_source",
        "$oid",
        "$date",
        "$numberLong",
        "file",
        "pos",
        "fields",
        "field",
        "name",
        "parameters",
        "scale",
        "$serde_json::private::Number",
        "$serde_json::private::RawValue",
        "deleted",
        "updated_at",
    ]);
    leaf.prop_recursive(4, 30, 6, move |inner| {
        let members = prop::collection::vec((name.clone(), inner.clone()), 0..6);
        prop_oneof![
            members.prop_map(|members| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
            prop::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(","))),
        ]
    })
}
