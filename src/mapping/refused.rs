//! Whom a record names that is refused, as far as that can be read: what is listed of it goes when one of them is erased.

use super::cell;
use super::columns::kind_of;
use super::document::{self, Document};
use super::envelope::Envelope;
use super::extended;
use super::messages;
use super::names;
use super::opened::{Content, Opened};
use super::{Form, Record};
use crate::domain::{Gate, Identity, Json, Name, Rejection};
use serde_json::Value;
use std::collections::HashSet;

const GROUP: &str = "group_id";

/// The names of a record. Those of a message of the tracking API its own reader tells.
pub(super) fn names(form: &Form, record: &Record<'_>, gate: &Gate<'_>) -> Vec<Identity> {
    let found = match form {
        Form::Calls => None,
        Form::Messages if !messages::is_own(record, gate.limits.depth) => None,
        Form::Messages | Form::Own => of_own(record, gate),
        Form::Columns => of_columns(record, gate),
        Form::Document(document) => of_document(document, record, gate),
    };
    let mut found = found.unwrap_or_default();
    // One more than a profile may have: there is no end to a list.
    found.truncate(gate.limits.profile_identities + 1);
    found
}

/// A rejection with names that it does not have yet.
pub(super) fn about(mut rejection: Rejection, names: Vec<Identity>) -> Rejection {
    let mut seen = HashSet::new();
    rejection.names.extend(names);
    rejection.names.retain(|name| seen.insert(name.clone()));
    rejection
}

fn of_own(record: &Record<'_>, gate: &Gate<'_>) -> Option<Vec<Identity>> {
    let row = content(Envelope::Bare, record, gate)?.row;
    let identities = row.get("identities").and_then(Value::as_object);
    let identities = identities.into_iter().flatten();
    let mut found: Vec<Identity> = identities
        .flat_map(|(kind, value)| said(kind, value, &[], gate))
        .collect();
    let group = row.get("group").and_then(|group| group.get("id"));
    found.extend(
        group
            .map(|id| said(GROUP, id, &[], gate))
            .into_iter()
            .flatten(),
    );
    found.extend(in_traits(row.get("traits"), gate));
    Some(found)
}

fn of_columns(record: &Record<'_>, gate: &Gate<'_>) -> Option<Vec<Identity>> {
    let row = content(Envelope::Bare, record, gate)?.row;
    let named = row.as_object()?.iter();
    let named = named.filter_map(|(column, value)| Some((kind_of(column, gate)?, value)));
    Some(
        named
            .flat_map(|(kind, value)| said(kind, value, &[], gate))
            .collect(),
    )
}

/// Of each kind all places count, not only the first that has one.
fn of_document(document: &Document, record: &Record<'_>, gate: &Gate<'_>) -> Option<Vec<Identity>> {
    let content = content(document.envelope, record, gate)?;
    let view = document::view(&content, record);
    let group = document.group.as_ref().map(|group| (GROUP, &group.id));
    let places = document.identities.0.iter();
    let places = places.flat_map(|(kind, places)| places.iter().map(move |place| (&**kind, place)));
    let found = places.chain(group).filter_map(|(kind, place)| {
        let value = place.find(view)?;
        Some(said(kind, &value, &document.splits, gate))
    });
    let mut found: Vec<Identity> = found.flatten().collect();
    found.extend(in_traits(document.shape.root.find(&content.row), gate));
    Some(found)
}

fn content(envelope: Envelope, record: &Record<'_>, gate: &Gate<'_>) -> Option<Content> {
    match envelope.open(record, gate.limits.depth) {
        Ok(Opened::Content(content)) => Some(content),
        _ => None,
    }
}

/// What a place says as names of a kind: also what is refused there for standing beside something else.
fn said(kind: &str, value: &Value, splits: &[(String, String)], gate: &Gate<'_>) -> Vec<Identity> {
    let split = splits.iter().find(|(own, _)| own == kind);
    let (texts, _) = names::texts(extended::plain(value.clone()));
    let parts = texts.iter().flat_map(|text| match split {
        Some((_, split)) => text.split(split.as_str()).collect(),
        None => vec![&**text],
    });
    let names = parts.flat_map(|part| cell::names_in(kind, part));
    names.map(|name| gate.kinds.identity(kind, name)).collect()
}

fn in_traits(traits: Option<&Value>, gate: &Gate<'_>) -> Vec<Identity> {
    let traits = traits.and_then(Value::as_object).map(Json::of);
    let names = traits
        .map(|traits| gate.names_in(&traits))
        .unwrap_or_default();
    names.into_iter().map(Name::into_identity).collect()
}

#[cfg(test)]
mod tests {
    use crate::mapping::Mapping;
    use crate::mapping::row_tests::{limits, read_with};
    use serde_json::json;

    #[test]
    fn a_list_of_names_without_end_is_cut() {
        let many: Vec<usize> = (0..100_000).collect();
        let record = json!({"roster": 1, "type": "nope", "identities": {"user_id": many}});
        let read = read_with(
            &Mapping::roster(),
            None,
            Some(record.to_string().as_bytes()),
            &[],
        );
        let names = read.expect_err("no type").names;
        assert_eq!(names.len(), limits().profile_identities + 1);
    }

    #[test]
    fn all_places_and_traits_of_a_document_name_somebody() {
        let mapping = Mapping::parse(
            "[identities]\nuser_id = [\"/id\", \"/old\"]\n[group]\nid = \"/team\"\n[traits]\nroot = \"/doc\"\n[event]\nname = \"/what\"\nid = \"/no\"\n",
        );
        let mapping = mapping.expect("a mapping");
        let record = json!({"id": "1", "old": "2", "team": "t", "doc": {"email": "Ada@X.test"}, "what": "y".repeat(100_000)});
        let read = read_with(&mapping, None, Some(record.to_string().as_bytes()), &[]);
        let names = read.expect_err("the name is too long").names;
        let mut values: Vec<&str> = names.iter().map(|name| &*name.value).collect();
        values.sort_unstable();
        assert_eq!(values, ["1", "2", "ada@x.test", "t"]);
    }
}
