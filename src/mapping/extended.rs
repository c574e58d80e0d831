//! MongoDB's extended JSON: typed values become plain ones, in all their spellings.

use crate::domain::Timestamp;
use serde_json::{Map, Number, Value};

/// The same value without types.
pub(super) fn plain(value: Value) -> Value {
    match value {
        Value::Array(all) => Value::Array(all.into_iter().map(plain).collect()),
        Value::Object(members) => match typed(&members) {
            Some(value) => value,
            None => Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, plain(value)))
                    .collect(),
            ),
        },
        other => other,
    }
}

fn typed(members: &Map<String, Value>) -> Option<Value> {
    let (name, value) = members.iter().next().filter(|_| members.len() == 1)?;
    match name.as_str() {
        "$oid" | "$symbol" => Some(value.clone()),
        "$numberLong" | "$numberInt" | "$numberDouble" | "$numberDecimal" => {
            let number = value.as_str().and_then(|text| text.parse::<Number>().ok());
            Some(number.map_or_else(|| value.clone(), Value::Number))
        }
        "$date" => Some(date(value)),
        _ => None,
    }
}

/// A text, milliseconds, or milliseconds as a typed number.
fn date(value: &Value) -> Value {
    let plain = plain(value.clone());
    let millis = plain.as_i64();
    let time = millis.and_then(|millis| Timestamp::from_micros(millis.checked_mul(1_000)?));
    time.map_or(plain, |time| Value::String(time.to_string()))
}
