//! The names of people in a call: those of a project's own kinds, and what can be read of a call that is refused.
//!
//! Segment's SDKs send `context.externalIds`, RudderStack's `context.externalId`: lists of objects with `type` and `id`. Of
//! `identify` a trait that is called as a kind counts as well, as `email` does.

use super::envelope::{Call, Raw};
use super::fields::id;
use crate::domain::kinds::DEVICE_TOKEN;
use crate::domain::{Gate, Identity, Json, Kinds, Name, Rejection, Warnings};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::collections::HashSet;

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
    let read = entries.iter().filter_map(|entry| merged(entry, gate));
    let found: Vec<(Name, String)> = read.collect();
    let previous = found.get(1)?.1.clone();
    if entries.len() > 2 {
        let message = "it has more than two entries: the first two that can be names count";
        warnings.add("surplus_left_out", "mergeProperties", message);
    }
    let names = found.into_iter().take(2).map(|(name, _)| name);
    Some((names.collect(), previous))
}

fn merged(entry: &Json, gate: &Gate<'_>) -> Option<(Name, String)> {
    let kind = entry.member("type")?.as_text()?;
    let value = entry.member("value")?.as_id()?;
    let name = gate.name(kind_of(&kind, gate)?, &value, "mergeProperties");
    Some((name, value))
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

/// Holds the numbers of what may be a name or a text against their limit: what stands in objects is measured with them.
///
/// # Errors
/// `NumberTooLarge`.
pub fn measure(call: &Call<'_>, body: &Bytes, gate: &Gate<'_>) -> Result<(), Rejection> {
    let fields = [
        ("userId", call.user_id),
        ("anonymousId", call.anonymous_id),
        ("previousId", call.previous_id),
        ("groupId", call.group_id),
        ("messageId", call.message_id),
        ("event", call.event),
        ("name", call.name),
        ("mergeProperties", call.merge_properties),
    ];
    let fields = fields.iter().filter(|_| !gate.is_measured);
    let mut fields = fields.filter_map(|(field, raw)| Some((field, (*raw)?)));
    fields.try_for_each(|(field, raw)| Json::slice_of(body, raw).check(field, usize::MAX))
}

/// Whom a call that is refused names, as far as that can be read: wherever a call of any type may name somebody.
pub fn of_refused(call: &Call<'_>, context: &Json, body: &Bytes, gate: &Gate<'_>) -> Vec<Identity> {
    let fields = [
        ("user_id", call.user_id),
        ("user_id", call.previous_id),
        ("anonymous_id", call.anonymous_id),
        ("anonymous_id", call.previous_id),
        ("group_id", call.group_id),
    ];
    let identity = |(kind, raw)| Some(gate.kinds.identity(kind, &id(raw, "").ok()??));
    let json = |raw: &RawValue| Json::slice_of(body, raw);
    let traits = call.traits.map(json).into_iter();
    let traits = traits.chain(context.member("traits"));
    let mut found: Vec<Identity> = fields.into_iter().filter_map(identity).collect();
    found.extend(traits.flat_map(|traits| in_traits(&traits, gate.kinds)));
    let of_merge = call.merge_properties.map(json).into_iter();
    let of_merge = of_merge.flat_map(|list| in_merge(&list, gate));
    let others = in_context(context, gate).into_iter().chain(of_merge);
    found.extend(others.map(Name::into_identity));
    let mut seen = HashSet::new();
    found.retain(|name| seen.insert(name.clone()));
    found.truncate(gate.limits.profile_identities + 1);
    found
}

/// The names in a list of a merge; one more than a profile may have is enough.
fn in_merge(list: &Json, gate: &Gate<'_>) -> Vec<Name> {
    let entries = list.elements(gate.limits.profile_identities + 1);
    let names = entries.iter();
    names
        .filter_map(|entry| Some(merged(entry, gate)?.0))
        .collect()
}

/// The traits that are called as a kind, whatever the project's rules say of them.
fn in_traits(traits: &Json, kinds: &Kinds) -> Vec<Identity> {
    let own = kinds.custom.iter().map(|kind| kind.name.as_str());
    let identity = |kind: &str| Some(kinds.identity(kind, &traits.member(kind)?.as_id()?));
    let names = std::iter::once("email").chain(own);
    names.filter_map(identity).collect()
}
