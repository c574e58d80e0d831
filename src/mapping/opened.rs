//! A record without what was wrapped around it.

use super::Control;
use crate::domain::Timestamp;
use serde_json::Value;

/// What a record is, once opened.
#[derive(Debug)]
pub enum Opened {
    Content(Content),
    /// Nothing stands in it, and its key may tell whom it removes.
    Tombstone(Option<Value>),
    Control(Control),
    Truncated,
}

/// A row with what stands around it.
#[derive(Debug)]
pub struct Content {
    pub row: Value,
    /// The whole value, where the row is only a part of it.
    pub around: Option<Value>,
    pub key: Option<Value>,
    pub action: Action,
    /// The envelope's own time, where it says when the row changed.
    pub at: Option<Timestamp>,
}

impl Content {
    /// The whole value.
    pub fn record(&self) -> &Value {
        self.around.as_ref().unwrap_or(&self.row)
    }
}

/// What happened to a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Upsert,
    Delete,
    /// Its key became this one.
    Rename(Value),
}
