//! MongoDB's extended JSON, in which types are objects of one member: back to plain values.

use super::number;
use crate::domain::Timestamp;
use serde_json::Value;

/// Replaces every `{"$oid": …}` and its relatives by what it stands for.
pub fn plain(value: Value) -> Value {
    match value {
        Value::Array(elements) => Value::Array(elements.into_iter().map(plain).collect()),
        Value::Object(members) => {
            if let Some(found) = typed(&members) {
                return found;
            }
            let members = members
                .into_iter()
                .map(|(name, value)| (name, plain(value)));
            Value::Object(members.collect())
        }
        other => other,
    }
}

fn typed(members: &serde_json::Map<String, Value>) -> Option<Value> {
    let (name, value) = members.iter().next().filter(|_| members.len() == 1)?;
    match name.as_str() {
        "$oid" | "$symbol" | "$uuid" => value.is_string().then(|| value.clone()),
        "$numberLong" | "$numberInt" | "$numberDouble" | "$numberDecimal" => counted(value),
        "$date" => date(value),
        "$binary" => value.get("base64").filter(|text| text.is_string()).cloned(),
        "$undefined" => Some(Value::Null),
        _ => None,
    }
}

/// What is no number in JSON (`NaN`, infinities) is nothing.
fn counted(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => Some(number::of_text(text).map_or(Value::Null, Value::Number)),
        _ => None,
    }
}

/// Milliseconds as a number, as a typed one or in quotes, or a text already.
fn date(value: &Value) -> Option<Value> {
    let millis = match value {
        Value::Number(_) => value.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Object(members) => typed(members)?.as_i64(),
        _ => None,
    };
    let Some(millis) = millis else {
        return value.is_string().then(|| value.clone());
    };
    let at = Timestamp::from_micros(millis.checked_mul(1_000)?)?;
    Some(Value::String(at.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn row_12_every_spelling_becomes_a_plain_value() {
        let spelled = json!({
            "_id": {"$oid": "64b7"}, "n": {"$numberLong": "42"}, "i": {"$numberInt": "7"},
            "d": {"$numberDecimal": "1E+3"}, "bad": {"$numberDouble": "NaN"},
            "t1": {"$date": 1_700_000_000_000_i64}, "t2": {"$date": {"$numberLong": "1700000000000"}},
            "t3": {"$date": "2023-11-14T22:13:20Z"}, "t4": {"$date": "1700000000000"},
            "list": [{"$numberLong": "1"}], "own": {"$oid": "x", "more": 1}
        });
        let expected = json!({
            "_id": "64b7", "n": 42, "i": 7, "d": 1000, "bad": null,
            "t1": "2023-11-14T22:13:20.000Z", "t2": "2023-11-14T22:13:20.000Z",
            "t3": "2023-11-14T22:13:20Z", "t4": "2023-11-14T22:13:20.000Z",
            "list": [1], "own": {"$oid": "x", "more": 1}
        });
        assert_eq!(plain(spelled), expected);
    }
}
