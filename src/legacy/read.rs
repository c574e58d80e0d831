//! Documents by their ids as somebody reads them who waits: as they are at this moment, their digits as the store has them.

use super::{Client, Failure, Meter};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

/// A document that is there. Both texts are parts of one answer.
#[derive(Clone, Debug)]
pub struct Kept {
    pub version: i64,
    /// `_index`, `_id`, `_source` and the rest, as the store answers.
    pub hit: Bytes,
    pub source: Bytes,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    docs: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(default)]
    found: bool,
    #[serde(default)]
    _version: i64,
    #[serde(borrow, default)]
    _source: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl Client {
    /// The documents of an index by their ids, in their order. `meter` is asked for room before bytes are held.
    ///
    /// # Errors
    /// When the store does not answer for each of them: what it does not say must not pass for absence.
    pub async fn kept(
        &self,
        index: &str,
        ids: &[&str],
        most_bytes: usize,
        meter: Meter<'_>,
    ) -> Result<Vec<Option<Kept>>, Failure> {
        let body = json!({"ids": ids});
        let path = [index, "_mget"];
        let answer = self.post_metered(&path, &body, most_bytes, meter);
        let answer = Bytes::from(answer.await?);
        let kept = kept(&answer).map_err(|error| self.strange(&error))?;
        if kept.len() != ids.len() {
            let text = "documents are missing from an answer";
            return Err(Failure::Passing(text.to_owned()));
        }
        kept.into_iter().collect()
    }
}

type One = Result<Option<Kept>, Failure>;

fn kept(answer: &Bytes) -> Result<Vec<One>, serde_json::Error> {
    let documents: Answer<'_> = serde_json::from_slice(answer)?;
    let slice = |raw: &RawValue| answer.slice_ref(raw.get().as_bytes());
    let one = |raw: &RawValue| {
        let document: Document<'_> = serde_json::from_str(raw.get())?;
        Ok(match (document.error, document._source) {
            (Some(error), _) => Err(failure(error)),
            (None, Some(source)) if document.found => Ok(Some(Kept {
                version: document._version,
                hit: slice(raw),
                source: slice(source),
            })),
            (None, None) if document.found => Err(Failure::Lasting {
                status: 200,
                text: "the index does not store its documents".to_owned(),
            }),
            _ => Ok(None),
        })
    };
    documents.docs.into_iter().map(one).collect()
}

/// An index that is not there says so for each document.
fn failure(error: &RawValue) -> Failure {
    #[derive(Deserialize)]
    struct Told {
        r#type: String,
    }
    let told = serde_json::from_str::<Told>(error.get());
    let text = told.map_or_else(|_| "error".to_owned(), |told| told.r#type);
    if text == "index_not_found_exception" {
        return Failure::Lasting { status: 404, text };
    }
    Failure::Passing(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_keeps_its_digits_and_what_failed_is_not_absent() {
        let answer = br#"{"docs": [
            {"_index":"p","_id":"7","_version":3,"found":true,"_source":{"n": 1.10}},
            {"_index":"p","_id":"8","found":false},
            {"_index":"p","_id":"9","error":{"type":"no_shard_available_action_exception","reason":"secret"}},
            {"_index":"q","_id":"9","error":{"type":"index_not_found_exception"}},
            {"_index":"p","_id":"7","_version":3,"found":true}]}"#;
        let all = kept(&Bytes::from_static(answer)).expect("JSON");
        let first = all[0].as_ref().expect("whole").as_ref().expect("there");
        assert_eq!(
            (first.version, &first.source[..]),
            (3, &br#"{"n": 1.10}"#[..])
        );
        assert!(first.hit.starts_with(b"{\"_index\""));
        assert!(matches!(all[1], Ok(None)));
        assert!(matches!(&all[2], Err(Failure::Passing(text)) if !text.contains("secret")));
        assert!(all[3].as_ref().is_err_and(Failure::is_not_found));
        assert!(matches!(all[4], Err(Failure::Lasting { .. })));
    }
}
