//! A person as records of Roster's own format: reading them gives the same names and traits, in any order and however often.

use super::names;
use super::reverse::Person;
use crate::domain::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The record that tells a person as they are at `now`: all traits, each with its own time, and as of when what it lacks is gone, where a
/// whole document or an erasure has taken that away. It says all by itself, since of a topic that is compacted nothing older is left. Of
/// what is stated at one time the higher version wins. Groups have none: the format knows them as somebody's.
pub fn upsert(person: &Person, version: i64, now: Timestamp) -> Option<Value> {
    let identities = identities(person);
    if identities.is_empty() {
        return None;
    }
    let stated = person.traits.iter();
    let (traits, times): (Map<String, Value>, Map<String, Value>) = stated
        .map(|(name, (at, value))| {
            let time = Value::from(at.to_string());
            ((name.clone(), value.clone()), (name.clone(), time))
        })
        .unzip();
    let mut record = json!({"roster": 1, "type": "upsert", "identities": identities, "joined": true,
        "updated_at": now.to_string(), "sequence": version, "traits": traits, "times": times});
    if let Some(floor) = person.floor {
        record["whole"] = floor.to_string().into();
    }
    Some(record)
}

/// The record that tells that a name's person was erased: what is older is gone.
pub fn deletion(kind: &str, value: &str, at: Timestamp) -> Value {
    json!({"roster": 1, "type": "delete", "identities": {kind: value}, "deleted_at": at.to_string()})
}

fn identities(person: &Person) -> BTreeMap<&str, Vec<&str>> {
    let mut kinds = BTreeMap::<&str, Vec<&str>>::new();
    let own = person.identities.iter();
    for (kind, value) in own.filter(|(kind, _)| names::complaint(kind).is_none()) {
        kinds.entry(kind).or_default().push(value);
    }
    kinds
}

#[cfg(test)]
#[path = "own_write_tests.rs"]
mod own_write_tests;
