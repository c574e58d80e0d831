//! From the bytes of a body to the calls in it, each field still as it stands there.
//!
//! One pass, nothing copied, nothing built that nobody asked for: fields are borrowed as raw JSON, unknown ones are skipped
//! (without recursion, so that no depth of nesting matters), and of equal keys the last one counts. A call can't be wrong
//! here: what its fields hold is judged later, so that one bad call costs its neighbours nothing.

use crate::api::error::ApiError;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use std::fmt;

/// A field as it stands in the body.
pub type Raw<'a> = Option<&'a RawValue>;

/// Skips a value that has another shape than the one looked for.
macro_rules! other_shapes {
    ($value:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

/// A value of the shape looked for, or `None` for a value of any other shape.
struct Found<T>(Option<T>);

/// Declares a struct of raw fields and how it is read.
macro_rules! raw_fields {
    ($(#[$about:meta])* $name:ident { $($key:literal => $field:ident),* $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name<'a> { $(pub $field: Raw<'a>),* }

        impl<'de> Deserialize<'de> for Found<$name<'de>> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[expect(non_camel_case_types, reason = "named after the fields")]
                enum Key { $($field,)* other }

                impl<'de> Deserialize<'de> for Key {
                    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                        deserializer.deserialize_str(KeyVisitor)
                    }
                }

                struct KeyVisitor;

                impl Visitor<'_> for KeyVisitor {
                    type Value = Key;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a key")
                    }

                    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                        Ok(match key { $($key => Key::$field,)* _ => Key::other })
                    }
                }

                struct FieldsVisitor;

                impl<'de> Visitor<'de> for FieldsVisitor {
                    type Value = Option<$name<'de>>;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut fields = $name::default();
                        while let Some(key) = map.next_key()? {
                            match key {
                                $(Key::$field => fields.$field = Some(map.next_value()?),)*
                                Key::other => { map.next_value::<IgnoredAny>()?; }
                            }
                        }
                        Ok(Some(fields))
                    }

                    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                        while list.next_element::<IgnoredAny>()?.is_some() {}
                        Ok(None)
                    }

                    other_shapes!(None);
                }

                deserializer.deserialize_any(FieldsVisitor).map(Found)
            }
        }
    };
}

raw_fields! {
    /// One call: the fields that are read, in the spelling of Segment's spec.
    Call {
        "type" => call_type,
        "messageId" => message_id,
        "userId" => user_id,
        "anonymousId" => anonymous_id,
        "groupId" => group_id,
        "previousId" => previous_id,
        "mergeProperties" => merge_properties,
        "event" => event,
        "name" => name,
        "category" => category,
        "properties" => properties,
        "traits" => traits,
        "context" => context,
        "timestamp" => timestamp,
        "originalTimestamp" => original_timestamp,
        "createdAt" => created_at,
        "sentAt" => sent_at,
        "writeKey" => write_key,
    }
}

raw_fields! {
    /// What surrounds the calls of a batch. Its `timestamp` is the time of sending and never used (gotcha 14).
    Envelope {
        "batch" => batch,
        "context" => context,
        "sentAt" => sent_at,
        "writeKey" => write_key,
    }
}

/// A batch with its calls, read in one pass.
#[derive(Default)]
pub struct Batch<'a> {
    /// What every call's context gets where it lacks it.
    pub context: Raw<'a>,
    /// When the batch was sent, for calls that don't say.
    pub sent_at: Raw<'a>,
    /// The calls; `None` stands for one that is no object.
    pub calls: Vec<Option<Call<'a>>>,
}

/// Calls up to a limit, and how many there are in truth.
struct Calls<'a> {
    calls: Vec<Option<Call<'a>>>,
    count: usize,
}

/// Reads a list of calls; `None` where the value is no list.
#[derive(Clone, Copy)]
struct CallsReader {
    limit: usize,
}

impl<'de> DeserializeSeed<'de> for CallsReader {
    type Value = Option<Calls<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CallsReader {
    type Value = Option<Calls<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut calls = Vec::new();
        while calls.len() < self.limit {
            match list.next_element::<Found<Call<'de>>>()? {
                Some(call) => calls.push(call.0),
                None => break,
            }
        }
        let mut count = calls.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Some(Calls { calls, count }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    other_shapes!(None);
}

/// Reads an object with a list named `batch`.
struct BatchReader<'a> {
    list: CallsReader,
    found: Batch<'a>,
    count: Option<usize>,
}

impl<'de> Visitor<'de> for BatchReader<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "batch" => {
                    let list = map.next_value_seed(self.list)?;
                    self.count = list.as_ref().map(|list| list.count);
                    self.found.calls = list.map(|list| list.calls).unwrap_or_default();
                }
                "context" => self.found.context = Some(map.next_value()?),
                "sentAt" => self.found.sent_at = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(self)
    }
}

/// Reads a body that is one object.
///
/// # Errors
/// `InvalidJson`, or `NotAnObject` where it is other valid JSON.
fn object<'a, T>(text: &'a str) -> Result<T, ApiError>
where
    Found<T>: Deserialize<'a>,
{
    let found: Found<T> = serde_json::from_str(text).map_err(|error| invalid(text, &error))?;
    // A number reads as an object under serde_json's arbitrary precision.
    if text.trim_start().starts_with('{') {
        found.0.ok_or(ApiError::NotAnObject)
    } else {
        Err(ApiError::NotAnObject)
    }
}

/// Reads the one call of a single endpoint.
///
/// # Errors
/// `InvalidJson` or `NotAnObject`.
pub fn single(text: &str) -> Result<Call<'_>, ApiError> {
    object(text)
}

/// Reads a batch and its calls.
///
/// # Errors
/// `InvalidJson`, `NotAnObject`, `MissingBatch` where there is no list of that name, `TooManyItems`.
pub fn batch(text: &str, limit: usize) -> Result<Batch<'_>, ApiError> {
    if !text.trim_start().starts_with('{') {
        // Tells what is wrong with it.
        object::<Envelope<'_>>(text)?;
    }
    let reader = BatchReader {
        list: CallsReader { limit },
        found: Batch::default(),
        count: None,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = deserializer
        .deserialize_map(reader)
        .and_then(|read| deserializer.end().map(|()| read))
        .map_err(|error| invalid(text, &error))?;
    match read.count {
        None => Err(ApiError::MissingBatch),
        Some(count) if count > limit => Err(ApiError::TooManyItems { count, limit }),
        Some(_) => Ok(read.found),
    }
}

/// The text of each call of a batch; a second pass, for the few batches with a call that is refused.
pub fn texts_of_calls(text: &str) -> Vec<&RawValue> {
    object::<Envelope<'_>>(text)
        .ok()
        .and_then(|envelope| serde_json::from_str(envelope.batch?.get()).ok())
        .unwrap_or_default()
}

/// The key that a body carries: its own, else that of its first call (gotcha 10).
///
/// # Errors
/// `InvalidJson` or `NotAnObject`: a body that can't be read has no key to find.
pub fn key_of(text: &str) -> Result<Option<String>, ApiError> {
    let envelope: Envelope<'_> = object(text)?;
    let own = envelope.write_key.and_then(key_text);
    Ok(own.or_else(|| {
        first_call(envelope.batch?.get())?
            .write_key
            .and_then(key_text)
    }))
}

/// The first call of a list, without a look at the others.
fn first_call(list: &str) -> Option<Call<'_>> {
    let mut deserializer = serde_json::Deserializer::from_str(list.strip_prefix('[')?);
    Found::<Call<'_>>::deserialize(&mut deserializer).ok()?.0
}

fn key_text(raw: &RawValue) -> Option<String> {
    serde_json::from_str::<String>(raw.get())
        .ok()
        .filter(|key| !key.is_empty())
}

fn invalid(text: &str, error: &serde_json::Error) -> ApiError {
    ApiError::InvalidJson(if text.trim().is_empty() {
        "it is empty".to_owned()
    } else if text.contains('\0') {
        "it must be UTF-8, not UTF-16".to_owned()
    } else {
        error.to_string()
    })
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
