//! A document as a record: key, value and headers.

use super::Hit;
use serde::Serialize;
use serde_json::value::RawValue;

/// The index that a document stands in: a name behind an alias may be any of several.
pub const INDEX_HEADER: &str = "_index";
/// Of a record that says that a document is gone.
pub const GONE_HEADER: &str = "roster.gone";

#[derive(Serialize)]
struct Document<'a> {
    _index: &'a str,
    _id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    _routing: Option<&'a str>,
    _version: i64,
    _seq_no: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    _source: Option<&'a RawValue>,
}

/// The value: the hit as a search shows it, its source byte for byte.
pub fn value(hit: &Hit<'_>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Document {
        _index: &hit._index,
        _id: &hit._id,
        _routing: hit._routing.as_deref(),
        _version: hit._version,
        _seq_no: hit._seq_no,
        _source: hit._source,
    })
}

/// The key. One index may have an id twice by different routing: those are two documents, so the key says both. An id that looks like
/// such a pair is put into brackets itself.
pub fn key(hit: &Hit<'_>) -> String {
    match &hit._routing {
        Some(routing) => serde_json::json!([hit._id, routing]).to_string(),
        None if hit._id.starts_with('[') => serde_json::json!([hit._id]).to_string(),
        None => hit._id.clone().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn hit<'a>(id: &'a str, routing: Option<&'a str>) -> Hit<'a> {
        Hit {
            _index: Cow::Borrowed("people"),
            _id: Cow::Borrowed(id),
            _routing: routing.map(Cow::Borrowed),
            _version: 3,
            _seq_no: 5,
            _source: None,
        }
    }

    #[test]
    fn no_two_documents_of_an_index_have_one_key() {
        let all = [
            hit("7", None),
            hit("7", Some("a")),
            hit(r#"["7","a"]"#, None),
            hit(r#"["7""#, Some("a")),
            hit(r#"["7"]"#, None),
        ];
        let keys: std::collections::BTreeSet<String> = all.iter().map(key).collect();
        assert_eq!(keys.len(), all.len(), "{keys:?}");
        assert_eq!(key(&all[0]), "7");
    }

    #[test]
    fn a_source_goes_out_as_it_is() {
        let source: &RawValue =
            serde_json::from_str(r#"{"n": 1.10, "n2": 12345678901234567890}"#).expect("JSON");
        let with = Hit {
            _source: Some(source),
            ..hit("7", None)
        };
        let text = String::from_utf8(value(&with).expect("JSON")).expect("text");
        assert_eq!(
            text,
            r#"{"_index":"people","_id":"7","_version":3,"_seq_no":5,"_source":{"n": 1.10, "n2": 12345678901234567890}}"#
        );
    }
}
