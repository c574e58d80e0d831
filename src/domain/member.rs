//! Members of an object and the first elements of a list, found without building the others: there may be a million.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The values of the last members of these names; `None` where there is none, or no object.
pub(super) fn named<'a, const N: usize>(
    object: &'a [u8],
    names: [&str; N],
) -> [Option<&'a RawValue>; N] {
    // Most objects have none of them, and a search for the bytes is all they cost. Escapes could spell them otherwise.
    let is_there = |name: &&str| memchr::memmem::find(object, name.as_bytes()).is_some();
    if !names.iter().any(is_there) && memchr::memchr(b'\\', object).is_none() {
        return [None; N];
    }
    let mut reader = serde_json::Deserializer::from_slice(object);
    let found = reader.deserialize_map(Finder { names });
    found.unwrap_or([None; N])
}

/// Hands out each member of an object as it stands there; `None` where it is no object.
pub(super) fn each<'a>(object: &'a [u8], take: impl FnMut(String, &'a RawValue)) -> Option<()> {
    let mut reader = serde_json::Deserializer::from_slice(object);
    reader.deserialize_map(Each { take }).ok()
}

/// The text of an object with each member as `edit` says, and without those for which it says nothing; `None` where it is no object.
/// Nothing is built of it, however many members there are.
pub fn edited<'a>(
    object: &'a str,
    mut edit: impl FnMut(&str, &'a str) -> Option<Cow<'a, str>>,
) -> Option<String> {
    let mut text = b"{".to_vec();
    each(object.as_bytes(), |name, raw| {
        if let Some(value) = edit(&name, raw.get()) {
            put(&mut text, &name, value.as_bytes());
        }
    })?;
    text.push(b'}');
    String::from_utf8(text).ok()
}

/// Writes one more member of an object that is begun; its value is JSON already.
pub(super) fn put(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    if text.len() > 1 {
        text.push(b',');
    }
    serde_json::to_writer(&mut *text, name).expect("a text always serialises");
    text.push(b':');
    text.extend_from_slice(value);
}

/// The first elements of a list, at most so many; none where it is no list.
pub(super) fn elements(list: &[u8], most: usize) -> Vec<&RawValue> {
    let mut reader = serde_json::Deserializer::from_slice(list);
    reader.deserialize_seq(First { most }).unwrap_or_default()
}

/// The members whose names come first in their order.
#[derive(Default)]
pub(super) struct FirstMembers<'a> {
    pub members: BTreeMap<String, &'a RawValue>,
    /// How many others there are.
    pub others: usize,
    /// The names of a few of them.
    pub some: Vec<String>,
}

/// The first members of an object, at most so many, and at most `few` names of the others; `None` where it is no object. Of equal
/// names the last counts.
pub(super) fn first_members(object: &[u8], most: usize, few: usize) -> Option<FirstMembers<'_>> {
    let mut reader = serde_json::Deserializer::from_slice(object);
    reader.deserialize_map(Sorter { most, few }).ok()
}

struct Each<F> {
    take: F,
}

impl<'de, F: FnMut(String, &'de RawValue)> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry()? {
            (self.take)(name, value);
        }
        Ok(())
    }
}

struct Sorter {
    most: usize,
    few: usize,
}

impl<'de> Visitor<'de> for Sorter {
    type Value = FirstMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = FirstMembers::default();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            found.members.insert(name, value);
            if found.members.len() > self.most
                && let Some((name, _)) = found.members.pop_last()
            {
                found.others += 1;
                if found.some.len() < self.few {
                    found.some.push(name);
                }
            }
        }
        Ok(found)
    }
}

struct First {
    most: usize,
}

impl<'de> Visitor<'de> for First {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while found.len() < self.most
            && let Some(element) = list.next_element()?
        {
            found.push(element);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

struct Finder<'n, const N: usize> {
    names: [&'n str; N],
}

impl<'de, const N: usize> Visitor<'de> for Finder<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(place) = map.next_key_seed(Place(&self.names))? {
            match place {
                Some(place) => found[place] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Which of some names a key is, without a copy of it.
struct Place<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_elements_are_kept_than_asked_for() {
        let found = |list: &str| elements(list.as_bytes(), 2).len();
        assert_eq!([found("[1,2,3]"), found("[1]"), found("{}")], [2, 1, 0]);
    }

    #[test]
    fn an_object_is_edited_as_it_stands_there() {
        let edit = |name: &str, value| match name {
            "gone" => None,
            "new" => Some(Cow::Borrowed("7")),
            _ => Some(Cow::Borrowed(value)),
        };
        let of = |object| edited(object, edit);
        let object = r#"{ "gone":1, "\u0061": [1.50, {}], "new": {"gone":1} }"#;
        assert_eq!(of(object).as_deref(), Some(r#"{"a":[1.50, {}],"new":7}"#));
        assert_eq!(of(r#"{"gone":[]}"#).as_deref(), Some("{}"));
        assert_eq!([of("[1]"), of("7"), of("{")], [None, None, None]);
    }

    #[test]
    fn of_many_members_the_first_by_name_are_kept_whatever_their_order() {
        let found = first_members(br#"{"c":3,"a":1,"d":4,"b":0,"b":2}"#, 2, 1).expect("an object");
        let kept: Vec<(&str, &str)> = found
            .members
            .iter()
            .map(|(name, value)| (name.as_str(), value.get()))
            .collect();
        assert_eq!(kept, [("a", "1"), ("b", "2")]);
        assert_eq!((found.others, found.some.len()), (2, 1));
        assert!(first_members(b"[]", 2, 1).is_none());
    }

    #[test]
    fn the_last_of_equal_keys_counts_however_it_is_spelled() {
        let cases = [
            (r#"{"a":1,"b":{"a":2},"a":[3]}"#, Some("[3]")),
            (r#"{"\u0061":4}"#, Some("4")),
            (r#"{"b":"a"}"#, None),
            (r#"["a"]"#, None),
            ("7", None),
        ];
        for (object, expected) in cases {
            let [none, found] = named(object.as_bytes(), ["none", "a"]);
            assert_eq!(found.map(RawValue::get), expected, "{object}");
            assert!(none.is_none());
        }
    }
}
