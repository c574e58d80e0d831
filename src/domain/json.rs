//! JSON that nobody needs to look into stays bytes from the socket to the statement.
//!
//! `clean` makes what SDKs really send acceptable and equal on both databases; `check` holds one field against its limits.
//! Facts behind the rules: `contracts/cockroachdb.md` section 3 and `contracts/tracking-api.md` section 7.

use super::rejection::{Code, Rejection};
use bytes::Bytes;
use memchr::memchr2;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// More digits than this are no measurement; both databases keep this many exactly.
const MAX_NUMBER_DIGITS: usize = 1_000;

/// One valid, cleaned JSON value, as text. Cheap to clone: it is a view of the request's body.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Bytes);

impl Json {
    /// `{}`.
    pub fn empty_object() -> Self {
        Self(Bytes::from_static(b"{}"))
    }

    /// `null`.
    pub fn null() -> Self {
        Self(Bytes::from_static(b"null"))
    }

    /// Writes a value out.
    pub fn of(value: &impl Serialize) -> Self {
        Self(
            serde_json::to_vec(value)
                .expect("maps with text keys and plain values always serialise")
                .into(),
        )
    }

    /// The part of `body` that `raw` was read from, without a copy. `raw` must borrow from `body`.
    pub fn slice_of(body: &Bytes, raw: &RawValue) -> Self {
        Self(body.slice_ref(raw.get().as_bytes()))
    }

    /// True where it is a part of `body` and holds nothing of its own.
    pub fn is_view_of(&self, body: &Bytes) -> bool {
        body.as_ptr_range().contains(&self.0.as_ptr())
    }

    /// Takes over text that a database gave back.
    pub fn from_database(text: String) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made from text only")
    }

    /// The bytes of the text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For replies that carry the value as it is.
    pub fn to_raw(&self) -> Box<RawValue> {
        RawValue::from_string(self.as_str().to_owned()).expect("checked when it was made")
    }

    /// The members of an object, sorted, the last of equal keys; `None` where it is no object.
    pub fn members(&self) -> Option<BTreeMap<String, Self>> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_slice(&self.0).ok()?;
        Some(
            members
                .into_iter()
                .map(|(key, raw)| (key, Self::slice_of(&self.0, raw)))
                .collect(),
        )
    }

    /// The member of an object by its name; `None` also where it is no object.
    pub fn member(&self, name: &str) -> Option<Self> {
        let raw = super::member::member(&self.0, name)?;
        Some(Self::slice_of(&self.0, raw))
    }

    /// The first elements of a list, at most so many; none where it is no list.
    pub fn elements(&self, most: usize) -> Vec<Self> {
        let elements = super::member::elements(&self.0, most).into_iter();
        elements.map(|raw| Self::slice_of(&self.0, raw)).collect()
    }

    /// This object with the members of `base` that it lacks.
    pub fn with_defaults(&self, base: &Self) -> Self {
        match (base.members(), self.members()) {
            (Some(mut merged), Some(own)) => {
                merged.extend(own);
                Self::from_members(&merged)
            }
            _ => self.clone(),
        }
    }

    /// An object of these members.
    pub fn from_members(members: &BTreeMap<String, Self>) -> Self {
        Self::of(
            &members
                .iter()
                .map(|(key, value)| (key, value.to_raw()))
                .collect::<BTreeMap<_, _>>(),
        )
    }

    /// The text, where the value is one.
    pub fn as_text(&self) -> Option<String> {
        serde_json::from_slice(&self.0).ok()
    }

    /// What can be an id: a text that is not blank, or a number as its text.
    pub fn as_id(&self) -> Option<String> {
        match self.0.first()? {
            b'-' | b'0'..=b'9' => Some(self.as_str().to_owned()),
            _ => self.as_text().filter(|text| !text.trim().is_empty()),
        }
    }

    /// The keys of all objects in it: each has the one colon that stands outside of texts.
    pub fn count_keys(&self) -> usize {
        let (mut at, mut count) = (0, 0);
        while at < self.0.len() {
            let (token, end) = next_token(&self.0, at);
            count += usize::from(token == Token::Other && self.0[at] == b':');
            at = end;
        }
        count
    }

    /// True for `null`.
    pub fn is_null(&self) -> bool {
        &self.0[..] == b"null"
    }

    /// A spelling that equal values share on every node and both databases: sorted keys, no spaces, plain decimals.
    pub fn canonical(&self) -> String {
        let cleaned = clean(self.0.clone());
        serde_json::from_slice::<serde_json::Value>(&cleaned)
            .map_or_else(|_| self.as_str().to_owned(), |value| value.to_string())
    }

    /// Holds the value against the nesting limit and the databases' common range of numbers; `field` names it in the refusal.
    pub fn check(&self, field: &str, max_depth: usize) -> Result<(), Rejection> {
        let (mut at, mut depth) = (0, 0_usize);
        while at < self.0.len() {
            let (token, end) = next_token(&self.0, at);
            match token {
                Token::Open => depth += 1,
                Token::Close => depth = depth.saturating_sub(1),
                Token::Number => check_number(&self.0[at..end], field)?,
                Token::Text { .. } | Token::Word | Token::Other => {}
            }
            if depth > max_depth {
                return Err(Rejection::of(
                    Code::TooDeep,
                    field,
                    format!("nested deeper than the limit of {max_depth} levels"),
                ));
            }
            at = end;
        }
        Ok(())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn check_number(digits: &[u8], field: &str) -> Result<(), Rejection> {
    if is_exotic(digits) {
        let message = format!(
            "a number needs more than the limit of {MAX_NUMBER_DIGITS} digits when written out"
        );
        return Err(Rejection::of(Code::NumberTooLarge, field, message));
    }
    Ok(())
}

fn is_exotic(digits: &[u8]) -> bool {
    digits.len() > MAX_NUMBER_DIGITS + 2 || digits.iter().any(|byte| matches!(byte, b'e' | b'E'))
}

/// What `mend` makes of a body, and what it saw on the way.
pub struct Mended {
    /// The body itself where there was nothing to mend.
    pub body: Bytes,
    /// How deep it nests.
    pub depth: usize,
    /// A number was left that `Json::check` refuses.
    pub has_exotic_number: bool,
}

/// Mends what SDKs send beyond the standard and what the two databases read differently; returns `body` itself where there is
/// nothing to mend.
///
/// `NaN` and infinities become `null`; lone surrogates and NUL characters become U+FFFD; exponents and minus zero are written
/// out as plain decimals. Anything else stays as it is, for the parser to judge.
pub fn clean(body: Bytes) -> Bytes {
    mend(body).body
}

/// Does what `clean` does and measures, so that a body that keeps the limits as a whole needs no `Json::check` of its parts.
pub fn mend(body: Bytes) -> Mended {
    let (mut mended, mut kept, mut at) = (Vec::new(), 0, 0);
    let (mut depth, mut deepest, mut has_exotic_number) = (0_usize, 0, false);
    while at < body.len() {
        let (token, end) = next_token(&body, at);
        match token {
            Token::Open => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            Token::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(replacement) = token.replacement(&body[at..end]) {
            mended.extend_from_slice(&body[kept..at]);
            mended.extend_from_slice(&replacement);
            kept = end;
        } else if token == Token::Number {
            has_exotic_number |= is_exotic(&body[at..end]);
        }
        at = end;
    }
    let body = if kept == 0 {
        body
    } else {
        mended.extend_from_slice(&body[kept..]);
        mended.into()
    };
    Mended {
        body,
        depth: deepest,
        has_exotic_number,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Text { suspicious: bool },
    Number,
    Word,
    Other,
}

impl Token {
    fn replacement(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Text { suspicious: true } => Some(mend_text(text)),
            Self::Word if matches!(text, b"NaN" | b"Infinity" | b"-Infinity") => {
                Some(b"null".to_vec())
            }
            Self::Number => plain_decimal(text),
            _ => None,
        }
    }
}

/// Tells the token at `at` and where it ends. Malformed input yields some tokens too: the parser refuses it later.
fn next_token(bytes: &[u8], at: usize) -> (Token, usize) {
    match bytes[at] {
        b'"' => text_token(bytes, at),
        b'{' | b'[' => (Token::Open, at + 1),
        b'}' | b']' => (Token::Close, at + 1),
        b'-' if bytes.get(at + 1) == Some(&b'I') => (
            Token::Word,
            run_end(bytes, at + 1, u8::is_ascii_alphanumeric),
        ),
        b'-' | b'0'..=b'9' => (
            Token::Number,
            run_end(bytes, at + 1, |byte| {
                matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
            }),
        ),
        byte if byte.is_ascii_alphabetic() => (
            Token::Word,
            run_end(bytes, at + 1, u8::is_ascii_alphanumeric),
        ),
        _ => (Token::Other, at + 1),
    }
}

fn run_end(bytes: &[u8], from: usize, belongs: impl Fn(&u8) -> bool) -> usize {
    bytes[from..]
        .iter()
        .position(|byte| !belongs(byte))
        .map_or(bytes.len(), |length| from + length)
}

fn text_token(bytes: &[u8], start: usize) -> (Token, usize) {
    let (mut at, mut suspicious) = (start + 1, false);
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return (Token::Text { suspicious }, at + 1);
        }
        suspicious |= matches!(escaped_unit(bytes, at), Some(0 | 0xD800..=0xDFFF));
        at += 2;
    }
    (Token::Text { suspicious: false }, bytes.len())
}

/// The UTF-16 unit of the `\uXXXX` escape at `at`, if one stands there.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Replaces lone surrogates and NUL escapes by U+FFFD; pairs stay.
fn mend_text(text: &[u8]) -> Vec<u8> {
    let (mut mended, mut at) = (Vec::with_capacity(text.len()), 0);
    while at < text.len() {
        let length = match (escaped_unit(text, at), escaped_unit(text, at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0 | 0xD800..=0xDFFF), _) => {
                mended.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            (Some(_), _) => 6,
            (None, _) if text[at] == b'\\' => 2.min(text.len() - at),
            (None, _) => 1,
        };
        mended.extend_from_slice(&text[at..at + length]);
        at += length;
    }
    mended
}

/// Writes a number with an exponent, or a minus zero, as a plain decimal; `None` where it is plain already, malformed or too long.
fn plain_decimal(text: &[u8]) -> Option<Vec<u8>> {
    let negative_zero = text[0] == b'-' && !text.iter().any(|byte| matches!(byte, b'1'..=b'9'));
    if !negative_zero && !text.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let (sign, unsigned) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().ok()?;
    let well_formed = !whole.is_empty()
        && [whole, fraction]
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if !well_formed
        || mantissa.ends_with('.')
        || exponent.unsigned_abs() as usize + mantissa.len() > MAX_NUMBER_DIGITS
    {
        return None;
    }
    let plain = shift_point(whole, fraction, exponent);
    let zero = !plain.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    Some(
        if zero {
            plain
        } else {
            format!("{sign}{plain}")
        }
        .into_bytes(),
    )
}

fn shift_point(whole: &str, fraction: &str, exponent: i64) -> String {
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    let (whole, fraction) = if point <= 0 {
        (
            String::new(),
            format!("{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        )
    } else if point as usize >= digits.len() {
        (
            format!("{digits}{}", "0".repeat(point as usize - digits.len())),
            String::new(),
        )
    } else {
        (
            digits[..point as usize].to_owned(),
            digits[point as usize..].to_owned(),
        )
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(text: &str) -> String {
        String::from_utf8(clean(Bytes::copy_from_slice(text.as_bytes())).to_vec())
            .expect("text stays text")
    }

    fn json(text: &str) -> Json {
        Json(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn poison_is_mended_and_all_else_left_alone() {
        let cases = [
            (
                r#"{"a":NaN,"b":[Infinity,-Infinity]}"#,
                r#"{"a":null,"b":[null,null]}"#,
            ),
            (
                r#"["\ud83d","\ud83d\ude00","\ude00x","a\u0000b","\\u0000","\\\u0000"]"#,
                r#"["\ufffd","\ud83d\ude00","\ufffdx","a\ufffdb","\\u0000","\\\ufffd"]"#,
            ),
            (
                "[1e3,1.50e1,-2.5E-3,0e5,-0,-0.00,1e-2]",
                "[1000,15.0,-0.0025,0,0,0.00,0.01]",
            ),
            (
                r#"{"NaN":"NaN -Infinity 1e3","t":true,"n":1.50}"#,
                r#"{"NaN":"NaN -Infinity 1e3","t":true,"n":1.50}"#,
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(cleaned(given), expected);
        }
        assert_eq!(cleaned("1e400").len(), 401);
        assert_eq!(cleaned("1e4000"), "1e4000");
        assert_eq!(cleaned(r#"{"cut":"\u00"#), r#"{"cut":"\u00"#);
    }

    #[test]
    fn limits_name_the_field() {
        let deep = json(&format!("{}{}", "[".repeat(65), "]".repeat(65)));
        assert_eq!(
            deep.check("properties", 64)
                .map_err(|rejection| rejection.code),
            Err(Code::TooDeep)
        );
        assert_eq!(deep.check("properties", 65), Ok(()));
        assert_eq!(json(r#"{"a":"[[[{{{"}"#).check("properties", 1), Ok(()));
        assert_eq!(
            json("[1e4000]")
                .check("traits", 8)
                .map_err(|rejection| rejection.field),
            Err(Some("traits".into()))
        );
    }

    #[test]
    fn canonical_spelling_ignores_order_spaces_and_exponents() {
        assert_eq!(
            json(r#"{"b": 1E+3, "aa": [1, 2]}"#).canonical(),
            json(r#"{"aa":[1,2],"b":1000}"#).canonical()
        );
        assert_ne!(json("1.0").canonical(), json("1").canonical());
    }

    proptest! {
        #[test]
        fn laws_cleaning_never_panics_and_is_idempotent(text in "[\\[\\]{}\":,\\\\uUdD0-9a-eE.+Na IInfity-]{0,60}") {
            let once = cleaned(&text);
            prop_assert_eq!(cleaned(&once), once);
        }

        #[test]
        fn laws_cleaning_keeps_the_value_of_a_float(number in proptest::num::f64::NORMAL) {
            let plain = cleaned(&format!("{number:e}"));
            prop_assert_eq!(plain.parse::<f64>().expect("a number"), number);
        }
    }
}
