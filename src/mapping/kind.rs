//! The types that a mapping gives to traits, and what becomes of values that are written otherwise.

use super::extended;
use super::moment::Moments;
use super::number;
use super::text;
use serde_json::{Value, json};

/// What a trait is to be.
#[derive(Clone, Debug)]
pub enum Kind {
    Text,
    Number,
    Integer,
    Boolean,
    Time(Moments),
    /// Base64 of a decimal, with so many digits behind its point.
    Decimal(usize),
    /// JSON that stands in a text.
    JsonText,
    /// The same, and a record in which it does not read is refused whole.
    Json,
    /// A truth value by words of the mapping.
    Words(Words),
    /// A list of the parts of a text.
    Split(String),
    /// A list, of one element where it was none.
    List,
    /// `{"lat": …, "lon": …}`.
    Geo,
}

/// What is true and what is false, in small letters.
#[derive(Clone, Debug, Default)]
pub struct Words {
    yes: Vec<String>,
    no: Vec<String>,
}

impl Words {
    /// The usual words where one of the lists is missing.
    pub fn of(yes: Option<Vec<String>>, no: Option<Vec<String>>) -> Self {
        let usual = |words: [&str; 5]| words.map(str::to_owned).to_vec();
        let small = |words: Vec<String>| {
            words
                .iter()
                .map(|word| word.trim().to_lowercase())
                .collect()
        };
        Self {
            yes: small(yes.unwrap_or_else(|| usual(YES))),
            no: small(no.unwrap_or_else(|| usual(NO))),
        }
    }

    fn read(&self, value: &Value) -> Option<bool> {
        let text = match value {
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_lowercase(),
            _ => return None,
        };
        let is_one = |words: &[String]| words.contains(&text);
        is_one(&self.yes)
            .then_some(true)
            .or_else(|| is_one(&self.no).then_some(false))
    }
}

const YES: [&str; 5] = ["true", "t", "yes", "y", "1"];
const NO: [&str; 5] = ["false", "f", "no", "n", "0"];

impl Kind {
    /// The name in mappings and warnings.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean | Self::Words(_) => "boolean",
            Self::Json => "json",
            Self::Time(_) => "time",
            Self::Decimal(_) => "decimal",
            Self::JsonText => "json_text",
            Self::List | Self::Split(_) => "list",
            Self::Geo => "geo",
        }
    }

    /// The value as this type; `None` where it does not convert. `null` stays.
    pub fn convert(&self, value: Value, depth: usize) -> Option<Value> {
        match (self, value) {
            (_, Value::Null) => Some(Value::Null),
            (Self::List, Value::Array(elements)) => Some(Value::Array(elements)),
            (Self::List, value) => Some(Value::Array(vec![value])),
            (Self::Geo, value) => geo(&value),
            (Self::Split(split), Value::String(text)) => Some(parts(&text, split)),
            (Self::Split(_), Value::Array(elements)) => Some(Value::Array(elements)),
            (Self::Split(_), value) => Some(Value::Array(vec![value])),
            (Self::JsonText | Self::Json, value) => json_text(value, depth),
            (_, Value::Array(elements)) => {
                let elements = elements.into_iter();
                let converted = elements.map(|element| self.convert(element, depth));
                converted.collect::<Option<_>>().map(Value::Array)
            }
            (_, value) => self.scalar(value),
        }
    }

    fn scalar(&self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::Text, Value::String(text)) => Some(Value::String(text)),
            (Self::Text, Value::Number(number)) => Some(Value::String(number.to_string())),
            (Self::Text, Value::Bool(flag)) => Some(Value::String(flag.to_string())),
            (Self::Number, value) => number_of(value).map(Value::Number),
            (Self::Integer, value) => number::integer(&number_of(value)?).map(Value::Number),
            (Self::Boolean, value) => boolean(&value).map(Value::Bool),
            (Self::Words(words), value) => words.read(&value).map(Value::Bool),
            (Self::Time(moments), value) => {
                let at = moments.read(&value)?;
                Some(Value::String(at.to_string()))
            }
            // The schema that came with the record has made it a number already.
            (Self::Decimal(_), Value::Number(number)) => Some(Value::Number(number)),
            (Self::Decimal(scale), Value::String(text)) => number::of_decimal(&text, *scale),
            _ => None,
        }
    }
}

fn parts(text: &str, split: &str) -> Value {
    let parts = text.split(split).map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(Value::from).collect()
}

fn number_of(value: Value) -> Option<serde_json::Number> {
    match value {
        Value::Number(number) => Some(number),
        Value::String(text) => number::of_text(&text),
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<bool> {
    let text = match value {
        Value::Bool(flag) => return Some(*flag),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_lowercase(),
        _ => return None,
    };
    match text.as_str() {
        word if YES.contains(&word) => Some(true),
        word if NO.contains(&word) => Some(false),
        _ => None,
    }
}

fn json_text(value: Value, depth: usize) -> Option<Value> {
    match value {
        Value::String(text) => text::nested(&text, depth).map(extended::plain),
        other => Some(other),
    }
}

/// `"lat,lon"`, but `[lon, lat]` and `POINT (lon lat)`: that is how the legacy stores have it.
fn geo(value: &Value) -> Option<Value> {
    let (lat, lon) = match value {
        Value::String(text) => match text.trim().strip_prefix("POINT") {
            Some(rest) => {
                let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?.trim();
                let (lon, lat) = inner.split_once(' ')?;
                (lat.trim().to_owned(), lon.trim().to_owned())
            }
            None => {
                let (lat, lon) = text.split_once(',')?;
                (lat.trim().to_owned(), lon.trim().to_owned())
            }
        },
        Value::Array(pair) if pair.len() >= 2 => (spelled(&pair[1])?, spelled(&pair[0])?),
        Value::Object(members) => {
            let member = |names: [&str; 2]| names.into_iter().find_map(|name| members.get(name));
            let lat = member(["lat", "latitude"])?;
            let lon = member(["lon", "longitude"]).or_else(|| members.get("lng"))?;
            (spelled(lat)?, spelled(lon)?)
        }
        _ => return None,
    };
    Some(json!({"lat": number::of_text(&lat)?, "lon": number::of_text(&lon)?}))
}

fn spelled(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}
