//! Roster's own format: one JSON object a record, with a version.

use super::document::sequence_of;
use super::envelope::Envelope;
use super::moment::Moments;
use super::names;
use super::opened::Opened;
use super::{Control, FromFile, Reading, Record, done, earliest};
use crate::domain::{
    Code, Draft, EventDraft, EventId, EventType, Gate, GroupDraft, Json, Mode, Name, Rejection,
    Text, Timestamp, Warning,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const KNOWN: [&str; 17] = [
    "roster",
    "type",
    "identities",
    "traits",
    "updated_at",
    "sequence",
    "times",
    "group",
    "whole",
    "joined",
    "deleted_at",
    "id",
    "name",
    "kind",
    "at",
    "properties",
    "context",
];

/// Reads a record of the format.
///
/// # Errors
/// Why it can't be taken.
pub fn read(record: &Record<'_>, gate: &Gate<'_>, start: Timestamp) -> Result<Reading, Rejection> {
    let Opened::Content(content) = Envelope::Bare.open(record, gate.limits.depth)? else {
        return Ok(Reading::Control(Control::Tombstone));
    };
    let Value::Object(members) = content.row else {
        return Ok(Reading::Control(Control::Tombstone));
    };
    let kind = kind(&members)?;
    let mut line = Line {
        members,
        gate,
        start,
        from: record.from,
        warnings: Vec::new(),
    };
    line.note_unknown();
    let draft = match kind.as_str() {
        "upsert" => line.upsert()?,
        "delete" => line.delete(record.at)?,
        "event" => line.event()?,
        _ => {
            let message = "the type is none of upsert, delete, event";
            return Err(Rejection::of(Code::UnknownType, "type", message));
        }
    };
    Ok(done(gate.command(draft)?, line.warnings))
}

fn kind(members: &Map<String, Value>) -> Result<String, Rejection> {
    if members.get("roster").and_then(Value::as_i64) != Some(1) {
        let message =
            "a record of Roster's own format has \"roster\": 1; other documents need a mapping";
        return Err(Rejection::of(Code::InvalidField, "roster", message));
    }
    let kind = members.get("type").and_then(Value::as_str);
    let missing = || Rejection::of(Code::UnknownType, "type", "the record has no type");
    kind.map(str::to_owned).ok_or_else(missing)
}

struct Line<'a> {
    members: Map<String, Value>,
    gate: &'a Gate<'a>,
    start: Timestamp,
    from: Option<FromFile<'a>>,
    warnings: Vec<Warning>,
}

impl Line<'_> {
    fn upsert(&mut self) -> Result<Draft, Rejection> {
        let names = self.names()?;
        let at = self.time("updated_at");
        let whole = self.take("whole");
        let is_whole = whole == Some(Value::Bool(true));
        let whole_since = self.whole_since(whole);
        let is_joined = self.take("joined") == Some(Value::Bool(true));
        Ok(Draft {
            explicit: if is_joined { names.len() } else { 0 },
            names,
            traits: self.object("traits")?.as_ref().map(Json::of),
            mode: if is_whole {
                Mode::Document
            } else {
                Mode::Single
            },
            whole_since,
            sequence: self.sequence(),
            times: self.times()?,
            group: self.group()?,
            earliest: earliest(self.gate, at),
            ..Draft::at(at.unwrap_or(self.start))
        })
    }

    /// As of when the record is whole, where that is not its own time.
    fn whole_since(&mut self, whole: Option<Value>) -> Option<Timestamp> {
        let stated = whole.filter(Value::is_string)?;
        let since = Moments::own().read(&stated);
        if since.is_none() {
            self.warn("not_a_time", "whole", "it does not read as a time");
        }
        since
    }

    fn delete(&mut self, recorded_at: Option<Timestamp>) -> Result<Draft, Rejection> {
        let names = self.names()?;
        let at = self.time("deleted_at").or(recorded_at);
        let erases = true;
        Ok(Draft {
            names,
            erases,
            ..Draft::at(at.unwrap_or(self.start))
        })
    }

    /// Without an id the record itself is its name: a replay makes no second event.
    fn event(&mut self) -> Result<Draft, Rejection> {
        let own_id = self.text("id")?;
        let own_id = own_id.filter(|id| !self.gate.is_placeholder(id));
        let id = own_id.unwrap_or_else(|| {
            let canonical = Json::of(&self.members).canonical();
            let derived = || EventId::of(&canonical).0.to_string();
            self.from
                .map_or_else(derived, |from| from.event_id(canonical.as_bytes()))
        });
        let names = self.names()?;
        let name = self.text("name")?;
        let event_type = self.event_type()?;
        if event_type == EventType::Track && name.is_none() {
            let message = "an event has a name";
            return Err(Rejection::of(Code::MissingField, "name", message));
        }
        let event = EventDraft {
            message_id: Some(Text::new(id, "id")),
            event_type,
            name: name.map(|name| Text::new(name, "name")),
            properties: self.json("properties")?,
            context: self.json("context")?,
        };
        let at = self.time("at");
        Ok(Draft {
            names,
            event: Some(event),
            group: self.group()?,
            earliest: earliest(self.gate, at),
            ..Draft::at(at.unwrap_or(self.start))
        })
    }

    fn event_type(&mut self) -> Result<EventType, Rejection> {
        let Some(kind) = self.text("kind")? else {
            return Ok(EventType::Track);
        };
        let known = EventType::parse(&kind);
        let known = known
            .filter(|kind| matches!(kind, EventType::Track | EventType::Page | EventType::Screen));
        let message = "the kind is none of track, page, screen";
        known.ok_or_else(|| Rejection::of(Code::UnknownType, "kind", message))
    }

    fn names(&mut self) -> Result<Vec<Name>, Rejection> {
        let nobody = || Rejection {
            names: Vec::new(),
            code: Code::MissingIdentity,
            field: Some("identities".to_owned()),
            message: "the record names nobody: identities has no kind with a text or a number"
                .to_owned(),
        };
        let identities = self.object("identities")?.ok_or_else(nobody)?;
        let mut all = Vec::new();
        for (kind, value) in identities {
            if let Some(complaint) = names::complaint(&kind) {
                self.warn("not_an_identity", format!("identities.{kind}"), complaint);
                continue;
            }
            let (texts, has_other) = names::texts(value);
            let field = format!("identities.{kind}");
            all.extend(
                texts
                    .iter()
                    .map(|text| self.gate.name(&kind, text, field.clone())),
            );
            if has_other {
                self.warn(
                    "not_an_identity",
                    field,
                    "an identity is a text or a number",
                );
            }
        }
        if all.is_empty() {
            Err(nobody())
        } else {
            Ok(all)
        }
    }

    fn group(&mut self) -> Result<Option<GroupDraft>, Rejection> {
        let Some(mut group) = self.object("group")? else {
            return Ok(None);
        };
        let (texts, _) = names::texts(group.remove("id").unwrap_or_default());
        let Some(id) = texts.into_iter().next() else {
            self.warn(
                "not_an_identity",
                "group.id",
                "the group has no id: it is left out",
            );
            return Ok(None);
        };
        let traits = group.remove("traits").filter(Value::is_object);
        let name = self.gate.name("group_id", &id, "group.id");
        Ok(Some(GroupDraft {
            name,
            traits: traits.as_ref().map(Json::of),
        }))
    }

    fn times(&mut self) -> Result<BTreeMap<String, Timestamp>, Rejection> {
        let stated = self.object("times")?.unwrap_or_default();
        let mut times = BTreeMap::new();
        for (name, value) in stated {
            let at = Moments::own().read(&value);
            match at.filter(|at| at.micros() != 0) {
                Some(at) => _ = times.insert(name, at),
                None => self.warn(
                    "not_a_time",
                    format!("times.{name}"),
                    "it does not read as a time",
                ),
            }
        }
        Ok(times)
    }

    fn sequence(&mut self) -> i64 {
        let Some(value) = self.take("sequence") else {
            return self.from.map_or(i64::MIN, |from| from.sequence());
        };
        sequence_of(&value).unwrap_or_else(|| {
            self.warn(
                "not_a_sequence",
                "sequence",
                "it is no whole number: it decides nothing",
            );
            i64::MIN
        })
    }

    /// A time of 0 is none.
    fn time(&mut self, field: &'static str) -> Option<Timestamp> {
        let found = self.take(field);
        let at = found.as_ref().and_then(|value| Moments::own().read(value));
        if found.is_some() && at.is_none() {
            self.warn("not_a_time", field, "it does not read as a time");
        }
        at.filter(|at| at.micros() != 0)
    }

    /// A member that is there and not null.
    fn take(&mut self, field: &str) -> Option<Value> {
        self.members
            .get_mut(field)
            .map(Value::take)
            .filter(|value| !value.is_null())
    }

    fn text(&mut self, field: &'static str) -> Result<Option<String>, Rejection> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok((!text.trim().is_empty()).then_some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Rejection::of(Code::InvalidField, field, "it is no text")),
        }
    }

    fn object(&mut self, field: &'static str) -> Result<Option<Map<String, Value>>, Rejection> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => Err(Rejection::of(Code::InvalidField, field, "it is no object")),
        }
    }

    fn json(&mut self, field: &'static str) -> Result<Json, Rejection> {
        let found = self.object(field)?;
        Ok(found.as_ref().map_or_else(Json::empty_object, Json::of))
    }

    fn note_unknown(&mut self) {
        let unknown = self
            .members
            .keys()
            .filter(|name| !KNOWN.contains(&name.as_str()));
        let unknown: Vec<String> = unknown.cloned().collect();
        for name in unknown {
            self.warn(
                "unknown_field",
                name,
                "the format has no such field: it is ignored",
            );
        }
    }

    fn warn(&mut self, code: &'static str, field: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning::of(code, field, message));
    }
}
