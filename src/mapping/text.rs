//! From the bytes of a record to JSON: what stands before it is taken off, what SDKs send beyond the standard is mended.

use crate::domain::mend::{mend, survey};
use crate::domain::{Code, Rejection, count_keys};
use bytes::Bytes;
use serde_json::Value;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// A zero and the four bytes of a schema's id.
const REGISTRY_PREFIX: usize = 5;
/// Envelopes nest some levels above what they carry.
const ENVELOPE_DEPTH: usize = 8;
/// Keys of a record, at any depth. Each may take some hundred bytes of a tree.
const KEYS: usize = 1 << 16;

/// Reads one value; `None` where there is nothing, or `null`.
///
/// # Errors
/// `NotJson` with the place, `SchemaRegistryFormat`, `TooDeep`, `TooLong`, `RecordTooLarge`.
pub fn json(bytes: &Bytes, field: &str, depth: usize) -> Result<Option<Value>, Rejection> {
    read(bytes, field, depth, |text| parse(text, field))
}

/// The same by another reader, which is given the text once it is mended.
///
/// # Errors
/// As `json`, and what the reader says.
pub fn read<T>(
    bytes: &Bytes,
    field: &str,
    depth: usize,
    reader: impl FnOnce(&Bytes) -> Result<T, Rejection>,
) -> Result<Option<T>, Rejection> {
    let is_registered = bytes.first() == Some(&0) && bytes.len() >= REGISTRY_PREFIX;
    let own = bare(bytes);
    if matches!(&own[..], b"" | b"null") {
        return Ok(None);
    }
    match mended(own, field, depth).and_then(|text| reader(&text)) {
        Err(rejection) if is_registered && rejection.code == Code::NotJson => Err(foreign(field)),
        other => other.map(Some),
    }
}

/// Reads JSON that stands in a text of a record.
pub fn nested(text: &str, depth: usize) -> Option<Value> {
    let text = Bytes::copy_from_slice(text.as_bytes());
    let mended = mended(text, "", depth).ok()?;
    parse(&mended, "").ok()
}

/// Without a registry's prefix, a byte order mark and blanks.
pub fn bare(bytes: &Bytes) -> Bytes {
    let is_registered = bytes.first() == Some(&0) && bytes.len() >= REGISTRY_PREFIX;
    let start = if is_registered { REGISTRY_PREFIX } else { 0 };
    let rest = &bytes[start..];
    let rest = rest.strip_prefix(BYTE_ORDER_MARK).unwrap_or(rest);
    bytes.slice_ref(rest.trim_ascii())
}

fn mended(text: Bytes, field: &str, depth: usize) -> Result<Bytes, Rejection> {
    if has_too_many_keys(&text) {
        let message = format!("the record has more than {KEYS} keys, at any depth");
        return Err(Rejection {
            field: None,
            ..Rejection::of(Code::RecordTooLarge, "", message)
        });
    }
    // Five bytes of exponent may become 500: a record must not grow a hundredfold.
    let room = text.len().saturating_mul(4).saturating_add(1 << 16);
    let Some(known) = survey(&text, room) else {
        let message = format!("over the limit of {room} bytes once its numbers are written out");
        return Err(Rejection::of(Code::TooLong, field, message));
    };
    let limit = depth.saturating_add(ENVELOPE_DEPTH);
    if known.depth > limit {
        let message = format!("nested deeper than the limit of {limit} levels");
        return Err(Rejection::of(Code::TooDeep, field, message));
    }
    Ok(match known.mended_bytes {
        Some(length) => mend(&text, length),
        None => text,
    })
}

/// A key has four bytes at least, with its quotes, its colon and what stands behind it: most records are too short for so many.
fn has_too_many_keys(text: &[u8]) -> bool {
    text.len() > KEYS * 4 && count_keys(text) > KEYS
}

fn parse(text: &[u8], field: &str) -> Result<Value, Rejection> {
    serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = format!("it is no JSON at line {line}, column {column}");
        Rejection::of(Code::NotJson, field, message)
    })
}

fn foreign(field: &str) -> Rejection {
    let message = "it has a schema registry's prefix and no JSON behind it: only JSON is read, not Avro or Protobuf";
    Rejection::of(Code::SchemaRegistryFormat, field, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_keys(number: usize) -> Bytes {
        let members = vec!["\"\":0"; number].join(",");
        Bytes::from(format!("{{{members}}}"))
    }

    #[test]
    fn a_record_of_very_many_keys_is_refused_before_it_is_a_tree() {
        let code = |number| json(&of_keys(number), "value", 8).err().map(|why| why.code);
        assert_eq!(code(KEYS), None);
        assert_eq!(code(KEYS + 1), Some(Code::RecordTooLarge));
    }
}
