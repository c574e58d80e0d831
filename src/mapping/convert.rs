//! Values as a mapping declares them. What does not convert is left out and said, never guessed.

use crate::domain::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

/// How a time is written. Units are never guessed by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeFormat {
    /// RFC 3339 or ISO 8601.
    Text,
    /// A count since 1970, of so many microseconds each; nanoseconds are 0.
    Count(i64),
}

impl TimeFormat {
    /// By its name in a mapping.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "rfc3339" => Self::Text,
            "epoch_days" => Self::Count(86_400_000_000),
            "epoch_s" => Self::Count(1_000_000),
            "epoch_ms" => Self::Count(1_000),
            "epoch_us" => Self::Count(1),
            "epoch_ns" => Self::Count(0),
            _ => return None,
        })
    }
}

/// What a trait is declared to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Number,
    Integer,
    Boolean,
    Time(Vec<TimeFormat>),
    /// Base64 of a big-endian two's complement, with so many digits behind the point: Kafka Connect's default for decimals.
    Decimal(u32),
    /// JSON within a text.
    JsonText,
    /// One value, or a list of them: always a list.
    List,
}

/// The text of a value that can name somebody: a text that is not blank, or a number's digits.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A time in the first format that fits; texts without a zone, and counts of wall-clock time, are of `zone`.
pub(super) fn time_of(
    value: &Value,
    formats: &[TimeFormat],
    zone: Option<&TimeZone>,
) -> Option<Timestamp> {
    let text = text_of(value)?;
    let read = |format: &TimeFormat| match format {
        TimeFormat::Text => text_time(&text, zone),
        TimeFormat::Count(micros) => counted(&text, *micros, zone),
    };
    let time = formats.iter().find_map(read)?;
    let is_storable = (Timestamp::MIN..Timestamp::MAX).contains(&time);
    is_storable.then_some(time)
}

fn text_time(text: &str, zone: Option<&TimeZone>) -> Option<Timestamp> {
    let has_zone = text.parse::<jiff::Timestamp>().is_ok();
    let Some(zone) = zone.filter(|_| !has_zone) else {
        // A text of digits alone is a count, and which one is not said.
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        return (!is_number).then(|| Timestamp::parse(text)).flatten();
    };
    let civil = text.parse::<DateTime>().ok();
    let civil = civil.or_else(|| Some(text.parse::<Date>().ok()?.at(0, 0, 0, 0)))?;
    let zoned = civil.to_zoned(zone.clone()).ok()?;
    Some(Timestamp::new(zoned.timestamp()))
}

fn counted(text: &str, micros: i64, zone: Option<&TimeZone>) -> Option<Timestamp> {
    let count = match text.parse::<i64>() {
        Ok(count) => {
            i128::from(count) * i128::from(micros.max(1)) / if micros == 0 { 1_000 } else { 1 }
        }
        // A fraction of a unit: what lies below a microsecond is dropped.
        Err(_) => {
            let parsed = text
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())?;
            (parsed * if micros == 0 { 1e-3 } else { micros as f64 }) as i128
        }
    };
    let time = Timestamp::from_micros(i64::try_from(count).ok()?)?;
    match zone {
        None => Some(time),
        Some(zone) => {
            let civil = TimeZone::UTC.to_datetime(time.instant());
            Some(Timestamp::new(
                civil.to_zoned(zone.clone()).ok()?.timestamp(),
            ))
        }
    }
}

/// A value as the declared type; `None` where it is none. `Null` stays: it removes the trait.
pub(super) fn converted(value: Value, declared: &Type, zone: Option<&TimeZone>) -> Option<Value> {
    if value.is_null() {
        return Some(value);
    }
    match declared {
        Type::Text => match value {
            Value::String(_) => Some(value),
            Value::Number(number) => Some(Value::String(number.to_string())),
            Value::Bool(truth) => Some(Value::String(truth.to_string())),
            _ => None,
        },
        Type::Number => number(&value),
        Type::Integer => number(&value).filter(|number| {
            let text = number.to_string();
            text.strip_prefix('-')
                .unwrap_or(&text)
                .bytes()
                .all(|byte| byte.is_ascii_digit())
        }),
        Type::Boolean => boolean(&value),
        Type::Time(formats) => {
            time_of(&value, formats, zone).map(|time| Value::String(time.to_string()))
        }
        Type::Decimal(scale) => decimal(value.as_str()?, *scale),
        Type::JsonText => serde_json::from_str(value.as_str()?).ok(),
        Type::List => Some(match value {
            Value::Array(_) => value,
            one => Value::Array(vec![one]),
        }),
    }
}

/// A number, also one in quotes, without an exponent: `1E+3` is 1000.
fn number(value: &Value) -> Option<Value> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let text = text.strip_prefix('+').unwrap_or(&text);
    let text = match text.split_once(['e', 'E']) {
        None => text.to_owned(),
        Some((digits, exponent)) => shifted(digits, exponent.parse().ok()?)?,
    };
    let number: Number = text.parse().ok()?;
    Some(Value::Number(number))
}

/// Digits with the point moved; exponents beyond 300 are no number that anybody stores.
fn shifted(digits: &str, exponent: i32) -> Option<String> {
    if !(-300..=300).contains(&exponent) {
        return None;
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let point = whole.len() as i32 + exponent;
    Some(format!("{sign}{}", pointed(&all, point)))
}

/// Digits with a point behind so many of them, without superfluous zeros.
fn pointed(digits: &str, point: i32) -> String {
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let count = digits.len() as i32;
    let (whole, fraction) = if point <= 0 {
        (String::new(), format!("{}{digits}", zeros(-point)))
    } else if point >= count {
        (format!("{digits}{}", zeros(point - count)), String::new())
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        (whole.to_owned(), fraction.to_owned())
    };
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    }
}

fn boolean(value: &Value) -> Option<Value> {
    let truth = match value {
        Value::Bool(truth) => *truth,
        _ => match text_of(value)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" => false,
            _ => return None,
        },
    };
    Some(Value::Bool(truth))
}

/// An exact decimal from base64 of at most 16 bytes.
pub(super) fn decimal(text: &str, scale: u32) -> Option<Value> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .ok()?;
    if bytes.is_empty() || bytes.len() > 16 || scale > 300 {
        return None;
    }
    let fill = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let mut all = [fill; 16];
    all[16 - bytes.len()..].copy_from_slice(&bytes);
    let unscaled = i128::from_be_bytes(all);
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = unscaled.unsigned_abs().to_string();
    let point = digits.len() as i32 - scale as i32;
    let number: Number = format!("{sign}{}", pointed(&digits, point)).parse().ok()?;
    Some(Value::Number(number))
}
