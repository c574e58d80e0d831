//! The names of people in a call: those of a project's own kinds, and what can be read of a call that is refused.
//!
//! Segment's SDKs send `context.externalIds`, RudderStack's `context.externalId`: lists of objects with `type` and `id`. Of
//! `identify` a trait that is called as a kind counts as well, as `email` does.

use super::envelope::{Call, Raw};
use super::fields::id;
use crate::domain::kinds::DEVICE_TOKEN;
use crate::domain::{Gate, Identity, IdentityKind, Json, Name, Warnings};
use bytes::Bytes;

/// The names in a call's context.
pub fn in_context(context: &Json, gate: &Gate<'_>) -> Vec<Name> {
    let kinds = gate.kinds;
    if kinds.are_usual() {
        return Vec::new();
    }
    // One more than a profile may have is enough to be refused.
    let most = gate.limits.profile_identities + 1;
    let lists = ["externalIds", "externalId"].map(|list| context.member(list));
    let entries = lists.iter().flatten().flat_map(|list| list.elements(most));
    let name = |entry: Json| {
        let kind = kinds.custom(&entry.member("type")?.as_text()?)?;
        let id = entry.member("id")?.as_id()?;
        Some(gate.name(&kind.name, &id, "context.externalIds"))
    };
    let mut found: Vec<Name> = entries.filter_map(name).collect();
    let token = || context.member("device")?.member("token")?.as_id();
    if let Some(token) = kinds.device_tokens.then(token).flatten() {
        found.push(gate.name(DEVICE_TOKEN, &token, "context.device.token"));
    }
    found
}

/// The two names of a merge, and the value of the second; `None` where there are not two that can be names.
pub fn to_merge(
    list: Raw<'_>,
    body: &Bytes,
    gate: &Gate<'_>,
    warnings: &mut Warnings,
) -> Option<(Vec<Name>, String)> {
    let entries = Json::slice_of(body, list?).elements(3);
    let read = |entry: &Json| {
        let kind = entry.member("type")?.as_text()?;
        let value = entry.member("value")?.as_id()?;
        let name = gate.name(kind_of(&kind, gate)?, &value, "mergeProperties");
        Some((name, value))
    };
    let found: Vec<(Name, String)> = entries.iter().filter_map(read).collect();
    let previous = found.get(1)?.1.clone();
    if entries.len() > 2 {
        let message = "it has more than two entries: the first two that can be names count";
        warnings.add("surplus_left_out", "mergeProperties", message);
    }
    let names = found.into_iter().take(2).map(|(name, _)| name);
    Some((names.collect(), previous))
}

/// The kind that a merge means by its type.
fn kind_of<'a>(kind: &str, gate: &Gate<'a>) -> Option<&'a str> {
    Some(match kind {
        "userId" | "user_id" => "user_id",
        "anonymousId" | "anonymous_id" => "anonymous_id",
        "email" => "email",
        other => &gate.kinds.custom(other)?.name,
    })
}

/// Whom a call names, as far as that can be read.
pub fn of_refused(call: &Call<'_>) -> Vec<Identity> {
    let traits = call.traits.map(|traits| Json::of(&traits));
    let email = traits.and_then(|traits| traits.member("email")?.as_id());
    let named = [
        (IdentityKind::UserId, call.user_id),
        (IdentityKind::UserId, call.previous_id),
        (IdentityKind::AnonymousId, call.anonymous_id),
        (IdentityKind::GroupId, call.group_id),
    ];
    let identity = |(kind, raw)| Some(Identity::new(kind, &id(raw, "").ok()??));
    let email = email.map(|email| Identity::new(IdentityKind::Email, &email));
    named
        .into_iter()
        .filter_map(identity)
        .chain(email)
        .collect()
}
