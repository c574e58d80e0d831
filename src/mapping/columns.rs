//! Rows without a mapping: a column that is called as a kind of identity names the person, `event:property` is what an event has, and
//! all others are traits, as the text that stands in them.

use super::cell;
use super::envelope::Envelope;
use super::opened::Opened;
use super::{Control, Reading, Record, done, judged};
use crate::domain::{
    Code, Draft, EventDraft, EventId, EventType, Gate, Json, Name, Rejection, Text, Timestamp,
    Warning,
};
use serde_json::{Map, Value};

/// Names of columns beside those of the kinds, without case, blanks and signs.
const NAMES: [(&str, &str); 5] = [
    ("userid", "user_id"),
    ("email", "email"),
    ("emailaddress", "email"),
    ("anonymousid", "anonymous_id"),
    ("anonid", "anonymous_id"),
];

/// What a row comes to.
#[derive(Default)]
struct Row {
    names: Vec<Name>,
    traits: Map<String, Value>,
    event: Option<(String, Map<String, Value>)>,
    warnings: Vec<Warning>,
}

/// Reads a row.
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
    let derived = Json::of(&members).canonical();
    let mut row = Row::default();
    for (column, value) in members {
        row.take(&column, value, gate)?;
    }
    let event = row.event.map(|(name, properties)| EventDraft {
        message_id: Some(Text::new(id(record, &derived), "id")),
        event_type: EventType::Track,
        name: Some(Text::new(name, "name")),
        properties: Json::of(&properties),
        context: Json::empty_object(),
    });
    let draft = Draft {
        names: row.names,
        traits: (!row.traits.is_empty()).then(|| Json::of(&row.traits)),
        event,
        sequence: record.from.map_or(i64::MIN, |from| from.sequence()),
        ..Draft::at(start)
    };
    Ok(done(judged(gate, draft)?, row.warnings))
}

/// The kind of identity that a column is called as.
pub fn kind_of<'a>(column: &str, gate: &'a Gate<'_>) -> Option<&'a str> {
    let plain = plain(column);
    let usual = NAMES
        .iter()
        .find(|(name, _)| *name == plain)
        .map(|(_, kind)| *kind);
    let custom = || {
        gate.kinds
            .custom
            .iter()
            .find(|kind| self::plain(&kind.name) == plain)
    };
    usual.or_else(|| Some(custom()?.name.as_str()))
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn id(record: &Record<'_>, content: &str) -> String {
    record.from.map_or_else(
        || EventId::of(content).0.to_string(),
        |from| from.event_id(content.as_bytes()),
    )
}

impl Row {
    fn take(&mut self, column: &str, value: Value, gate: &Gate<'_>) -> Result<(), Rejection> {
        if let Some(kind) = kind_of(column, gate) {
            return self.name(kind, column, &value, gate);
        }
        let event = column
            .split_once(':')
            .map(|(event, property)| (event.trim(), property.trim()));
        self.warnings.extend(cell::damage(column, &value));
        match event.filter(|(event, property)| !event.is_empty() && !property.is_empty()) {
            Some((event, property)) => self.property(event, property, value),
            None => {
                self.traits.insert(column.to_owned(), value);
                Ok(())
            }
        }
    }

    /// Of several columns of one kind each names the person: they stand in one row.
    fn name(
        &mut self,
        kind: &str,
        column: &str,
        value: &Value,
        gate: &Gate<'_>,
    ) -> Result<(), Rejection> {
        for text in super::names::texts(value.clone()).0 {
            let text = cell::identity(kind, &text, column, gate)?;
            self.names
                .extend(text.map(|text| gate.name(kind, &text, column.to_owned())));
        }
        Ok(())
    }

    fn property(&mut self, event: &str, property: &str, value: Value) -> Result<(), Rejection> {
        let (name, properties) = self
            .event
            .get_or_insert_with(|| (event.to_owned(), Map::new()));
        if name != event {
            let message = "the row has properties of two events: a row is one event at most";
            return Err(Rejection::of(Code::InvalidField, event, message));
        }
        properties.insert(property.to_owned(), value);
        Ok(())
    }
}
