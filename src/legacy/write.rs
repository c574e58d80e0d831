//! Documents written together, each with an outcome of its own.

use super::client::plain;
use super::{Client, Failure};
use serde::Deserialize;
use serde_json::Value;

/// The answer to one bulk: an outcome has some hundred bytes, and a text of the store's where it failed.
const MOST_BYTES: usize = 16 << 20;

/// What became of one line of a bulk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub status: u16,
    /// Empty where it was done.
    pub reason: String,
}

#[derive(Deserialize)]
struct Bulk {
    items: Vec<serde_json::Map<String, Value>>,
}

impl Client {
    /// Sends lines that belong to an index; one outcome for each action.
    pub async fn bulk(&self, index: &str, lines: Vec<u8>) -> Result<Vec<Outcome>, Failure> {
        let answer = self
            .post_lines(&[index, "_bulk"], lines, MOST_BYTES)
            .await?;
        let answer: Bulk = serde_json::from_slice(&answer).map_err(|error| self.strange(&error))?;
        Ok(answer.items.into_iter().map(outcome).collect())
    }
}

fn outcome(item: serde_json::Map<String, Value>) -> Outcome {
    let (_, item) = item.into_iter().next().unwrap_or_default();
    let status = item.get("status").and_then(Value::as_u64);
    let status = status.and_then(|status| u16::try_from(status).ok());
    let status = status.unwrap_or_default();
    // A store that gives no reason has a status all the same.
    let untold = || match status {
        200..300 => String::new(),
        status => format!("status {status}"),
    };
    Outcome {
        status,
        reason: item.get("error").map_or_else(untold, reason),
    }
}

/// The kind of an error, and the field where it says one: its own words may quote the document.
fn reason(error: &Value) -> String {
    let kind = error["type"].as_str().unwrap_or("error");
    let text = error["reason"].as_str().unwrap_or_default();
    let field = text
        .split_once("field [")
        .and_then(|(_, rest)| rest.split_once(']'));
    plain(&field.map_or_else(
        || kind.to_owned(),
        |(field, _)| format!("{kind}: field {field}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_outcome_tells_the_field_and_never_the_value() {
        let item = json!({"index": {"_id": "7", "status": 400, "error": {"type": "mapper_parsing_exception",
            "reason": "failed to parse field [age] of type [long] in document with id '7'. Preview of field's value: 'secret'"}}});
        let Value::Object(item) = item else {
            unreachable!()
        };
        let expected = Outcome {
            status: 400,
            reason: "mapper_parsing_exception: field age".to_owned(),
        };
        assert_eq!(outcome(item), expected);
    }

    #[test]
    fn an_outcome_that_gives_no_reason_tells_its_status() {
        let told = |item: Value| match item {
            Value::Object(item) => outcome(item).reason,
            _ => unreachable!(),
        };
        assert_eq!(
            told(json!({"index": {"_id": "7", "status": 400}})),
            "status 400"
        );
        assert_eq!(told(json!({"index": {"_id": "7", "status": 201}})), "");
    }
}
