//! Documents by their ids as somebody reads them who waits: as they are at this moment, their digits as the store has them.

use super::client::plain;
use super::{Client, Failure, Meter};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// An answer to those who have no room of their own for it.
pub const MOST_BYTES: usize = 8 << 20;

/// A document that is there. Both texts are parts of one answer; of a document that was not asked for, or is too large, they are empty.
#[derive(Clone, Debug, Default)]
pub struct Found {
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
    pub async fn documents(
        &self,
        index: &str,
        ids: &[&str],
        most_bytes: usize,
        meter: Meter<'_>,
    ) -> Result<Vec<Option<Found>>, Failure> {
        let asked = self.asked(index, json!({"ids": ids}), most_bytes, meter);
        let found = answered(asked.await?, ids.len())?;
        found.into_iter().map(whole).collect()
    }

    /// A document that stands by a routing of its own, beside others of its id; of one that is too large its version alone.
    ///
    /// # Errors
    /// As `documents`.
    pub async fn routed(
        &self,
        index: &str,
        (id, routing): (&str, &str),
    ) -> Result<Option<Found>, Failure> {
        let body = json!({"docs": [{"_id": id, "routing": routing}]});
        match self.asked(index, body, MOST_BYTES, &mut |_| true).await {
            Err(Failure::TooLarge(_)) => {
                let body = json!({"docs": [{"_id": id, "routing": routing, "_source": false}]});
                let asked = self.asked(index, body, MOST_BYTES, &mut |_| true).await?;
                Ok(answered(asked, 1)?.pop().flatten())
            }
            asked => Ok(answered(asked?, 1)?.pop().flatten()),
        }
    }

    /// The versions of documents, without what stands in them.
    ///
    /// # Errors
    /// As `documents`.
    pub async fn versions(&self, index: &str, ids: &[&str]) -> Result<Vec<Option<Found>>, Failure> {
        let one = |id: &&str| json!({"_id": id, "_source": false});
        let body = json!({"docs": ids.iter().map(one).collect::<Vec<_>>()});
        let asked = self.asked(index, body, MOST_BYTES, &mut |_| true).await?;
        answered(asked, ids.len())
    }

    async fn asked(
        &self,
        index: &str,
        body: Value,
        most_bytes: usize,
        meter: Meter<'_>,
    ) -> Result<Vec<One>, Failure> {
        let path = [index, "_mget"];
        let answer = self.post_metered(&path, &body, most_bytes, meter);
        found(&Bytes::from(answer.await?)).map_err(|error| self.strange(&error))
    }
}

type One = Result<Option<Found>, Failure>;

fn answered(found: Vec<One>, count: usize) -> Result<Vec<Option<Found>>, Failure> {
    if found.len() != count {
        let text = "documents are missing from an answer";
        return Err(Failure::Passing(text.to_owned()));
    }
    found.into_iter().collect()
}

fn found(answer: &Bytes) -> Result<Vec<One>, serde_json::Error> {
    let documents: Answer<'_> = serde_json::from_slice(answer)?;
    let slice = |raw: &RawValue| answer.slice_ref(raw.get().as_bytes());
    let one = |raw: &RawValue| {
        let document: Document<'_> = serde_json::from_str(raw.get())?;
        Ok(match document.error {
            Some(error) => Err(failure(error)),
            None => Ok(document.found.then(|| Found {
                version: document._version,
                hit: slice(raw),
                source: document._source.map(slice).unwrap_or_default(),
            })),
        })
    };
    documents.docs.into_iter().map(one).collect()
}

fn whole(found: Option<Found>) -> Result<Option<Found>, Failure> {
    match found {
        Some(found) if found.source.is_empty() => Err(Failure::Lasting {
            status: 200,
            text: "the index does not store its documents".to_owned(),
        }),
        found => Ok(found),
    }
}

/// An index that is not there says so for each document.
fn failure(error: &RawValue) -> Failure {
    #[derive(Deserialize)]
    struct Told {
        r#type: String,
    }
    let told = serde_json::from_str::<Told>(error.get());
    let text = told.map_or_else(|_| "error".to_owned(), |told| plain(&told.r#type));
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
        let all = found(&Bytes::from_static(answer)).expect("JSON");
        let first = all[0].as_ref().expect("whole").as_ref().expect("there");
        assert_eq!(
            (first.version, &first.source[..]),
            (3, &br#"{"n": 1.10}"#[..])
        );
        assert!(first.hit.starts_with(b"{\"_index\""));
        assert!(matches!(all[1], Ok(None)));
        assert!(matches!(&all[2], Err(Failure::Passing(text)) if !text.contains("secret")));
        assert!(all[3].as_ref().is_err_and(Failure::is_not_found));
        let bare = all[4].clone().expect("there");
        assert!(matches!(whole(bare), Err(Failure::Lasting { .. })));
    }
}
