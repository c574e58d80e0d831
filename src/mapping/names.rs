//! Who a record is about.

use super::cell;
use super::extended;
use super::place::{Place, View};
use crate::domain::{Code, Gate, Name, Rejection, Warning};
use serde_json::Value;

/// Kinds of identity and where they stand; of each the first place that has a usable one is taken.
#[derive(Clone, Debug, Default)]
pub struct Sought(pub Vec<(String, Vec<Place>)>);

impl Sought {
    /// The names that a record has. `splits` are there of a record of a file, in which people and spreadsheets have written.
    ///
    /// # Errors
    /// `MissingIdentity`, with what was looked for; of a file what can't be mended of an id.
    pub fn find(
        &self,
        gate: &Gate<'_>,
        view: View<'_>,
        splits: Option<&[(String, String)]>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Name>, Rejection> {
        let mut names = Vec::new();
        for (kind, places) in &self.0 {
            let found = places.iter().find_map(|place| {
                let values = usable(place.find(view)?, place, warnings);
                (!values.is_empty()).then_some((place, values))
            });
            let Some((place, values)) = found else {
                continue;
            };
            for value in values {
                let value = match splits {
                    Some(splits) => of_cell(gate, kind, &value, splits, place)?,
                    None => Some(value),
                };
                names.extend(value.map(|value| gate.name(kind, &value, place.to_string())));
            }
        }
        if names.is_empty() {
            return Err(self.nobody());
        }
        Ok(names)
    }

    fn nobody(&self) -> Rejection {
        let places = |places: &[Place]| {
            let places: Vec<String> = places.iter().map(Place::to_string).collect();
            places.join(", ")
        };
        let sought = self.0.iter();
        let sought: Vec<String> = sought
            .map(|(kind, all)| format!("{kind} at {}", places(all)))
            .collect();
        Rejection {
            names: Vec::new(),
            code: Code::MissingIdentity,
            field: None,
            message: format!("the record names nobody; looked for {}", sought.join("; ")),
        }
    }
}

/// An id of a file, cleaned; of several in one text the first, where the mapping says what stands between them.
fn of_cell(
    gate: &Gate<'_>,
    kind: &str,
    value: &str,
    splits: &[(String, String)],
    place: &Place,
) -> Result<Option<String>, Rejection> {
    let split = splits.iter().find(|(own, _)| own == kind);
    let parts = split.map(|(_, split)| value.split(split.as_str()).map(cell::trimmed));
    let first = parts.and_then(|mut parts| parts.find(|part| !part.is_empty()));
    cell::identity(kind, first.unwrap_or(value), &place.to_string(), gate)
}

/// The texts that can be names: numbers are spelled out, what is blank or null is none.
fn usable(value: Value, place: &Place, warnings: &mut Vec<Warning>) -> Vec<String> {
    let (texts, has_other) = texts(extended::plain(value));
    if has_other {
        let message = "an identity is a text or a number: it is left out";
        warnings.push(Warning::of("not_an_identity", place.to_string(), message));
    }
    texts
}

/// What of a value can be names, and whether there is more.
pub fn texts(value: Value) -> (Vec<String>, bool) {
    match value {
        Value::Null => (Vec::new(), false),
        Value::Number(number) => (vec![number.to_string()], false),
        Value::String(text) if text.trim().is_empty() => (Vec::new(), false),
        Value::String(text) => (vec![text.trim().to_owned()], false),
        Value::Array(elements) => {
            let parts = elements.into_iter().map(|element| match element {
                Value::Array(_) => (Vec::new(), true),
                other => texts(other),
            });
            parts.fold((Vec::new(), false), |(mut all, has_other), (own, other)| {
                all.extend(own);
                (all, has_other || other)
            })
        }
        Value::Bool(_) | Value::Object(_) => (Vec::new(), true),
    }
}

/// What is wrong with a kind of identity, if anything is.
pub fn complaint(kind: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = kind.len() <= 32
        && kind.starts_with(|first: char| first.is_ascii_lowercase())
        && kind.bytes().all(is_plain);
    match kind {
        "group_id" => Some("group_id names no person: groups have a section [group]".to_owned()),
        "id" | "min_version" => Some(format!(
            "{kind} can be no kind of identity: it has a meaning of its own"
        )),
        _ if !is_name => Some(format!(
            "{kind:?} can be no kind of identity: lower-case letters, digits and _, at most 32"
        )),
        _ => None,
    }
}
