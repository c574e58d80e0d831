//! Debezium's envelopes, with or without their schema, and its flattened rows.

use super::extended;
use super::number;
use super::opened::{Action, Content, Opened};
use super::place::header;
use super::text;
use super::{Control, Record};
use crate::domain::{Code, Rejection, Timestamp};
use serde_json::{Map, Value, json};

/// What stands for a large column that did not change; as a text, and as bytes in base64.
pub const PLACEHOLDERS: [&str; 2] = [
    "__debezium_unavailable_value",
    "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==",
];

/// Where the order of changes of one time stands, besides MySQL's two parts.
pub const SEQUENCES: [&str; 5] = [
    "record:/source/lsn",
    "record:/source/scn",
    "record:/source/ord",
    "record:/source/roster_position",
    "/__lsn",
];

/// Opens a record of a Debezium connector.
///
/// # Errors
/// An envelope without the row that it should have.
pub fn open(
    record: &Record<'_>,
    key: Option<Value>,
    value: Option<Value>,
    depth: usize,
) -> Result<Opened, Rejection> {
    let key = key.map(unwrapped).map(|key| mongo_key(key, depth));
    let Some(value) = value.map(unwrapped).filter(|value| !value.is_null()) else {
        return Ok(Opened::Tombstone(key));
    };
    if !value.is_object() {
        let message = "the record is JSON, but no object";
        return Err(Rejection::of(Code::NotAnObject, "value", message));
    }
    if let Some(control) = control(&value) {
        return Ok(Opened::Control(control));
    }
    if is_envelope(&value) {
        return envelope(record, key, value, depth);
    }
    flattened(key, value)
}

/// The payload where a schema stands beside it, with the decimals that the schema tells of.
fn unwrapped(mut value: Value) -> Value {
    let is_wrapped = value.as_object().is_some_and(|members| {
        members.len() == 2 && members.contains_key("schema") && members.contains_key("payload")
    });
    if !is_wrapped {
        return value;
    }
    let (schema, payload) = (value["schema"].take(), value["payload"].take());
    by_schema(payload, &schema)
}

fn by_schema(value: Value, schema: &Value) -> Value {
    match (value, schema["name"].as_str(), schema["type"].as_str()) {
        (Value::String(text), Some("org.apache.kafka.connect.data.Decimal"), _) => {
            let scale = schema["parameters"]["scale"].as_str();
            let scale = scale.and_then(|scale| scale.parse().ok());
            let decimal = scale.and_then(|scale| number::of_decimal(&text, scale));
            decimal.unwrap_or(Value::String(text))
        }
        (Value::Object(members), Some("io.debezium.data.VariableScaleDecimal"), _) => {
            variable_scale(&members).unwrap_or(Value::Object(members))
        }
        (Value::Object(members), _, Some("struct")) => fields_by_schema(members, schema),
        (Value::Array(elements), _, Some("array")) => {
            let items = &schema["items"];
            let elements = elements
                .into_iter()
                .map(|element| by_schema(element, items));
            Value::Array(elements.collect())
        }
        (value, _, _) => value,
    }
}

fn variable_scale(members: &Map<String, Value>) -> Option<Value> {
    let scale = usize::try_from(members.get("scale")?.as_u64()?).ok()?;
    number::of_decimal(members.get("value")?.as_str()?, scale)
}

fn fields_by_schema(mut members: Map<String, Value>, schema: &Value) -> Value {
    for field in schema["fields"].as_array().into_iter().flatten() {
        let member = field["field"]
            .as_str()
            .and_then(|name| members.get_mut(name));
        if let Some(member) = member {
            *member = by_schema(member.take(), field);
        }
    }
    Value::Object(members)
}

/// MongoDB's keys call `id` what the document calls `_id`, as JSON in a text.
fn mongo_key(mut key: Value, depth: usize) -> Value {
    let Some(members) = key.as_object_mut() else {
        return key;
    };
    let text = members.get("id").and_then(Value::as_str);
    let found = text
        .filter(|text| text.starts_with(['{', '"']))
        .and_then(|text| text::nested(text, depth));
    if let Some(id) = found.map(extended::plain) {
        members.insert("id".to_owned(), id.clone());
        members.insert("_id".to_owned(), id);
    }
    key
}

/// Heartbeats, marks of transactions, changes of a schema.
fn control(value: &Value) -> Option<Control> {
    let members = value.as_object()?;
    let only = |names: &[&str]| members.keys().all(|name| names.contains(&name.as_str()));
    if !members.is_empty() && only(&["ts_ms", "ts_us", "ts_ns"]) {
        return Some(Control::Heartbeat);
    }
    let marks = [
        "status",
        "id",
        "event_count",
        "data_collections",
        "ts_ms",
        "ts_us",
        "ts_ns",
    ];
    let is_mark = matches!(value["status"].as_str(), Some("BEGIN" | "END"));
    if is_mark && value["id"].is_string() && only(&marks) {
        return Some(Control::Transaction);
    }
    let is_schema_change = members.contains_key("source")
        && (members.contains_key("ddl") || members.contains_key("tableChanges"));
    is_schema_change.then_some(Control::SchemaChange)
}

/// A row may have columns of these names itself, like `op` and `source`: what an envelope has in them are objects.
fn is_envelope(value: &Value) -> bool {
    let has_rows = value.get("before").is_some() || value.get("after").is_some();
    let has_parts = value["source"].is_object() || value["message"].is_object();
    value["op"].is_string() && (has_rows || has_parts)
}

fn envelope(
    record: &Record<'_>,
    key: Option<Value>,
    mut value: Value,
    depth: usize,
) -> Result<Opened, Rejection> {
    let operation = value["op"].as_str().unwrap_or_default().to_owned();
    position(&mut value);
    let at = changed_at(&value, &operation);
    let (row, action) = match operation.as_str() {
        "t" => return Ok(Opened::Truncated),
        "m" => return Ok(Opened::Control(Control::Message)),
        "d" => {
            let row = deleted(key.as_ref(), part(&mut value, "before", depth));
            let new_key = header(record.headers, "__debezium.newkey");
            let new_key = new_key.and_then(|text| text::nested(&text, depth));
            let renamed = new_key.map(unwrapped).map(|key| mongo_key(key, depth));
            (row, renamed.map_or(Action::Delete, Action::Rename))
        }
        _ => {
            let row = part(&mut value, "after", depth).ok_or_else(no_row)?;
            (row, Action::Upsert)
        }
    };
    let around = Some(value);
    Ok(Opened::Content(Content {
        row,
        around,
        key,
        action,
        at,
    }))
}

fn no_row() -> Rejection {
    let message =
        "the change does not say what the row is since: its connector sends no full documents";
    Rejection::of(Code::MissingField, "after", message)
}

/// A row, also where it is JSON in a text, as of MongoDB.
fn part(value: &mut Value, name: &str, depth: usize) -> Option<Value> {
    let part = match value.get_mut(name)?.take() {
        Value::String(text) => extended::plain(text::nested(&text, depth)?),
        other => other,
    };
    part.is_object().then_some(part)
}

/// Who is deleted is told by the key first; of what the row was only what the key lacks.
pub fn deleted(key: Option<&Value>, before: Option<Value>) -> Value {
    let mut row = before.unwrap_or_else(|| json!({}));
    if let (Some(Value::Object(key)), Some(row)) = (key, row.as_object_mut()) {
        row.extend(
            key.iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
    }
    row
}

/// When the source made the change; of a snapshot that is when it was read, which says nothing about the row.
fn changed_at(value: &Value, operation: &str) -> Option<Timestamp> {
    let source = &value["source"];
    let snapshot = match &source["snapshot"] {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::String(text) => text != "false",
        _ => true,
    };
    if snapshot || operation == "r" {
        return None;
    }
    let micros = source["ts_us"].as_i64();
    let micros = micros.or_else(|| source["ts_ms"].as_i64()?.checked_mul(1_000));
    micros
        .filter(|micros| *micros > 0)
        .and_then(Timestamp::from_micros)
}

/// MySQL's file and place in it as one number, under a name that its source does not have.
fn position(value: &mut Value) {
    let source = &value["source"];
    let number = |text: &str| text.rsplit_once('.')?.1.parse::<i64>().ok();
    let file = source["file"].as_str().and_then(number);
    let (Some(file), Some(place)) = (file, source["pos"].as_i64()) else {
        return;
    };
    let position = (file & 0x3F_FFFF) << 40 | (place & 0xFF_FFFF_FFFF);
    if let Some(source) = value.get_mut("source").and_then(Value::as_object_mut) {
        source.insert("roster_position".to_owned(), json!(position));
    }
}

/// A row that a connector has already unwrapped, with `__op`, `__deleted` and the like among its columns.
fn flattened(key: Option<Value>, row: Value) -> Result<Opened, Rejection> {
    let operation = row["__op"].as_str().unwrap_or_default().to_owned();
    if operation == "t" {
        return Ok(Opened::Truncated);
    }
    let changed = matches!(operation.as_str(), "c" | "u" | "d");
    let millis = row["__source_ts_ms"]
        .as_i64()
        .or_else(|| row["__ts_ms"].as_i64());
    let is_snapshot = row["__source_snapshot"]
        .as_str()
        .is_some_and(|text| text != "false");
    let millis = millis.filter(|millis| changed && !is_snapshot && *millis > 0);
    let at = millis.and_then(|millis| Timestamp::from_micros(millis.checked_mul(1_000)?));
    let (row, action) = if operation == "d" {
        (deleted(key.as_ref(), Some(row)), Action::Delete)
    } else {
        (row, Action::Upsert)
    };
    let around = None;
    Ok(Opened::Content(Content {
        row,
        around,
        key,
        action,
        at,
    }))
}
