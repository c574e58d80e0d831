//! The fields that an object states, at any depth, by their paths: `address.city`. What a plan of fields is held against.

use super::field_type::FieldType;
use super::json::Json;
use std::collections::{BTreeMap, BTreeSet};

/// Levels that are looked into: what lies deeper belongs to the field above it.
const LEVELS: usize = 10;
/// Bytes of a path. Longer ones are in no plan: a key of an index has to hold one, and nobody plans such names.
const LONGEST_PATH: usize = 512;
/// Objects of one list that are looked into.
const MOST_OBJECTS: usize = 1_000;

/// A field as an object states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedField {
    pub its_type: FieldType,
    /// Where several objects of a list have it, that of the first.
    pub value: Json,
}

/// The fields of an object. A field that says nothing about its type is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated(BTreeMap<String, StatedField>);

impl Stated {
    /// Looks through the members of an object but for some names, which say nothing about a plan.
    pub fn of<'a>(members: impl Iterator<Item = (&'a str, &'a Json)>, apart: &[&str]) -> Self {
        let mut stated = Self::default();
        for (name, value) in members.filter(|(name, _)| !apart.contains(name)) {
            stated.add(name.to_owned(), name, value, 1);
        }
        stated
    }

    /// Each path with its field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StatedField)> {
        self.0.iter().map(|(path, field)| (path.as_str(), field))
    }

    pub(super) fn fields_mut(&mut self) -> impl Iterator<Item = &mut StatedField> {
        self.0.values_mut()
    }

    fn add(&mut self, path: String, name: &str, value: &Json, level: usize) {
        let own = FieldType::of(name, value).filter(|_| path.len() <= LONGEST_PATH);
        let Some(own) = own else { return };
        if level < LEVELS && matches!(own, FieldType::Object | FieldType::Nested) {
            for object in objects(value) {
                for (name, value) in object.members().unwrap_or_default() {
                    self.add(format!("{path}.{name}"), &name, &value, level + 1);
                }
            }
        }
        let field = StatedField {
            its_type: own,
            value: value.clone(),
        };
        let known = self.0.entry(path).or_insert(field);
        known.its_type = known.its_type.joined(own);
    }
}

/// The value, or the values of the list, that are objects.
fn objects(value: &Json) -> Vec<Json> {
    let is_object = |value: &Json| value.as_bytes().starts_with(b"{");
    if is_object(value) {
        return vec![value.clone()];
    }
    let mut elements = value.elements(MOST_OBJECTS);
    elements.retain(is_object);
    elements
}

/// The members of an object without the fields of these paths.
pub(super) fn without(
    members: impl Iterator<Item = (String, Json)>,
    paths: &BTreeSet<&str>,
) -> Vec<(String, Json)> {
    let left = members.filter(|(name, _)| !paths.contains(name.as_str()));
    left.map(|(name, value)| {
        let value = without_below(&name, value, paths);
        (name, value)
    })
    .collect()
}

fn without_below(path: &str, value: Json, paths: &BTreeSet<&str>) -> Json {
    let inside = format!("{path}.");
    let mut below = paths.range(inside.as_str()..);
    if !below.next().is_some_and(|next| next.starts_with(&inside)) {
        return value;
    }
    let Some(members) = value.members() else {
        let elements = value.elements(usize::MAX).into_iter();
        let elements = elements.map(|element| without_below(path, element, paths).to_raw());
        let is_list = value.as_bytes().starts_with(b"[");
        return if is_list {
            Json::of(&elements.collect::<Vec<_>>())
        } else {
            value
        };
    };
    let left = members.into_iter().filter_map(|(name, value)| {
        let path = format!("{inside}{name}");
        let is_left = !paths.contains(path.as_str());
        is_left.then(|| (name, without_below(&path, value, paths)))
    });
    Json::from_members(&left.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn members(value: &Value) -> BTreeMap<String, Json> {
        Json::of(value).members().expect("an object")
    }

    fn stated(value: &Value) -> Vec<(String, &'static str)> {
        let members = members(value);
        let members = members.iter().map(|(name, value)| (name.as_str(), value));
        let stated = Stated::of(members, &["devices"]);
        let stated = stated.iter();
        stated
            .map(|(path, field)| (path.to_owned(), field.its_type.as_str()))
            .collect()
    }

    fn left(value: &Value, paths: &[&str]) -> Value {
        let paths = paths.iter().copied().collect();
        let left = without(members(value).into_iter(), &paths);
        let left = Json::from_members(&left.into_iter().collect());
        serde_json::from_str(left.as_str()).expect("JSON")
    }

    #[test]
    fn fields_have_paths_at_any_depth() {
        let fields = stated(&json!({
            "plan": "pro", "gone": null, "devices": {"token-1": {}},
            "address": {"city": "Ulm", "zip": 89073},
            "cart": [{"price": 1}, {"price": 1.5, "tags": ["a"]}],
        }));
        let expected = [
            ("address", "object"),
            ("address.city", "string"),
            ("address.zip", "long"),
            ("cart", "nested"),
            ("cart.price", "double"),
            ("cart.tags", "string"),
            ("plan", "string"),
        ];
        assert_eq!(fields, expected.map(|(path, name)| (path.to_owned(), name)));
    }

    #[test]
    fn what_is_deep_or_has_a_long_name_is_no_field() {
        let mut deep = json!("bottom");
        for _ in 0..20 {
            deep = json!({"a": deep});
        }
        assert_eq!(stated(&deep).len(), LEVELS);
        assert_eq!(stated(&json!({"x".repeat(600): 1})), []);
    }

    #[test]
    fn fields_are_left_out_wherever_they_stand() {
        let object = json!({"a": 1, "b": {"c": 1, "d": 2}, "l": [{"c": 1, "d": [2]}, 3], "a.b": 4});
        assert_eq!(
            left(&object, &["a", "b.c", "l.c", "nowhere", "b.d.e"]),
            json!({"b": {"d": 2}, "l": [{"d": [2]}, 3], "a.b": 4})
        );
        assert_eq!(
            left(&object, &["a.b"]),
            json!({"a": 1, "b": {"c": 1, "d": 2}, "l": [{"c": 1, "d": [2]}, 3]})
        );
        assert_eq!(left(&object, &[]), object);
    }
}
