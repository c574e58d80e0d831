//! Roster's own format, version 1: JSON lines that say what they mean.

use super::bytes::value_of;
use super::convert::{TimeFormat, text_of, time_of};
use super::{Control, Reading, Record};
use crate::domain::{
    Code, Draft, EventDraft, EventType, Gate, GroupDraft, IdentityKind, Json, Mode, Name,
    Rejection, Text, Timestamp,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The version that this program writes and reads.
const VERSION: u64 = 1;
/// All members; another one is a typo.
const MEMBERS: &[&str] = &[
    "roster",
    "type",
    "identities",
    "traits",
    "updated_at",
    "sequence",
    "times",
    "group",
    "whole",
    "deleted_at",
    "id",
    "name",
    "at",
    "properties",
    "context",
];

/// Reads a record of Roster's own format.
pub(super) fn read(
    record: &Record<'_>,
    gate: &Gate<'_>,
    start: Timestamp,
) -> Result<Reading, Rejection> {
    let Some(bytes) = record.value else {
        return Ok(Reading::Control(Control::Tombstone));
    };
    let Value::Object(record) = value_of(bytes)? else {
        let message = "a record is an object";
        return Err(Rejection {
            code: Code::NotAnObject,
            field: None,
            message: message.to_owned(),
        });
    };
    if let Some(unknown) = record.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(Rejection::of(
            Code::InvalidField,
            unknown,
            "a record has no such field",
        ));
    }
    if record.get("roster").and_then(Value::as_u64) != Some(VERSION) {
        let message = format!("the format's version must be there, and {VERSION}");
        return Err(Rejection::of(Code::InvalidField, "roster", message));
    }
    let names = names(&record, gate)?;
    let draft = match record.get("type").and_then(Value::as_str) {
        Some("upsert") => upsert(&record, gate, start)?,
        Some("delete") => Draft {
            erases: true,
            ..Draft::at(time(&record, "deleted_at")?.unwrap_or(start))
        },
        Some("event") => event(&record, start)?,
        _ => {
            let message = "the type must be one of upsert, delete, event";
            return Err(Rejection::of(Code::UnknownType, "type", message));
        }
    };
    let command = gate.command(Draft { names, ..draft })?;
    let warnings = Vec::new();
    Ok(Reading::Command { command, warnings })
}

fn names(record: &Map<String, Value>, gate: &Gate<'_>) -> Result<Vec<Name>, Rejection> {
    let Some(Value::Object(all)) = record.get("identities") else {
        return Err(Rejection::of(
            Code::MissingIdentity,
            "identities",
            "an object of names by kind",
        ));
    };
    let known = |kind: &str| {
        !matches!(IdentityKind::parse(kind), IdentityKind::Custom(_))
            || gate.kinds.custom(kind).is_some()
    };
    let mut names = Vec::new();
    for (kind, value) in all {
        if !known(kind) {
            let message = format!("{kind:?} is no kind of identity of this project");
            return Err(Rejection::of(Code::InvalidField, "identities", message));
        }
        names.extend(text_of(value).map(|text| gate.name(kind, &text, "identities")));
    }
    Ok(names)
}

fn upsert(
    record: &Map<String, Value>,
    gate: &Gate<'_>,
    start: Timestamp,
) -> Result<Draft, Rejection> {
    let is_whole = match record.get("whole") {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(_) => {
            return Err(Rejection::of(
                Code::InvalidField,
                "whole",
                "neither true nor false",
            ));
        }
    };
    Ok(Draft {
        traits: object(record, "traits")?,
        mode: if is_whole {
            Mode::Document
        } else {
            Mode::Single
        },
        sequence: sequence(record)?,
        times: times(record)?,
        group: group(record, gate)?,
        ..Draft::at(time(record, "updated_at")?.unwrap_or(start))
    })
}

fn event(record: &Map<String, Value>, start: Timestamp) -> Result<Draft, Rejection> {
    let text = |name: &'static str| {
        let found = record.get(name).and_then(text_of);
        found
            .map(|text| Text::new(text, name))
            .ok_or_else(|| Rejection::of(Code::MissingField, name, "an event of history needs it"))
    };
    let event = EventDraft {
        message_id: Some(text("id")?),
        event_type: EventType::Track,
        name: Some(text("name")?),
        properties: object(record, "properties")?.unwrap_or_else(Json::empty_object),
        context: object(record, "context")?.unwrap_or_else(Json::empty_object),
    };
    Ok(Draft {
        event: Some(event),
        ..Draft::at(time(record, "at")?.unwrap_or(start))
    })
}

fn object(record: &Map<String, Value>, name: &'static str) -> Result<Option<Json>, Rejection> {
    match record.get(name) {
        None => Ok(None),
        Some(object @ Value::Object(_)) => Ok(Some(Json::of(object))),
        Some(_) => Err(Rejection::of(
            Code::InvalidField,
            name,
            "it must be an object",
        )),
    }
}

fn sequence(record: &Map<String, Value>) -> Result<i64, Rejection> {
    match record.get("sequence") {
        None | Some(Value::Null) => Ok(i64::MIN),
        Some(number) => number
            .as_i64()
            .filter(|number| *number < i64::MAX)
            .ok_or_else(|| Rejection::of(Code::InvalidField, "sequence", "no whole number")),
    }
}

/// A time in RFC 3339; one of 1970 or none is no time.
fn time(record: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, Rejection> {
    match record.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => time_of(value, &[TimeFormat::Text], None)
            .map(Some)
            .ok_or_else(|| {
                Rejection::of(
                    Code::InvalidTime,
                    name,
                    "no time such as 2026-01-31T12:00:00Z",
                )
            }),
    }
}

fn times(record: &Map<String, Value>) -> Result<BTreeMap<String, Timestamp>, Rejection> {
    let Some(times) = record.get("times") else {
        return Ok(BTreeMap::new());
    };
    let refused = || Rejection::of(Code::InvalidTime, "times", "an object of times by trait");
    let times = times.as_object().ok_or_else(refused)?.iter();
    let read = |(name, value): (&String, &Value)| {
        let at = time_of(value, &[TimeFormat::Text], None).ok_or_else(refused)?;
        Ok((name.clone(), at))
    };
    times.map(read).collect()
}

fn group(record: &Map<String, Value>, gate: &Gate<'_>) -> Result<Option<GroupDraft>, Rejection> {
    let Some(group) = record.get("group") else {
        return Ok(None);
    };
    let refused = |message| Rejection::of(Code::InvalidField, "group", message);
    let group = group
        .as_object()
        .ok_or_else(|| refused("it must be an object"))?;
    let id = group.get("id").and_then(text_of);
    let id = id.ok_or_else(|| refused("it needs an id"))?;
    Ok(Some(GroupDraft {
        name: gate.name(IdentityKind::GroupId.as_str(), &id, "group"),
        traits: object(group, "traits")?,
    }))
}
