//! Identities of a project's own kinds: where SDKs put them.
//!
//! Segment's SDKs send `context.externalIds`, RudderStack's `context.externalId`: lists of objects with `type` and `id`. Of
//! `identify` a trait that is called as a kind counts as well, as `email` does.

use super::fields::within;
use crate::domain::kinds::DEVICE_TOKEN;
use crate::domain::{Identity, Json, Kinds, Rejection};
use serde_json::Value;
use std::collections::BTreeMap;

/// The identities in a call's context.
///
/// # Errors
/// `TooLong`.
pub fn in_context(context: &Json, kinds: &Kinds, limit: usize) -> Result<Vec<Identity>, Rejection> {
    if kinds.are_usual() {
        return Ok(Vec::new());
    }
    let members = context.members().unwrap_or_default();
    let read = |name: &str| members.get(name).map(value).unwrap_or_default();
    let mut found = Vec::new();
    for list in [read("externalIds"), read("externalId")] {
        for entry in list.as_array().into_iter().flatten() {
            let kind = entry["type"].as_str().and_then(|name| kinds.custom(name));
            if let (Some(kind), Some(text)) = (kind, text(&entry["id"])) {
                within(&text, "context.externalIds", limit)?;
                found.push(kinds.identity(&kind.name, &text));
            }
        }
    }
    if let Some(token) = text(&read("device")["token"]).filter(|_| kinds.device_tokens) {
        within(&token, "context.device.token", limit)?;
        found.push(kinds.identity(DEVICE_TOKEN, &token));
    }
    Ok(found)
}

/// The identities among the traits of `identify`; what is too long or no text is only a trait.
pub fn in_traits(
    traits: &BTreeMap<String, Json>,
    kinds: &Kinds,
    limit: usize,
) -> impl Iterator<Item = Identity> {
    kinds.custom.iter().filter_map(move |kind| {
        let text = text(&value(traits.get(&kind.name)?))?;
        (text.len() <= limit).then(|| kinds.identity(&kind.name, &text))
    })
}

fn value(json: &Json) -> Value {
    serde_json::from_slice(json.as_bytes()).unwrap_or_default()
}

/// A text that is not empty, or a number as its text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
