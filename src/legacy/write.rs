//! Documents by their ids: read as they are at this moment, and written together, each with an outcome of its own.

use super::{Client, Failure};
use serde::Deserialize;
use serde_json::{Value, json};

/// Answers to a page of documents; a larger one has to be asked for in parts.
const MOST_BYTES: usize = 48 << 20;

/// A document that is there.
#[derive(Clone, Debug)]
pub struct Found {
    pub version: i64,
    pub source: Value,
}

/// What became of one line of a bulk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub status: u16,
    /// Empty where it was done.
    pub reason: String,
}

#[derive(Deserialize)]
struct Documents {
    docs: Vec<Document>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    found: bool,
    #[serde(default)]
    _version: i64,
    #[serde(default)]
    _source: Value,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Bulk {
    items: Vec<serde_json::Map<String, Value>>,
}

impl Client {
    /// The documents of an index by their ids, in their order.
    pub async fn documents(
        &self,
        index: &str,
        ids: &[&str],
    ) -> Result<Vec<Option<Found>>, Failure> {
        self.asked(index, json!({"ids": ids}), ids.len()).await
    }

    /// A document that stands by a routing of its own: beside others of its id.
    pub async fn routed(
        &self,
        index: &str,
        (id, routing): (&str, &str),
    ) -> Result<Option<Found>, Failure> {
        let body = json!({"docs": [{"_id": id, "routing": routing}]});
        let found = self.asked(index, body, 1).await?;
        Ok(found.into_iter().next().flatten())
    }

    async fn asked(
        &self,
        index: &str,
        body: Value,
        count: usize,
    ) -> Result<Vec<Option<Found>>, Failure> {
        let path = [index, "_mget"];
        let answer = self.post(&path, &[], Some(&body), MOST_BYTES).await?;
        let answer: Documents =
            serde_json::from_slice(&answer).map_err(|error| self.strange(&error))?;
        if answer.docs.len() != count {
            return Err(Failure::Passing(
                "documents are missing from an answer".to_owned(),
            ));
        }
        answer.docs.into_iter().map(found).collect()
    }

    /// Sends lines that belong to an index; one outcome for each action.
    pub async fn bulk(&self, index: &str, lines: Vec<u8>) -> Result<Vec<Outcome>, Failure> {
        let answer = self
            .post_lines(&[index, "_bulk"], lines, MOST_BYTES)
            .await?;
        let answer: Bulk = serde_json::from_slice(&answer).map_err(|error| self.strange(&error))?;
        Ok(answer.items.into_iter().map(outcome).collect())
    }
}

/// An error within an answer is no document that is missing.
fn found(document: Document) -> Result<Option<Found>, Failure> {
    if let Some(error) = document.error {
        return Err(Failure::Passing(reason(&error)));
    }
    Ok(document.found.then_some(Found {
        version: document._version,
        source: document._source,
    }))
}

fn outcome(item: serde_json::Map<String, Value>) -> Outcome {
    let (_, item) = item.into_iter().next().unwrap_or_default();
    let status = item["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    Outcome {
        status: status.unwrap_or_default(),
        reason: item.get("error").map(reason).unwrap_or_default(),
    }
}

/// The kind of an error, and the field where it says one: its own words may quote the document.
fn reason(error: &Value) -> String {
    let kind = error["type"].as_str().unwrap_or("error");
    let text = error["reason"].as_str().unwrap_or_default();
    let field = text
        .split_once("field [")
        .and_then(|(_, rest)| rest.split_once(']'));
    field.map_or_else(
        || kind.to_owned(),
        |(field, _)| format!("{kind}: field {field}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
