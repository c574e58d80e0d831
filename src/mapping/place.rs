//! Where a record has something: JSON pointers (RFC 6901) into its row, its whole value, its key, and the names of headers.

use serde_json::{Map, Value};
use std::fmt;

/// Names of a pointer: more than any value has levels. What is put somewhere deeper could not be walked.
const MOST_NAMES: usize = 128;

/// A JSON pointer, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

/// A place of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `/a/b`: in the row that an envelope carries, or in the value where there is no envelope.
    Row(Pointer),
    /// `record:/a/b`: in the value as it came, envelope and all.
    Record(Pointer),
    /// `key:` or `key:/a/b`.
    Key(Pointer),
    /// `header:NAME`.
    Header(String),
}

/// What places are looked up in.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub row: &'a Value,
    pub record: &'a Value,
    pub key: Option<&'a Value>,
    pub headers: &'a [(String, Vec<u8>)],
}

impl Pointer {
    /// Reads a pointer; `None` where it is none, or leads deeper than anything stands.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        if text.split('/').count() > MOST_NAMES + 1 {
            return None;
        }
        let tokens = text.strip_prefix('/')?.split('/').map(unescaped);
        tokens.collect::<Option<_>>().map(Self)
    }

    /// A trait by its name, or by a pointer to what lies within one.
    pub fn of_trait(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return Self::parse(text);
        }
        Some(Self(vec![text.to_owned()]))
    }

    /// The first name on the way.
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// What stands there.
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, token| match value {
            Value::Object(members) => members.get(token),
            Value::Array(elements) => elements.get(index(token)?),
            _ => None,
        })
    }

    /// What stands there, to be changed.
    pub fn find_mut<'v>(&self, value: &'v mut Value) -> Option<&'v mut Value> {
        self.0.iter().try_fold(value, |value, token| match value {
            Value::Object(members) => members.get_mut(token),
            Value::Array(elements) => elements.get_mut(index(token)?),
            _ => None,
        })
    }

    /// Takes a member of an object away.
    pub fn take(&self, value: &mut Value) -> Option<Value> {
        let (last, way) = self.0.split_last()?;
        let parent = Self(way.to_vec());
        parent.find_mut(value)?.as_object_mut()?.remove(last)
    }

    /// Puts a value into what is there already; false where that is no object.
    pub fn put_within(&self, root: &mut Value, value: Value) -> bool {
        let Some((last, way)) = self.0.split_last() else {
            return false;
        };
        let parent = Self(way.to_vec());
        let members = parent.find_mut(root).and_then(Value::as_object_mut);
        members
            .map(|members| members.insert(last.clone(), value))
            .is_some()
    }

    /// Puts a value there, if nothing is.
    pub fn put_new(&self, root: &mut Value, value: Value) {
        if self.find(root).is_none() {
            self.put(root, value);
        }
    }

    /// Puts a value there; false where something that is no object stands in the way.
    pub fn put(&self, root: &mut Value, value: Value) -> bool {
        let mut at = root;
        for token in &self.0 {
            let Some(members) = at.as_object_mut() else {
                return false;
            };
            let empty = || Value::Object(Map::new());
            at = members.entry(token.clone()).or_insert_with(empty);
        }
        *at = value;
        true
    }
}

/// A place of a list, without leading zeros.
fn index(token: &str) -> Option<usize> {
    let is_plain = token == "0" || !token.starts_with(['0', '+']);
    is_plain.then(|| token.parse().ok())?
}

fn unescaped(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let rest = part.strip_prefix('0').map(|rest| ('~', rest));
        let (character, rest) = rest.or_else(|| Some(('/', part.strip_prefix('1')?)))?;
        text.push(character);
        text.push_str(rest);
    }
    Some(text)
}

impl Place {
    /// Reads a place.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pointer = |text: &str| {
            let complaint = || {
                format!(
                    "{text:?} is no JSON pointer: it begins with /, ~ is only in ~0 and ~1, and it has at most {MOST_NAMES} names"
                )
            };
            Pointer::parse(text).ok_or_else(complaint)
        };
        if let Some(name) = text.strip_prefix("header:") {
            let complaint = || "header: needs the header's name".to_owned();
            return (!name.is_empty())
                .then(|| Self::Header(name.to_owned()))
                .ok_or_else(complaint);
        }
        if let Some(rest) = text.strip_prefix("key:") {
            return pointer(rest).map(Self::Key);
        }
        if let Some(rest) = text.strip_prefix("record:") {
            return pointer(rest).map(Self::Record);
        }
        pointer(text).map(Self::Row)
    }

    /// What stands there.
    pub fn find(&self, view: View<'_>) -> Option<Value> {
        match self {
            Self::Row(pointer) => pointer.find(view.row).cloned(),
            Self::Record(pointer) => pointer.find(view.record).cloned(),
            Self::Key(pointer) => pointer.find(view.key?).cloned(),
            Self::Header(name) => header(view.headers, name).map(Value::String),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(pointer) => write!(f, "{pointer}"),
            Self::Record(pointer) => write!(f, "record:{pointer}"),
            Self::Key(pointer) => write!(f, "key:{pointer}"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.0 {
            write!(f, "/{}", token.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

/// About as many bytes as a value has when it is written.
pub fn text_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => 2 + text.len(),
        Value::Array(elements) => {
            2 + elements
                .iter()
                .map(|own| 1 + text_bytes(own))
                .sum::<usize>()
        }
        Value::Object(members) => {
            let members = members.iter();
            2 + members
                .map(|(name, own)| 4 + name.len() + text_bytes(own))
                .sum::<usize>()
        }
    }
}

/// The text of the last header of a name; a NUL in it is replaced, as anywhere.
pub fn header(headers: &[(String, Vec<u8>)], name: &str) -> Option<String> {
    let (_, value) = headers.iter().rfind(|(own, _)| own == name)?;
    let text = std::str::from_utf8(value).ok()?;
    Some(text.replace('\0', "\u{FFFD}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pointers_follow_the_standard() {
        let value = json!({"a": {"b/c": [1, {"~": 2}]}, "": 3, "01": 4});
        for (text, found) in [
            ("/a/b~1c/0", Some(json!(1))),
            ("/a/b~1c/1/~0", Some(json!(2))),
            ("/", Some(json!(3))),
            ("/01", Some(json!(4))),
            ("/a/b~1c/00", None),
            ("/a/b~1c/-", None),
            ("/x", None),
        ] {
            let pointer = Pointer::parse(text).expect(text);
            assert_eq!(pointer.find(&value).cloned(), found, "{text}");
            assert_eq!(pointer.to_string(), text);
        }
        assert_eq!(Pointer::parse("a"), None);
        assert_eq!(Pointer::parse("/a~2"), None);
        assert_eq!(Pointer::parse("/a~"), None);
        assert!(Pointer::parse(&"/a".repeat(MOST_NAMES)).is_some());
        assert_eq!(Pointer::parse(&"/a".repeat(MOST_NAMES + 1)), None);
    }
}
