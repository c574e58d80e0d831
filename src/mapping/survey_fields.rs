//! What the traits of records hold: for each dotted path the JSON types, an example, and what about it is suspicious.

use super::number;
use super::survey_counts::{Counts, shortened};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Paths that are kept. People have some hundred; where ids stand in names, there is one for each record.
const MOST_FIELDS: usize = 2_000;
/// Elements of a list that are looked at: the first ones show what it holds.
const MOST_ELEMENTS: usize = 20;

/// All fields.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Fields(pub Counts<Field>);

/// One path.
#[derive(Debug, Default, Serialize)]
pub struct Field {
    /// How often it was of which JSON type.
    pub types: BTreeMap<&'static str, u64>,
    /// It is of several types, `null` aside.
    pub is_conflicting: bool,
    /// Its texts look like decimals in base64, as Debezium writes them: the mapping's type `decimal(SCALE)` reads them.
    pub looks_like_decimal: bool,
    /// The first value that is not null, cut.
    pub example: Option<String>,
    #[serde(skip)]
    has_other_text: bool,
    #[serde(skip)]
    has_sign_of_base64: bool,
}

impl Default for Fields {
    fn default() -> Self {
        Self(Counts::of(MOST_FIELDS))
    }
}

impl Fields {
    /// Looks at traits; `prefix` stands before each path.
    pub fn take(&mut self, prefix: &str, traits: &Map<String, Value>) {
        for (name, value) in traits {
            self.field(&format!("{prefix}{name}"), value);
        }
    }

    fn field(&mut self, path: &str, value: &Value) {
        self.0.note(path, |field| field.take(value));
        match value {
            Value::Object(members) => self.take(&format!("{path}."), members),
            Value::Array(elements) => {
                let path = format!("{path}[]");
                for element in elements.iter().take(MOST_ELEMENTS) {
                    self.field(&path, element);
                }
            }
            _ => {}
        }
    }
}

impl Field {
    fn take(&mut self, value: &Value) {
        *self.types.entry(json_type(value)).or_default() += 1;
        let types = self.types.keys().filter(|name| **name != "null");
        self.is_conflicting = types.count() > 1;
        if self.example.is_none() && !value.is_null() {
            self.example = Some(shortened(&value.to_string()));
        }
        if let Value::String(text) = value {
            self.text(text);
        }
    }

    /// Plain words are base64 too: only what has one of its signs, and no text beside it that is none, is suspicious.
    fn text(&mut self, text: &str) {
        /// No number of a database needs more.
        const MOST: usize = 44;
        let is_decimal = text.len() <= MOST && number::of_decimal(text, 0).is_some();
        self.has_other_text |= !is_decimal;
        self.has_sign_of_base64 |= is_decimal && text.contains(['=', '+', '/']);
        self.looks_like_decimal = self.has_sign_of_base64 && !self.has_other_text;
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(all: &[Value]) -> BTreeMap<String, Field> {
        let mut fields = Fields::default();
        for traits in all {
            fields.take("", traits.as_object().expect("an object"));
        }
        fields.0.by_name
    }

    #[test]
    fn paths_types_and_examples_are_told() {
        let fields = seen(&[
            json!({"plan": "pro", "address": {"city": null}, "tags": ["a", 1]}),
            json!({"plan": null, "address": {"city": "Paris"}}),
        ]);
        assert_eq!(
            fields["plan"].types,
            BTreeMap::from([("null", 1), ("text", 1)])
        );
        assert!(!fields["plan"].is_conflicting);
        assert_eq!(fields["address.city"].example.as_deref(), Some("\"Paris\""));
        assert!(fields["tags[]"].is_conflicting);
        assert_eq!(fields["address"].types["object"], 2);
    }

    #[test]
    fn row_4_only_texts_that_are_all_base64_look_like_decimals() {
        let fields = seen(&[
            json!({"balance": "BOI=", "name": "Anna", "note": "BOI="}),
            json!({"balance": "AfvQ", "name": "Otto", "note": "see below"}),
        ]);
        assert!(fields["balance"].looks_like_decimal);
        assert!(!fields["name"].looks_like_decimal, "a word of four letters");
        assert!(!fields["note"].looks_like_decimal);
    }

    #[test]
    fn ids_in_the_names_of_fields_fill_no_memory() {
        let mut fields = Fields::default();
        for id in 0..MOST_FIELDS + 10 {
            let name = id.to_string();
            fields.take("", json!({name: 1}).as_object().expect("an object"));
        }
        assert_eq!(fields.0.by_name.len(), MOST_FIELDS);
        assert_eq!(fields.0.of_others, 10);
    }
}
