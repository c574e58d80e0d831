//! What holds for any records, in any order, beside live traffic.

use super::row_tests::{START, at, limits, read_with};
use super::*;
use crate::domain::profile::Traits;
use crate::domain::{Class, Draft, Json, Kinds, Mode, ProjectId};
use proptest::prelude::*;

const MAPPING: &str = "[identities]\nuser_id = \"/id\"\n[time]\nat = \"/at\"\nformat = \"epoch_s\"\nsequence = \"/v\"\n[traits]\nroot = \"/t\"\n";

/// What somebody says of one person's traits `a`, `b` and `c`.
#[derive(Clone, Debug)]
enum Said {
    Live {
        at: i64,
        traits: Vec<(u8, i64)>,
    },
    Partial {
        at: i64,
        version: i64,
        traits: Vec<(u8, i64)>,
    },
    Whole {
        at: i64,
        version: i64,
        traits: Vec<(u8, i64)>,
    },
    Own {
        at: i64,
        times: Vec<(u8, i64)>,
        traits: Vec<(u8, i64)>,
    },
}

fn said() -> impl Strategy<Value = Said> {
    let traits = || prop::collection::vec((0_u8..3, 0_i64..3), 0..4);
    let at = || 1_i64..5;
    prop_oneof![
        (at(), traits()).prop_map(|(at, traits)| Said::Live { at, traits }),
        (at(), 0_i64..3, traits()).prop_map(|(at, version, traits)| Said::Partial {
            at,
            version,
            traits
        }),
        (at(), 0_i64..3, traits()).prop_map(|(at, version, traits)| Said::Whole {
            at,
            version,
            traits
        }),
        (
            at(),
            prop::collection::vec((0_u8..3, 1_i64..5), 0..3),
            traits()
        )
            .prop_map(|(at, times, traits)| Said::Own { at, times, traits }),
    ]
}

/// 2 stands for a trait that is taken away.
fn object(traits: &[(u8, i64)]) -> serde_json::Value {
    let value = |value: i64| {
        if value == 2 {
            serde_json::Value::Null
        } else {
            value.into()
        }
    };
    let members = traits
        .iter()
        .map(|(name, number)| (char::from(b'a' + name).to_string(), value(*number)));
    serde_json::Value::Object(members.collect())
}

fn command(said: &Said) -> Command {
    let mapped = |whole: bool, at: i64, version: i64, traits: &[(u8, i64)]| {
        let mapping = Mapping::parse(&format!("{MAPPING}whole = {whole}")).expect("a mapping");
        let row = serde_json::json!({"id": 1, "at": at, "v": version, "t": object(traits)});
        taken(&mapping, &row)
    };
    match said {
        Said::Live { at, traits } => live(*at, traits),
        Said::Partial {
            at,
            version,
            traits,
        } => mapped(false, *at, *version, traits),
        Said::Whole {
            at,
            version,
            traits,
        } => mapped(true, *at, *version, traits),
        Said::Own { at, times, traits } => {
            let times = times
                .iter()
                .map(|(name, at)| (char::from(b'a' + name).to_string(), at * 1_000));
            let times: std::collections::BTreeMap<String, i64> = times.collect();
            let row = serde_json::json!({"roster": 1, "type": "upsert", "identities": {"user_id": 1},
                "updated_at": at * 1_000, "times": times, "traits": object(traits)});
            taken(&Mapping::roster(), &row)
        }
    }
}

fn taken(mapping: &Mapping, row: &serde_json::Value) -> Command {
    match read_with(mapping, None, Some(row.to_string().as_bytes()), &[]) {
        Ok(Reading::Command { command, .. }) => *command,
        other => panic!("{other:?}"),
    }
}

fn live(seconds: i64, traits: &[(u8, i64)]) -> Command {
    let (kinds, limits) = (Kinds::default(), limits());
    let gate = Gate {
        project_id: ProjectId(1),
        class: Class::Live,
        kinds: &kinds,
        limits: &limits,
        received_at: at(START),
        is_measured: false,
    };
    let occurred_at = Timestamp::from_micros(seconds * 1_000_000).expect("small");
    let draft = Draft {
        names: vec![gate.name("user_id", "1", "userId")],
        traits: Some(Json::of(&object(traits))),
        mode: Mode::Single,
        ..Draft::at(occurred_at)
    };
    gate.command(draft).expect("valid")
}

fn merged<'a>(commands: impl Iterator<Item = &'a Command>) -> Traits {
    let mut traits = Traits::default();
    for command in commands {
        for write in command.subjects().filter_map(|subject| subject.traits) {
            traits.merge(write);
        }
    }
    traits
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(2_000)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn laws_records_and_live_traffic_commute_and_may_be_repeated(
        (said, shuffled) in prop::collection::vec(said(), 1..7)
            .prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle()))
    ) {
        let commands: Vec<Command> = said.iter().map(command).collect();
        let others: Vec<Command> = shuffled.iter().map(command).collect();
        let once = merged(commands.iter());
        prop_assert_eq!(&once, &merged(others.iter()));
        prop_assert_eq!(&once, &merged(commands.iter().chain(&others)));
    }

    #[test]
    fn laws_a_record_never_beats_live_traffic_of_its_time(
        when in 1_i64..5, version in 0..i64::MAX, traits in prop::collection::vec((0_u8..3, 0_i64..2), 1..4)
    ) {
        let said = [live(when, &[(0, 0), (1, 0), (2, 0)]), command(&Said::Partial { at: when, version, traits })];
        prop_assert_eq!(merged(said.iter()), merged(said[..1].iter()));
    }

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
