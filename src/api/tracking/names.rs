//! The names of people in a call: those of a project's own kinds, and what can be read of a call that is refused.
//!
//! Segment's SDKs send `context.externalIds`, RudderStack's `context.externalId`: lists of objects with `type` and `id`. Of
//! `identify` a trait that is called as a kind counts as well, as `email` does.

use super::envelope::Call;
use super::fields::{id, within};
use crate::domain::kinds::DEVICE_TOKEN;
use crate::domain::{Identity, IdentityKind, Json, Kinds, Rejection};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
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

/// Keeps the first of equals.
pub fn without_repeats(identities: &mut Vec<Identity>) {
    let mut seen = Vec::with_capacity(identities.len());
    identities.retain(|identity| {
        let is_new = !seen.contains(identity);
        seen.push(identity.clone());
        is_new
    });
}

/// The traits that name somebody: it may be for the number of the others that the call is refused.
#[derive(Default, Deserialize)]
struct NamedTraits<'a> {
    #[serde(borrow)]
    email: Option<&'a RawValue>,
}

/// Whom a call names, as far as that can be read.
pub fn of_refused(call: &Call<'_>) -> Vec<Identity> {
    let traits: NamedTraits<'_> = call
        .traits
        .and_then(|traits| serde_json::from_str(traits.get()).ok())
        .unwrap_or_default();
    let named = [
        (IdentityKind::UserId, call.user_id),
        (IdentityKind::UserId, call.previous_id),
        (IdentityKind::AnonymousId, call.anonymous_id),
        (IdentityKind::Email, traits.email),
    ];
    let identity = |(kind, raw)| Some(Identity::new(kind, &id(raw, "").ok()??));
    named.into_iter().filter_map(identity).collect()
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
