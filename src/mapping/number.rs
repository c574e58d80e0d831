//! Numbers that records write as something else: texts, base64 of two's complement. Digits are kept, never through a float.

use crate::domain::mend::clean;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Number, Value};

/// More bytes are no decimal of any database.
const MOST_DECIMAL_BYTES: usize = 128;
const MOST_SCALE: usize = 400;

/// The number that a text writes, exponents written out; `None` where it is none (`NaN`, nothing, words).
pub fn of_text(text: &str) -> Option<Number> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    // Some databases leave the zero before the point out.
    let (sign, digits) = text.split_at(usize::from(text.starts_with('-')));
    let whole = digits.starts_with('.').then(|| format!("{sign}0{digits}"));
    let text = whole.as_deref().unwrap_or(text);
    if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    let plain = clean(Bytes::copy_from_slice(text.as_bytes()));
    let number: Number = serde_json::from_slice(&plain).ok()?;
    // Longer than what is written out: no database would take it.
    let is_plain = plain.iter().all(|byte| !matches!(byte, b'e' | b'E'));
    is_plain.then_some(number)
}

/// The number without a fraction that a number is, `42.0` too.
pub fn integer(number: &Number) -> Option<Number> {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let is_whole = fraction.bytes().all(|byte| byte == b'0');
    is_whole.then(|| of_text(whole))?
}

/// Kafka Connect's decimal: base64 of a big-endian two's complement, without its point.
pub fn of_decimal(base64: &str, scale: usize) -> Option<Value> {
    let bytes = STANDARD.decode(base64).ok()?;
    if bytes.is_empty() || bytes.len() > MOST_DECIMAL_BYTES || scale > MOST_SCALE {
        return None;
    }
    let is_negative = bytes[0] & 0x80 != 0;
    let digits = digits(if is_negative { negated(bytes) } else { bytes });
    let plain = pointed(&digits, scale);
    let sign = if is_negative { "-" } else { "" };
    of_text(&format!("{sign}{plain}")).map(Value::Number)
}

fn negated(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (sum, overflow) = (!*byte).overflowing_add(u8::from(carry));
        (*byte, carry) = (sum, overflow);
    }
    bytes
}

/// The decimal digits of a big-endian number.
fn digits(bytes: Vec<u8>) -> String {
    let mut digits = vec![0_u8];
    for byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            (*digit, carry) = ((value % 10) as u8, value / 10);
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits
        .iter()
        .rev()
        .map(|digit| char::from(b'0' + digit))
        .collect()
}

fn pointed(digits: &str, scale: usize) -> String {
    if scale == 0 {
        return digits.to_owned();
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_4_decimals_in_base64_are_exact() {
        let decimal = |text, scale| of_decimal(text, scale).map(|value| value.to_string());
        // 1250 is 0x04E2: "BOI=".
        assert_eq!(decimal("BOI=", 2).as_deref(), Some("12.50"));
        assert_eq!(decimal("/w==", 0).as_deref(), Some("-1"));
        assert_eq!(decimal("/w==", 3).as_deref(), Some("-0.001"));
        assert_eq!(decimal("gA==", 1).as_deref(), Some("-12.8"));
        assert_eq!(decimal("AA==", 2).as_deref(), Some("0.00"));
        let large = decimal("Ae2+WvuFcIrG", 10);
        assert!(large.is_some_and(|text| !text.contains('e')));
        assert_eq!(decimal("no!", 2), None);
        assert_eq!(decimal("", 2), None);
    }

    #[test]
    fn row_16_texts_become_numbers_or_nothing() {
        let number = |text| of_text(text).map(|number| number.to_string());
        assert_eq!(number("1E+3").as_deref(), Some("1000"));
        assert_eq!(number(" 42 ").as_deref(), Some("42"));
        assert_eq!(number("+1.50").as_deref(), Some("1.50"));
        assert_eq!(number(".5").as_deref(), Some("0.5"));
        assert_eq!(number("-.50").as_deref(), Some("-0.50"));
        let long = "1234567890123456789.123456789";
        assert_eq!(number(long).as_deref(), Some(long));
        for text in [
            ".", "-.", ".e1", "NaN", "", "1e9999", "0x1", "1,5", "01", "--1", "Infinity", "1 2",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(
            of_text("42.0").and_then(|number| integer(&number)),
            of_text("42")
        );
        assert_eq!(of_text("42.5").and_then(|number| integer(&number)), None);
    }
}
