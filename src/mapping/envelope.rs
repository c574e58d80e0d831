//! Takes off what a carrier wraps around a record: Kafka Connect's schema and payload, Debezium's before and after.

use super::bytes::{key_of, value_of};
use super::convert::{decimal, text_of};
use super::extended::plain;
use super::spec::{Preset, Spec};
use super::{Control, Kind, Parts, Record};
use crate::domain::{Code, Rejection};
use serde_json::{Map, Value};

/// What was inside.
pub(super) enum Opened {
    Parts(Parts),
    Control(Control),
    Truncated,
}

/// The header by which a connector says that a deletion is one half of a change of keys.
const NEW_KEY: &str = "__debezium.newkey";
/// How Kafka Connect calls a decimal in a schema.
const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";

/// Opens a record.
pub(super) fn open(spec: &Spec, record: &Record<'_>) -> Result<Opened, Rejection> {
    let key = record.key.map_or(Value::Null, |key| payload(key_of(key)));
    let Some(bytes) = record.value else {
        return Ok(tombstone(spec, key));
    };
    let value = payload(value_of(bytes)?);
    match (&value, spec.preset) {
        (Value::Null, _) => Ok(tombstone(spec, key)),
        (Value::Object(_), Preset::Debezium) => Ok(change(spec, record, key, value)),
        (Value::Object(_), _) => Ok(Opened::Parts(Parts {
            key,
            value,
            ..Parts::default()
        })),
        _ => Err(Rejection {
            code: Code::NotAnObject,
            field: None,
            message: "the record's value is no object".to_owned(),
        }),
    }
}

fn tombstone(spec: &Spec, key: Value) -> Opened {
    if !spec.tombstones_delete || key.is_null() {
        return Opened::Control(Control::Tombstone);
    }
    let kind = Kind::Deletion;
    Opened::Parts(Parts {
        key,
        kind,
        ..Parts::default()
    })
}

/// The payload of a value that carries its schema, decimals read by it.
fn payload(value: Value) -> Value {
    let Value::Object(mut whole) = value else {
        return value;
    };
    if whole.len() != 2 || !whole.contains_key("schema") || !whole.contains_key("payload") {
        return Value::Object(whole);
    }
    let mut payload = whole.remove("payload").unwrap_or_default();
    read_decimals(whole.get("schema").unwrap_or(&Value::Null), &mut payload);
    payload
}

fn read_decimals(schema: &Value, value: &mut Value) {
    if schema.get("name").and_then(Value::as_str) == Some(DECIMAL) {
        let scale = schema.pointer("/parameters/scale").and_then(text_of);
        let scale = scale.and_then(|scale| scale.parse().ok());
        let read = value.as_str().zip(scale);
        if let Some(number) = read.and_then(|(text, scale)| decimal(text, scale)) {
            *value = number;
        }
        return;
    }
    let fields = schema.get("fields").and_then(Value::as_array);
    let Some((fields, members)) = fields.zip(value.as_object_mut()) else {
        return;
    };
    for field in fields {
        let name = field
            .get("field")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if let Some(member) = members.get_mut(name) {
            read_decimals(field, member);
        }
    }
}

/// A record of Debezium's, in its envelope or flattened.
fn change(spec: &Spec, record: &Record<'_>, key: Value, value: Value) -> Opened {
    let Value::Object(mut envelope) = value else {
        return Opened::Control(Control::Heartbeat);
    };
    if is_transaction(&envelope) {
        return Opened::Control(Control::Transaction);
    }
    if envelope.len() == 1 && envelope.contains_key("ts_ms") {
        return Opened::Control(Control::Heartbeat);
    }
    let Some(operation) = operation(&envelope) else {
        return flattened(key, envelope);
    };
    if operation == "t" {
        return Opened::Truncated;
    }
    let state = |side: Option<Value>| match side {
        Some(Value::String(text)) if spec.json_text => {
            plain(serde_json::from_str(&text).unwrap_or(Value::String(text)))
        }
        other => other.unwrap_or_default(),
    };
    let (before, after) = (
        state(envelope.remove("before")),
        state(envelope.remove("after")),
    );
    let is_deletion = operation == "d";
    let kind = match (is_deletion, record.header(NEW_KEY)) {
        (false, _) => Kind::State,
        (true, None) => Kind::Deletion,
        (true, Some(_)) => Kind::Rename,
    };
    let renamed_to = record
        .header(NEW_KEY)
        .map(|text| payload(key_of(text.as_bytes())));
    Opened::Parts(Parts {
        key,
        // Of what was there before only names are read, and only of a deletion.
        value: if is_deletion { before } else { after },
        kind,
        is_snapshot: operation == "r" || is_snapshot(&envelope),
        source_millis: envelope
            .get("source")
            .and_then(|source| source.get("ts_ms")?.as_i64()),
        renamed_to,
    })
}

fn operation(envelope: &Map<String, Value>) -> Option<String> {
    let operation = envelope.get("op")?.as_str()?;
    let has_sides =
        envelope.contains_key("after") || envelope.contains_key("before") || operation == "t";
    has_sides.then(|| operation.to_owned())
}

fn is_transaction(envelope: &Map<String, Value>) -> bool {
    let status = envelope.get("status").and_then(Value::as_str);
    matches!(status, Some("BEGIN" | "END"))
        && envelope.contains_key("id")
        && !envelope.contains_key("op")
}

/// The source says so in a text: `true`, `first`, `last`, `incremental`…; only `false` is none.
fn is_snapshot(envelope: &Map<String, Value>) -> bool {
    let mark = envelope
        .get("source")
        .and_then(|source| source.get("snapshot"));
    mark.is_some_and(|mark| !mark.is_null() && text_or_truth(mark) != "false")
}

/// A record whose envelope was taken off before: a deletion is a field of it, and a text.
fn flattened(key: Value, mut value: Map<String, Value>) -> Opened {
    let mark = value.remove("__deleted");
    let is_deletion = mark.is_some_and(|mark| text_or_truth(&mark) == "true");
    let operation = value.remove("__op");
    let is_snapshot = operation.is_some_and(|operation| text_or_truth(&operation) == "r");
    let source_millis = value
        .remove("__source_ts_ms")
        .and_then(|time| time.as_i64());
    value.retain(|name, _| !name.starts_with("__"));
    Opened::Parts(Parts {
        key,
        value: Value::Object(value),
        kind: if is_deletion {
            Kind::Deletion
        } else {
            Kind::State
        },
        is_snapshot,
        source_millis,
        renamed_to: None,
    })
}

/// A text, or a truth value's.
pub(super) fn text_or_truth(value: &Value) -> String {
    match value {
        Value::Bool(truth) => truth.to_string(),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        other => text_of(other).unwrap_or_default(),
    }
}
