//! A line of an export about something that was refused or mended, or that a verification found.

use crate::domain::Json;
use crate::store::{ListOf, Listed};
use serde::Serialize;
use serde_json::value::RawValue;

/// What a list has, as it is shown.
#[derive(Serialize)]
pub struct ShownListed {
    /// In which list it stands.
    of: &'static str,
    at: String,
    code: String,
    field: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Shows what a list has.
pub fn shown(list: ListOf, listed: Listed) -> ShownListed {
    let raw = |json: Option<Json>| json.map(|json| json.to_raw());
    let text =
        |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    ShownListed {
        of: match list {
            ListOf::Calls => "call",
            ListOf::Records => "topic",
            ListOf::Lines => "file",
            ListOf::Samples => "verification",
        },
        at: listed.at.to_string(),
        code: listed.code,
        field: listed.field,
        message: listed.message,
        id: listed.id,
        item: raw(listed.item),
        warnings: raw(listed.warnings),
        key: text(listed.record.0),
        text: text(listed.record.1),
    }
}
