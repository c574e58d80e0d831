//! Documents of one shard in the order in which they were written.
//!
//! The sequence number (`_seq_no`) means the same on every copy of a shard and at any time. A document that changes gets a new one at
//! the end, so whoever goes on from the last number that he has seen misses nothing: no view has to be kept open.

use super::{Client, Failure};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct PageAsk<'a> {
    pub index: &'a str,
    pub shard: u32,
    /// Documents behind this sequence number; -1: from the first.
    pub after: i64,
    /// The last sequence number.
    pub last: Option<i64>,
    pub size: usize,
    pub with_source: bool,
    /// Bytes of the answer.
    pub most_bytes: usize,
}

/// A document, its digits and spaces as the store has them.
#[derive(Debug, Deserialize)]
pub struct Hit<'a> {
    #[serde(borrow)]
    pub _index: Cow<'a, str>,
    #[serde(borrow)]
    pub _id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub _routing: Option<Cow<'a, str>>,
    #[serde(default)]
    pub _version: i64,
    pub _seq_no: i64,
    #[serde(borrow, default)]
    pub _source: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default)]
    timed_out: bool,
    #[serde(default)]
    terminated_early: Option<bool>,
    _shards: Shards,
    #[serde(borrow)]
    hits: Hits<'a>,
}

#[derive(Deserialize)]
struct Shards {
    total: u32,
    successful: u32,
    failed: u32,
}

#[derive(Deserialize)]
struct Hits<'a> {
    #[serde(borrow)]
    hits: Vec<Hit<'a>>,
}

impl Client {
    /// Asks for a page; `hits` reads it.
    pub async fn page(&self, ask: PageAsk<'_>) -> Result<Vec<u8>, Failure> {
        let shard = format!("_shards:{}", ask.shard);
        let query = [
            ("preference", shard.as_str()),
            ("allow_partial_search_results", "false"),
        ];
        let path = [ask.index, "_search"];
        self.post(&path, &query, Some(&body(ask)), ask.most_bytes)
            .await
    }
}

fn body(ask: PageAsk<'_>) -> Value {
    let mut range = json!({"gt": ask.after});
    if let Some(last) = ask.last {
        range["lte"] = json!(last);
    }
    let mut body = json!({
        "size": ask.size,
        "query": {"bool": {"filter": [{"range": {"_seq_no": range}}]}},
        // An index without a document has no fields either.
        "sort": [{"_seq_no": {"order": "asc", "unmapped_type": "long"}}],
        "version": true,
        "seq_no_primary_term": true,
        "track_total_hits": false,
    });
    if !ask.with_source {
        body["_source"] = json!(false);
    }
    body
}

/// The documents of a page.
///
/// # Errors
/// The answer is not all that was asked for: a part of it must never pass for the whole.
pub fn hits(page: &[u8]) -> Result<Vec<Hit<'_>>, Failure> {
    let answer: Answer<'_> = serde_json::from_slice(page)
        .map_err(|error| Failure::Passing(format!("a page can't be read: {error}")))?;
    let shards = &answer._shards;
    let is_partial = answer.timed_out
        || answer.terminated_early == Some(true)
        || shards.failed > 0
        || shards.successful < shards.total;
    if is_partial {
        let text = format!(
            "a page is not whole: {} of {} shards answered",
            shards.successful, shards.total
        );
        return Err(Failure::Passing(text));
    }
    Ok(answer.hits.hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(more: &str, failed: u32) -> String {
        format!(
            r#"{{"took":1,"timed_out":false,{more}"_shards":{{"total":1,"successful":{},"skipped":0,"failed":{failed}}},
            "hits":{{"hits":[{{"_index":"p","_id":"7","_version":3,"_seq_no":5,"_primary_term":1,"_score":null,
            "_source":{{"n": 12345678901234567890, "x": 1.10}},"sort":[5]}}]}}}}"#,
            1 - failed
        )
    }

    #[test]
    fn documents_keep_their_digits() {
        let text = page("", 0);
        let all = hits(text.as_bytes()).expect("whole");
        assert_eq!((&*all[0]._id, all[0]._version, all[0]._seq_no), ("7", 3, 5));
        assert_eq!(
            all[0]._source.expect("one").get(),
            r#"{"n": 12345678901234567890, "x": 1.10}"#
        );
    }

    #[test]
    fn a_part_never_passes_for_the_whole() {
        assert!(hits(page("", 1).as_bytes()).is_err());
        assert!(hits(page(r#""terminated_early":true,"#, 0).as_bytes()).is_err());
        let late = page("", 0).replace(r#""timed_out":false"#, r#""timed_out":true"#);
        assert!(hits(late.as_bytes()).is_err());
        assert!(hits(b"<html>").is_err());
    }

    #[test]
    fn a_page_is_of_one_shard_in_the_order_of_writing() {
        let ask = PageAsk {
            index: "p",
            shard: 2,
            after: -1,
            last: Some(9),
            size: 10,
            with_source: false,
            most_bytes: 0,
        };
        let body = body(ask);
        assert_eq!(
            body["query"]["bool"]["filter"][0]["range"]["_seq_no"],
            json!({"gt": -1, "lte": 9})
        );
        assert_eq!(body["_source"], json!(false));
    }
}
