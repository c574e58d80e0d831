//! The names of people in a call: those of a project's own kinds, and what can be read of a call that is refused.
//!
//! Segment's SDKs send `context.externalIds`, RudderStack's `context.externalId`: lists of objects with `type` and `id`. Of
//! `identify` a trait that is called as a kind counts as well, as `email` does.

use super::envelope::Call;
use super::fields::id;
use crate::domain::kinds::DEVICE_TOKEN;
use crate::domain::{Gate, Identity, IdentityKind, Json, Name};

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

/// Whom a call names, as far as that can be read.
pub fn of_refused(call: &Call<'_>) -> Vec<Identity> {
    let traits = call.traits.map(|traits| Json::of(&traits));
    let email = traits.and_then(|traits| traits.member("email")?.as_id());
    let named = [
        (IdentityKind::UserId, call.user_id),
        (IdentityKind::UserId, call.previous_id),
        (IdentityKind::AnonymousId, call.anonymous_id),
    ];
    let identity = |(kind, raw)| Some(Identity::new(kind, &id(raw, "").ok()??));
    let email = email.map(|email| Identity::new(IdentityKind::Email, &email));
    named
        .into_iter()
        .filter_map(identity)
        .chain(email)
        .collect()
}
