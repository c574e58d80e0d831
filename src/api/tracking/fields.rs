//! The values of single fields: texts that may be numbers, times in many spellings, objects.
//!
//! Absent, `null` and `""` are the same for ids and times (gotcha 12).

use super::envelope::Raw;
use crate::domain::loose_time::Claim;
use crate::domain::{Code, Json, Rejection, Warnings, number_text};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The warning about an id that can be none.
pub const NOT_AN_ID: &str = "not_an_id";

/// The sorts of JSON values, told by their first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Null,
    Text,
    Number,
    Object,
    List,
    Truth,
}

fn sort(raw: &RawValue) -> Sort {
    match raw.get().as_bytes()[0] {
        b'n' => Sort::Null,
        b'"' => Sort::Text,
        b'{' => Sort::Object,
        b'-' | b'0'..=b'9' => Sort::Number,
        b'[' => Sort::List,
        _ => Sort::Truth,
    }
}

/// A text, or a number as its text; `None` where absent, null or empty.
///
/// # Errors
/// `InvalidField` for any other JSON type.
pub fn id<'a>(raw: Raw<'a>, field: &str) -> Result<Option<Cow<'a, str>>, Rejection> {
    match raw.map(|raw| (sort(raw), raw)) {
        None | Some((Sort::Null, _)) => Ok(None),
        Some((Sort::Number, raw)) => Ok(Some(Cow::Borrowed(number_text(raw.get())))),
        Some((Sort::Text, raw)) => Ok(Some(unquoted(raw)).filter(|text| !text.is_empty())),
        Some(_) => Err(invalid(field, "a text")),
    }
}

/// An id that others may stand in for: what can't be one is left out.
pub fn usable_id<'a>(raw: Raw<'a>, field: &str, warnings: &mut Warnings) -> Option<Cow<'a, str>> {
    id(raw, field).unwrap_or_else(|_| {
        warnings.add(
            NOT_AN_ID,
            field,
            "it is neither a text nor a number and is left out",
        );
        None
    })
}

/// A text, also the empty one; of a number or a truth value its text; `None` where absent or null.
///
/// # Errors
/// `InvalidField` for lists and objects.
pub fn text<'a>(
    raw: Raw<'a>,
    field: &str,
    warnings: &mut Warnings,
) -> Result<Option<Cow<'a, str>>, Rejection> {
    match raw.map(|raw| (sort(raw), raw)) {
        None | Some((Sort::Null, _)) => Ok(None),
        Some((Sort::Text, raw)) => Ok(Some(unquoted(raw))),
        Some((Sort::Number | Sort::Truth, raw)) => {
            warnings.add("not_a_text", field, "it is no text and is kept as one");
            Ok(Some(Cow::Borrowed(number_text(raw.get()))))
        }
        Some(_) => Err(invalid(field, "a text")),
    }
}

/// The name of a type; `None` where it is no text.
pub fn type_name(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    let raw = raw.filter(|raw| sort(raw) == Sort::Text)?;
    Some(unquoted(raw))
}

/// The text of a JSON string; borrowed where nothing is escaped.
fn unquoted(raw: &RawValue) -> Cow<'_, str> {
    let quoted = raw.get();
    let inner = &quoted[1..quoted.len() - 1];
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    // A lone surrogate would fail, and has been mended before.
    serde_json::from_str::<String>(quoted).map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// What is said of a time; `None` where absent, null or empty.
pub fn time(raw: Raw<'_>) -> Option<Claim> {
    let raw = raw?;
    match sort(raw) {
        Sort::Null => None,
        Sort::Text => match unquoted(raw) {
            text if text.is_empty() => None,
            text => Some(Claim::of_text(&text)),
        },
        Sort::Number => Some(Claim::of_number(raw.get())),
        Sort::Object | Sort::List | Sort::Truth => Some(Claim::Unreadable),
    }
}

/// An object, without a copy; `None` where absent, null, or what some languages make of an empty one. Anything else is left out.
pub fn object(raw: Raw<'_>, field: &str, body: &Bytes, warnings: &mut Warnings) -> Option<Json> {
    let raw = raw.filter(|raw| sort(raw) != Sort::Null)?;
    if sort(raw) == Sort::Object {
        return Some(Json::slice_of(body, raw));
    }
    warn_no_object(raw.get(), field, warnings);
    None
}

/// Tells of what stands where an object is meant.
pub fn warn_no_object(text: &str, field: &str, warnings: &mut Warnings) {
    let inner = text
        .strip_prefix('[')
        .and_then(|list| list.strip_suffix(']'));
    let is_empty = inner.is_some_and(|inner| inner.trim().is_empty());
    if is_empty || text == "\"\"" || text == "false" {
        warnings.add(
            "empty_object",
            field,
            "it is no object and counts as an empty one",
        );
    } else {
        warnings.add("not_an_object", field, "it is no object and is left out");
    }
}

fn invalid(field: &str, wanted: &str) -> Rejection {
    let message = format!("{field} must be {wanted}");
    Rejection::of(Code::InvalidField, field, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON")
    }

    #[test]
    fn ids_are_texts_or_the_text_of_numbers() {
        let cases = [
            ("null", None),
            (r#""""#, None),
            (r#""u""#, Some("u")),
            (r#""a\"b\u00e9\/""#, Some("a\"bé/")),
            ("12345", Some("12345")),
            ("12345.0", Some("12345")),
            ("12345.50", Some("12345.5")),
            ("-7", Some("-7")),
            ("100", Some("100")),
            ("0.0", Some("0")),
            ("1180591620717411303424", Some("1180591620717411303424")),
        ];
        for (given, expected) in cases {
            let raw = raw(given);
            assert_eq!(
                id(Some(&raw), "userId").expect(given).as_deref(),
                expected,
                "{given}"
            );
        }
        for given in ["true", "{}", "[1]"] {
            let rejection = id(Some(&raw(given)), "userId").expect_err(given);
            assert_eq!(
                (rejection.code, rejection.field.as_deref()),
                (Code::InvalidField, Some("userId"))
            );
        }
    }

    #[test]
    fn times_are_read_or_named() {
        for given in ["null", r#""""#] {
            assert_eq!(time(Some(&raw(given))), None);
        }
        let expected = Timestamp::parse("2024-01-02T03:04:05Z").map(Claim::At);
        for given in [
            r#""2024-01-02T03:04:05Z""#,
            r#""2024-01-02T08:34:05+05:30""#,
            "1704164645",
            "1704164645000",
            r#""1704164645000""#,
            "1704164645.0",
        ] {
            assert_eq!(time(Some(&raw(given))), expected, "{given}");
        }
        for given in [
            r#""soon""#,
            r#""99999-01-01T00:00:00Z""#,
            "1e300",
            "true",
            "{}",
        ] {
            assert_eq!(time(Some(&raw(given))), Some(Claim::Unreadable), "{given}");
        }
    }

    #[test]
    fn what_is_no_object_is_empty_or_left_out() {
        let codes = |given: &str| {
            let mut warnings = Warnings::default();
            let raw = raw(given);
            let body = Bytes::copy_from_slice(b"");
            assert!(object(Some(&raw), "traits", &body, &mut warnings).is_none());
            let codes: Vec<_> = warnings.as_slice().iter().map(|it| it.code).collect();
            codes
        };
        assert!(codes("null").is_empty());
        for given in ["[]", "[ ]", r#""""#, "false"] {
            assert_eq!(codes(given), ["empty_object"], "{given}");
        }
        for given in ["[1]", r#""x""#, "true", "0"] {
            assert_eq!(codes(given), ["not_an_object"], "{given}");
        }
    }
}
