//! Mending of what SDKs send beyond the standard and what the two databases read differently.
//!
//! `NaN` and infinities become `null`; lone surrogates and NUL characters become U+FFFD, as does the first character of a key that
//! means something to our JSON library; exponents and minus zero are written
//! out as plain decimals. Anything else stays as it is, for the parser to judge. What mending adds is measured before it is
//! written, so that its caller can refuse it or make room.

use super::tokens::{MAX_NUMBER_DIGITS, Poison, Token, escaped_unit, is_exotic, next_token};
use bytes::Bytes;

/// What one look over a body tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
    /// How deep it nests.
    pub depth: usize,
    /// A number is left that `Json::check` refuses.
    pub has_exotic_number: bool,
    /// Its bytes once mended; `None` where there is nothing to mend.
    pub mended_bytes: Option<usize>,
}

/// Looks over a body; `None` as soon as it is known to be larger than `limit` once mended.
pub fn survey(body: &[u8], limit: usize) -> Option<Survey> {
    let (mut at, mut depth, mut deepest) = (0, 0_usize, 0);
    let (mut length, mut is_clean, mut has_exotic_number) = (0_usize, true, false);
    while at < body.len() {
        let (token, end) = next_token(body, at);
        match token {
            Token::Open => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            Token::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(replacement) = token.replacement(&body[at..end]) {
            is_clean = false;
            length += replacement.len();
        } else {
            length += end - at;
            has_exotic_number |= token == Token::Number && is_exotic(&body[at..end]);
        }
        if length > limit {
            return None;
        }
        at = end;
    }
    Some(Survey {
        depth: deepest,
        has_exotic_number,
        mended_bytes: (!is_clean).then_some(length),
    })
}

/// Writes the body mended, into room for the `length` that `survey` told.
pub fn mend(body: &[u8], length: usize) -> Bytes {
    let (mut mended, mut kept, mut at) = (Vec::with_capacity(length), 0, 0);
    while at < body.len() {
        let (token, end) = next_token(body, at);
        if let Some(replacement) = token.replacement(&body[at..end]) {
            mended.extend_from_slice(&body[kept..at]);
            mended.extend_from_slice(&replacement);
            kept = end;
        }
        at = end;
    }
    mended.extend_from_slice(&body[kept..]);
    mended.into()
}

/// Mends a value of any size; returns `body` itself where there is nothing to mend.
pub fn clean(body: Bytes) -> Bytes {
    match survey(&body, usize::MAX).and_then(|survey| survey.mended_bytes) {
        Some(length) => mend(&body, length),
        None => body,
    }
}

impl Token {
    fn replacement(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Text(poison) if poison.is_there() => Some(mend_text(text, poison)),
            Self::Word if matches!(text, b"NaN" | b"Infinity" | b"-Infinity") => {
                Some(b"null".to_vec())
            }
            Self::Number => plain_decimal(text),
            _ => None,
        }
    }
}

/// Replaces lone surrogates, NUL escapes, and the first character of a reserved key by U+FFFD; pairs stay.
fn mend_text(text: &[u8], poison: Poison) -> Vec<u8> {
    let (mut mended, mut at) = (Vec::with_capacity(text.len() + 5), 0);
    if poison.key {
        mended.extend_from_slice(b"\"\\ufffd");
        at = if text[1] == b'\\' { 7 } else { 2 };
    }
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
        assert_eq!(cleaned("1e308").len(), 309);
        assert_eq!(cleaned("1e600"), "1e600");
        assert_eq!(cleaned("1e6000"), "1e6000");
        assert_eq!(cleaned(r#"{"cut":"\u00"#), r#"{"cut":"\u00"#);
    }

    /// With 17 digits, as C and JavaScript's `toPrecision` write them.
    #[test]
    fn every_double_is_written_out() {
        for extreme in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, f64::from_bits(1)] {
            let plain = cleaned(&format!("{extreme:.16e}"));
            assert!(!is_exotic(plain.as_bytes()), "{plain}");
            assert_eq!(plain.parse(), Ok(extreme));
        }
    }

    #[test]
    fn what_mending_adds_is_known_before_it_is_written() {
        let body = "[1e300,1e300,NaN]";
        let known = survey(body.as_bytes(), 1_000).expect("within the limit");
        assert_eq!(known.mended_bytes, Some(cleaned(body).len()));
        assert_eq!(survey(body.as_bytes(), 600), None);
        let plain = survey(b"{\"a\":[1]}", 9).expect("within the limit");
        assert_eq!((plain.mended_bytes, plain.depth), (None, 2));
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
