//! What is written in Roster's own format reads as the same person.

use super::*;
use crate::domain::profile::Traits;
use crate::domain::{Command, Json, Mode, Stamp, TraitWrite};
use crate::mapping::row_tests::read_with;
use crate::mapping::{Mapping, Reading};
use proptest::prelude::*;

const BASE: i64 = 1_600_000_000_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(BASE + second * 1_000_000 + second).expect("a time")
}

fn read(record: &Value) -> Command {
    let value = record.to_string();
    match read_with(&Mapping::roster(), None, Some(value.as_bytes()), &[]) {
        Ok(Reading::Command { command, warnings }) => {
            assert!(warnings.is_empty(), "{warnings:?}");
            *command
        }
        other => panic!("{record}: {other:?}"),
    }
}

fn person(traits: &Traits) -> Person {
    let value = |json: &Json| serde_json::from_slice(json.as_bytes()).expect("JSON");
    let stated = traits.stated().into_iter();
    Person {
        identities: vec![
            ("user_id".to_owned(), "7".to_owned()),
            ("email".to_owned(), "ada@example.com".to_owned()),
            ("user_id".to_owned(), "8".to_owned()),
        ],
        traits: stated
            .map(|(name, (at, json))| (name, (at, value(&json))))
            .collect(),
        floor: traits.floor(),
    }
}

/// What is read of a person.
fn values(traits: &Traits) -> Value {
    let (values, _) = traits.to_stored();
    serde_json::from_slice(values.as_bytes()).expect("JSON")
}

/// Merges what records say.
fn take(traits: &mut Traits, records: &[Value]) {
    for record in records {
        let command = read(record);
        if let Some(write) = command.subjects().next().and_then(|subject| subject.traits) {
            traits.merge(write);
        }
    }
}

/// One thing that happens to a person.
#[derive(Clone, Debug)]
enum Happening {
    Write {
        second: i64,
        mode: Mode,
        traits: Value,
        is_live: bool,
    },
    EraseOlder(i64),
}

impl Happening {
    fn happen(&self, traits: &mut Traits) {
        match self {
            Self::EraseOlder(second) => _ = traits.erase_older(at(*second)),
            Self::Write {
                second,
                mode,
                traits: stated,
                is_live,
            } => {
                let members = Json::of(stated).members().expect("an object");
                let sequence = if *is_live { Stamp::LIVE } else { i64::MIN };
                traits.merge(&TraitWrite {
                    stamp: Stamp::of(at(*second), sequence),
                    mode: *mode,
                    traits: members.into_iter().collect(),
                    times: std::collections::BTreeMap::new(),
                });
            }
        }
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let value = prop::sample::select(vec![
        json!(null),
        json!(1),
        json!("x"),
        json!(1.50),
        json!({"k": 1}),
        json!({"k": null, "l": 2}),
        json!([]),
    ]);
    let traits =
        prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), value, 0..3);
    let mode = prop::sample::select(vec![Mode::Single, Mode::Nested, Mode::Document]);
    let write =
        (1_i64..20, mode, traits, any::<bool>()).prop_map(|(second, mode, traits, is_live)| {
            Happening::Write {
                second,
                mode,
                traits: json!(traits),
                is_live,
            }
        });
    prop_oneof![8 => write, 1 => (1_i64..20).prop_map(Happening::EraseOlder)]
}

proptest! {
    /// Each state that was published may come late, twice, or never: once the last one is there, both sides are equal.
    #[test]
    fn laws_of_own_records_whoever_reads_them_has_the_same_person(
        happenings in prop::collection::vec(happening(), 1..12), order in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (mut here, mut published) = (Traits::default(), Vec::new());
        for (version, happening) in (1..).zip(&happenings) {
            happening.happen(&mut here);
            published.push(upsert(&person(&here), version, at(60)));
        }
        let mut there = Traits::default();
        for index in &order {
            take(&mut there, published[index.index(published.len())].as_slice());
        }
        take(&mut there, published[published.len() - 1].as_slice());
        for index in &order {
            take(&mut there, published[index.index(published.len())].as_slice());
        }
        prop_assert_eq!(values(&there), values(&here), "{:?}", published);
    }
}

/// A topic that keeps the last record of each key, of which a person has had two.
#[test]
fn the_last_record_of_a_person_alone_takes_away_what_is_gone() {
    let write = |second: i64, mode, traits: Value| Happening::Write {
        second,
        mode,
        traits,
        is_live: true,
    };
    let (mut here, mut kept) = (Traits::default(), Vec::new());
    for (version, happening) in (1..).zip([
        write(1, Mode::Single, json!({"phone": "1"})),
        write(3, Mode::Document, json!({"name": "new"})),
    ]) {
        happening.happen(&mut here);
        kept.extend(upsert(&person(&here), version, at(60)));
    }
    let mut there = Traits::default();
    take(&mut there, &kept);
    assert_eq!(values(&there), values(&here), "{kept:?}");
    // A fact of before that comes later finds the same floor.
    let late = write(2, Mode::Single, json!({"phone": "1", "plan": "pro"}));
    late.happen(&mut there);
    assert_eq!(values(&there), json!({"name": "new"}));
    let late = write(4, Mode::Single, json!({"plan": "pro"}));
    late.happen(&mut there);
    assert_eq!(values(&there), json!({"name": "new", "plan": "pro"}));
}

#[test]
fn a_person_s_names_are_one_person_s_whoever_had_them() {
    let records = Vec::from_iter(upsert(&person(&Traits::default()), 5, at(1)));
    assert_eq!(records.len(), 1);
    let command = read(&records[0]);
    let names: Vec<&str> = command
        .identities()
        .iter()
        .map(|name| name.value.as_str())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(records[0]["joined"], true);
    assert_eq!(records[0]["identities"]["user_id"], json!(["7", "8"]));
}

#[test]
fn a_group_has_no_record_and_a_deletion_says_as_of_when() {
    let group = Person {
        identities: vec![("group_id".to_owned(), "acme".to_owned())],
        ..Person::default()
    };
    assert!(upsert(&group, 1, at(1)).is_none());
    let command = read(&deletion("email", "ada@example.com", at(3)));
    assert!(command.erases());
    assert_eq!(command.occurred_at(), at(3));
}
