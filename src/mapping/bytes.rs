//! From a record's bytes to a value: byte order marks, a schema registry's prefix, and what is mended everywhere else too.

use crate::domain::mend::{mend, survey};
use crate::domain::{Code, Rejection};
use bytes::Bytes;
use serde_json::Value;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// A zero byte and the number of a schema stand before what a schema registry's serialiser wrote.
const PREFIX_BYTES: usize = 5;

/// Reads a record's value.
///
/// # Errors
/// `NotJson`, and `SchemaRegistryFormat` where something else than JSON stands behind a registry's prefix.
pub(super) fn value_of(bytes: &Bytes) -> Result<Value, Rejection> {
    let has_prefix = bytes.len() > PREFIX_BYTES && bytes[0] == 0;
    let body = if has_prefix {
        bytes.slice(PREFIX_BYTES..)
    } else {
        bytes.clone()
    };
    match parsed(&body) {
        Err(_) if has_prefix => Err(Rejection {
            code: Code::SchemaRegistryFormat,
            field: None,
            message: "a schema registry's prefix, and behind it something else than JSON: Avro and Protobuf are not read".to_owned(),
        }),
        done => done,
    }
}

/// Reads a key: JSON where it is an object, an array or a text in quotes; else its text as it stands.
pub(super) fn key_of(bytes: &[u8]) -> Value {
    let has_prefix = bytes.len() > PREFIX_BYTES && bytes[0] == 0;
    let body = if has_prefix {
        &bytes[PREFIX_BYTES..]
    } else {
        bytes
    };
    let looks_like_json = matches!(body.first(), Some(b'{' | b'[' | b'"'));
    let parsed = looks_like_json.then(|| serde_json::from_slice(body).ok());
    parsed
        .flatten()
        .unwrap_or_else(|| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn parsed(body: &Bytes) -> Result<Value, Rejection> {
    let body = match body.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => body.slice_ref(rest),
        None => body.clone(),
    };
    let needed = survey(&body, usize::MAX).and_then(|survey| survey.mended_bytes);
    let body = needed.map_or(body.clone(), |length| mend(&body, length));
    let text = String::from_utf8_lossy(&body);
    serde_json::from_str(&text).map_err(|error| Rejection {
        code: Code::NotJson,
        field: None,
        message: format!(
            "the record is no JSON, at line {}, column {}",
            error.line(),
            error.column()
        ),
    })
}
