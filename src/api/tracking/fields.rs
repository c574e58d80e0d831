//! The values of single fields: texts that may be numbers, times in many spellings, objects.
//!
//! Absent, `null` and `""` are the same for ids and times (gotcha 12).

use super::envelope::Raw;
use crate::domain::{Code, Json, Rejection, Timestamp};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The sorts of JSON values, told by their first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Null,
    Text,
    Number,
    Object,
    Other,
}

fn sort(raw: &RawValue) -> Sort {
    match raw.get().as_bytes()[0] {
        b'n' => Sort::Null,
        b'"' => Sort::Text,
        b'{' => Sort::Object,
        b'-' | b'0'..=b'9' => Sort::Number,
        _ => Sort::Other,
    }
}

/// A text, or a number as its text; `None` where absent, null or empty.
///
/// # Errors
/// `InvalidField` for any other JSON type.
pub fn id<'a>(raw: Raw<'a>, field: &str) -> Result<Option<Cow<'a, str>>, Rejection> {
    match raw.map(|raw| (sort(raw), raw)) {
        None | Some((Sort::Null, _)) => Ok(None),
        Some((Sort::Number, raw)) => Ok(Some(number_text(raw.get()))),
        Some(_) => text(raw, field).map(|text| text.filter(|text| !text.is_empty())),
    }
}

/// A text, also the empty one; `None` where absent or null.
///
/// # Errors
/// `InvalidField` for any other JSON type.
pub fn text<'a>(raw: Raw<'a>, field: &str) -> Result<Option<Cow<'a, str>>, Rejection> {
    match raw.map(|raw| (sort(raw), raw)) {
        None | Some((Sort::Null, _)) => Ok(None),
        Some((Sort::Text, raw)) => Ok(Some(unquoted(raw))),
        Some(_) => Err(Rejection::of(
            Code::InvalidField,
            field,
            format!("{field} must be a text"),
        )),
    }
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

/// `12345.0` and `12345` are one id; exponents were written out before.
fn number_text(digits: &str) -> Cow<'_, str> {
    Cow::Borrowed(match digits.split_once('.') {
        Some(_) => digits.trim_end_matches('0').trim_end_matches('.'),
        None => digits,
    })
}

/// A time: ISO 8601, or a number of seconds or milliseconds since 1970; `None` where absent, null or empty.
///
/// # Errors
/// `InvalidTime` for anything else, and for times that the databases don't take.
pub fn time(raw: Raw<'_>, field: &str) -> Result<Option<Timestamp>, Rejection> {
    let Some(raw) = raw else { return Ok(None) };
    let time = match sort(raw) {
        Sort::Null => return Ok(None),
        Sort::Text => match unquoted(raw) {
            text if text.is_empty() => return Ok(None),
            text => Timestamp::parse(&text),
        },
        Sort::Number => raw.get().parse().ok().and_then(Timestamp::from_epoch),
        Sort::Object | Sort::Other => None,
    };
    time.map(Some).ok_or_else(|| invalid_time(field))
}

/// The refusal of a time.
fn invalid_time(field: &str) -> Rejection {
    Rejection::of(
        Code::InvalidTime,
        field,
        format!(
            "{field} must be an ISO 8601 time, or seconds or milliseconds since 1970, in the years 1 to 9998"
        ),
    )
}

/// An object, without a copy; `None` where absent or null.
///
/// # Errors
/// `InvalidField` where it is no object.
pub fn object(raw: Raw<'_>, field: &str, body: &Bytes) -> Result<Option<Json>, Rejection> {
    match raw.map(|raw| (sort(raw), raw)) {
        None | Some((Sort::Null, _)) => Ok(None),
        Some((Sort::Object, raw)) => Ok(Some(Json::slice_of(body, raw))),
        Some(_) => Err(not_an_object(field)),
    }
}

/// The refusal of a value that should be an object.
pub fn not_an_object(field: &str) -> Rejection {
    Rejection::of(
        Code::InvalidField,
        field,
        format!("{field} must be an object"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(time(Some(&raw(given)), "timestamp"), Ok(None));
        }
        let expected = Timestamp::parse("2024-01-02T03:04:05Z");
        for given in [
            r#""2024-01-02T03:04:05Z""#,
            r#""2024-01-02T08:34:05+05:30""#,
            "1704164645",
            "1704164645000",
            "1704164645.0",
        ] {
            assert_eq!(
                time(Some(&raw(given)), "timestamp"),
                Ok(expected),
                "{given}"
            );
        }
        for given in [
            r#""soon""#,
            r#""99999-01-01T00:00:00Z""#,
            r#""-000001-01-01T00:00:00Z""#,
            "1e300",
            "-1000000000000000",
            "true",
            "{}",
        ] {
            let rejection = time(Some(&raw(given)), "sentAt").expect_err(given);
            assert_eq!(rejection.field.as_deref(), Some("sentAt"));
        }
    }
}
