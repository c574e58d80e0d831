//! What lies around a row: nothing, a hit of Elasticsearch, an envelope of Debezium. Told record by record.

use super::Record;
use super::debezium;
use super::opened::{Action, Content, Opened};
use super::text;
use crate::domain::{Code, Rejection, Timestamp};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What records are wrapped in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Envelope {
    #[default]
    Bare,
    /// `_id`, `_source`, `_version`.
    Elasticsearch,
    /// `before`, `after`, `op`, or flattened rows.
    Debezium,
}

/// What of a hit says how often its document was written.
#[derive(Deserialize)]
struct Versioned {
    _version: i64,
}

impl Envelope {
    /// The version of a document, where the record is a hit that has it.
    pub fn version(self, record: &Record<'_>) -> Option<i64> {
        let value = record.value.filter(|_| self == Self::Elasticsearch)?;
        let hit: Option<Versioned> = serde_json::from_slice(&text::bare(value)).ok();
        hit.map(|hit| hit._version)
    }

    /// Opens a record.
    ///
    /// # Errors
    /// What can't be read.
    pub fn open(self, record: &Record<'_>, depth: usize) -> Result<Opened, Rejection> {
        let key = key(record.key, depth);
        let value = match record.value {
            Some(bytes) => text::json(bytes, "value", depth)?,
            None => None,
        };
        match (self, value) {
            (Self::Debezium, value) => debezium::open(record, key, value, depth),
            (_, None) => Ok(Opened::Tombstone(key)),
            (_, Some(value)) if !value.is_object() => {
                let message = "the record is JSON, but no object";
                Err(Rejection::of(Code::NotAnObject, "value", message))
            }
            (Self::Bare, Some(row)) => Ok(Opened::Content(content(row, None, key))),
            (Self::Elasticsearch, Some(value)) => hit(value, key),
        }
    }
}

fn content(row: Value, around: Option<Value>, key: Option<Value>) -> Content {
    let (action, at) = (Action::Upsert, None);
    Content {
        row,
        around,
        key,
        action,
        at,
    }
}

/// Documents without `_source` around them are taken as they are.
fn hit(mut value: Value, key: Option<Value>) -> Result<Opened, Rejection> {
    let is_hit = value.get("_id").is_some()
        && (value.get("_index").is_some() || value.get("_source").is_some());
    if !is_hit {
        return Ok(Opened::Content(content(value, None, key)));
    }
    let source = value.get_mut("_source").map(Value::take);
    // What was asked for by its id and is not there; an export says so with the document as it was, and since when.
    let is_gone = value.get("found") == Some(&Value::Bool(false));
    match source {
        None if is_gone => Ok(Opened::Content(gone(Value::Object(Map::new()), value, key))),
        Some(row @ Value::Object(_)) if is_gone => Ok(Opened::Content(gone(row, value, key))),
        Some(row @ Value::Object(_)) => Ok(Opened::Content(content(row, Some(value), key))),
        _ => {
            let message =
                "the hit has no _source: the index does not store it, or the export left it out";
            Err(Rejection::of(Code::MissingField, "_source", message))
        }
    }
}

fn gone(row: Value, hit: Value, key: Option<Value>) -> Content {
    let at = hit.get("deleted_at").and_then(Value::as_str);
    Content {
        action: Action::Delete,
        at: at.and_then(Timestamp::parse),
        ..content(row, Some(hit), key)
    }
}

/// A key as JSON where it is an object or a text in quotes, else as its text: `007` stays what it is.
fn key(key: Option<&[u8]>, depth: usize) -> Option<Value> {
    let key = Bytes::copy_from_slice(key?);
    let bytes = text::bare(&key);
    let is_json = matches!(bytes.first(), Some(b'{' | b'[' | b'"'));
    // What begins with a zero and has no JSON behind a registry's prefix is a number in bytes, and nobody's name.
    if key.first() == Some(&0) && !is_json {
        return None;
    }
    if is_json && let Ok(value) = text::json(&bytes, "key", depth) {
        return value;
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    let is_text = !text.is_empty() && !text.contains('\0');
    is_text.then(|| Value::String(text.to_owned()))
}
