//! In what two accounts of one person differ: the paths, and what stands there on either side.
//!
//! What means the same is no difference: `1` and `1.0`, one instant in two spellings, members in another order, `null` and nothing.

use super::{Json, Timestamp};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Of two accounts that have nothing in common no more is told.
const MOST: usize = 100;

/// One place where two accounts differ. What stands there is described and not repeated: it is somebody's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Names with dots between them; a list differs as a whole.
    pub path: String,
    pub ours: String,
    pub theirs: String,
}

impl Difference {
    /// The first name of the path.
    pub fn field(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }
}

/// The differences between two objects, in the order of their paths.
pub fn differences(ours: &Value, theirs: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", ours, theirs, &mut found);
    found
}

fn compare(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<Difference>) {
    if found.len() >= MOST || is_same(ours, theirs) {
        return;
    }
    let (Value::Object(own), Value::Object(other)) = (ours, theirs) else {
        found.push(Difference {
            path: path.to_owned(),
            ours: described(ours),
            theirs: described(theirs),
        });
        return;
    };
    let names: BTreeSet<&String> = own.keys().chain(other.keys()).collect();
    for name in names {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        compare(&path, member(own, name), member(other, name), found);
    }
}

fn member<'v>(members: &'v Map<String, Value>, name: &str) -> &'v Value {
    members.get(name).unwrap_or(&Value::Null)
}

fn is_same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(_), Value::Number(_)) => Json::of(ours).meant() == Json::of(theirs).meant(),
        (Value::String(own), Value::String(other)) => own == other || is_same_time(own, other),
        (Value::Array(own), Value::Array(other)) => {
            own.len() == other.len()
                && own
                    .iter()
                    .zip(other)
                    .all(|(own, other)| is_same(own, other))
        }
        (Value::Object(own), Value::Object(other)) => {
            let is_in = |one: &Map<String, Value>, other: &Map<String, Value>| {
                one.iter()
                    .all(|(name, value)| is_same(value, member(other, name)))
            };
            is_in(own, other) && is_in(other, own)
        }
        (own, other) => own == other,
    }
}

fn is_same_time(own: &str, other: &str) -> bool {
    let at = Timestamp::parse(own);
    at.is_some() && at == Timestamp::parse(other)
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(text) => format!("a text of {} characters", text.chars().count()),
        Value::Array(elements) => format!("a list of {}", elements.len()),
        Value::Object(members) => format!("an object of {}", members.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    fn a_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-1_000_i64..1_000).prop_map(Value::from),
            "[a-z]{0,5}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn an_object() -> impl Strategy<Value = Map<String, Value>> {
        let members = prop::collection::btree_map("[a-f]", a_value(), 0..6);
        members.prop_map(|members| members.into_iter().collect())
    }

    /// The same in other words.
    fn respelled(value: &Value) -> String {
        match value {
            Value::Number(number) if number.as_i64() == Some(0) => "-0.0".to_owned(),
            Value::Number(number) => format!("{number}0.00e-1"),
            Value::Array(elements) => {
                let elements: Vec<String> = elements.iter().map(respelled).collect();
                format!("[ {} ]", elements.join(" , "))
            }
            Value::Object(members) => {
                let members = members.iter().rev();
                let members =
                    members.map(|(name, value)| format!("\"{name}\" : {}", respelled(value)));
                format!("{{ {} }}", members.collect::<Vec<_>>().join(","))
            }
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn laws_of_differences_other_words_are_none(members in an_object()) {
            let ours = Value::Object(members);
            let theirs = value(&respelled(&ours));
            prop_assert_eq!(differences(&ours, &theirs), vec![]);
        }

        #[test]
        fn laws_of_differences_both_sides_see_the_same(ours in an_object(), theirs in an_object()) {
            let (ours, theirs) = (Value::Object(ours), Value::Object(theirs));
            let there = differences(&ours, &theirs);
            let back: Vec<Difference> = differences(&theirs, &ours).into_iter().map(|found| Difference {
                path: found.path,
                ours: found.theirs,
                theirs: found.ours,
            }).collect();
            prop_assert_eq!(there, back);
        }

        #[test]
        fn laws_of_differences_what_is_planted_is_found_and_named(mut members in an_object(), name in "[a-f]") {
            let ours = Value::Object(members.clone());
            members.insert(name.clone(), json!("planted elsewhere"));
            let found = differences(&ours, &Value::Object(members));
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].field(), name);
        }
    }

    #[test]
    fn what_means_the_same_is_no_difference_and_what_does_not_is() {
        let same = |own: &str, other: &str| differences(&value(own), &value(other)).is_empty();
        for (own, other) in [
            (r#"{"a": 1}"#, r#"{"a": 1.0}"#),
            (r#"{"a": 100}"#, r#"{"a": 1e2}"#),
            (r#"{"a": -0.0}"#, r#"{"a": 0}"#),
            (r#"{"a": null}"#, "{}"),
            (
                r#"{"a": "2024-01-01T01:00:00+01:00"}"#,
                r#"{"a": "2024-01-01T00:00:00.000Z"}"#,
            ),
        ] {
            assert!(same(own, other) && same(other, own), "{own} {other}");
        }
        for (own, other) in [
            (r#"{"a": 1}"#, r#"{"a": "1"}"#),
            (r#"{"a": 0.1}"#, r#"{"a": 0.01}"#),
            (
                r#"{"a": 12345678901234567890}"#,
                r#"{"a": 12345678901234567891}"#,
            ),
            (r#"{"a": [1, 2]}"#, r#"{"a": [2, 1]}"#),
            (r#"{"a": {}}"#, "{}"),
        ] {
            assert!(!same(own, other), "{own} {other}");
        }
        let found = differences(
            &value(r#"{"a": {"b": 1, "c": "x"}}"#),
            &value(r#"{"a": {"b": 2, "c": "x"}}"#),
        );
        let expected = Difference {
            path: "a.b".to_owned(),
            ours: "a number".to_owned(),
            theirs: "a number".to_owned(),
        };
        assert_eq!(found, [expected]);
    }
}
