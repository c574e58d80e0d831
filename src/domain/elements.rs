//! Lists that are kept element by element, so that two who add to one at once both have added: a write of single elements beside
//! writes of the whole list.
//!
//! Such a write is an object whose keys stand for elements, whole numbers: a control character that no sender's name begins with, and the
//! number; true puts it in, false takes it out. To the merge these are keys below a trait like any others (`stamped.rs`), so every law of
//! the merge holds. What is read is the list.

use super::Json;
use super::stamped::{Stamped, Trait};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The trait that tells in which static lists somebody is.
pub const LISTS: &str = "emailListIds";

/// The trait that tells, by their tokens, which devices somebody has.
pub const DEVICES: &str = "devices";

/// Devices of one person, and browsers: as many as Iterable's API takes.
pub const MOST_DEVICES: usize = 500;

/// Begins the keys.
const MARK: char = '\u{1f}';
/// The same as JSON writes it, at the beginning of an object.
const BEGINNING: &[u8] = b"{\"\\u001f";
/// Elements of a whole list beside which single ones are kept; a profile has no room for more.
const MOST: usize = 100_000;
/// Digits of an element.
const LONGEST_NUMBER: usize = 10;

/// The value of a write that puts elements into a list, or takes them out.
pub fn elements<'e>(changes: impl IntoIterator<Item = (&'e Json, bool)>) -> Json {
    let key = |(element, is_in): (&Json, bool)| (key_of(element), Json::of(&is_in));
    Json::from_members(&changes.into_iter().map(key).collect())
}

fn key_of(element: &Json) -> String {
    format!("{MARK}{}", element.canonical())
}

/// True of keys that stand for whole numbers, as JSON writes them: a key that somebody sent may go on with anything, and what is behind
/// the mark becomes part of a stored text.
fn is_key(key: &str) -> bool {
    key.strip_prefix(MARK).is_some_and(|number| {
        let digits = 1..=LONGEST_NUMBER;
        digits.contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && (number == "0" || !number.starts_with('0'))
    })
}

/// True of what `elements` makes.
pub(super) fn are_elements(value: &Json) -> bool {
    value.as_bytes().starts_with(BEGINNING)
        && value
            .members()
            .is_some_and(|members| members.keys().all(|key| is_key(key)))
}

/// A change of elements as the list of those that it is about, so that it is of the type of the whole; any other value as it is.
pub(super) fn as_whole(value: &Json) -> Cow<'_, Json> {
    if !are_elements(value) {
        return Cow::Borrowed(value);
    }
    let members = value.members().unwrap_or_default();
    let numbers: Vec<&str> = members
        .keys()
        .filter_map(|key| key.strip_prefix(MARK))
        .collect();
    Cow::Owned(Json::from_database(format!("[{}]", numbers.join(","))))
}

impl Trait {
    /// True of a list of which single elements were written since it was written whole.
    pub(super) fn is_list(&self) -> bool {
        self.below.keys().any(|key| is_key(key))
    }

    /// The list: the elements of the whole that nobody took out since, then those that were put in.
    pub(super) fn list(&self) -> Json {
        let whole = self.whole.value.elements(MOST);
        let known: BTreeSet<String> = whole.iter().map(key_of).collect();
        let is_out = |element: &Json| is_said(&self.below, &key_of(element), false);
        let mut list: Vec<String> = whole
            .iter()
            .filter(|element| !is_out(element))
            .map(|element| element.as_str().to_owned())
            .collect();
        let mut more: Vec<&str> = self
            .below
            .keys()
            .filter(|key| !known.contains(*key) && is_said(&self.below, key, true))
            .filter_map(|key| key.strip_prefix(MARK))
            .collect();
        // Numbers in their order.
        more.sort_by_key(|element| (element.len(), *element));
        list.extend(more.into_iter().map(str::to_owned));
        Json::from_database(format!("[{}]", list.join(",")))
    }
}

fn is_said(below: &BTreeMap<String, Stamped>, key: &str, is_in: bool) -> bool {
    let word = if is_in { "true" } else { "false" };
    is_key(key)
        && below
            .get(key)
            .is_some_and(|said| said.value.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::super::profile::Traits;
    use super::super::profile::tests::{merged, whole};
    use super::*;
    use crate::domain::{FieldType, TraitWrite};

    fn change(at: i64, changes: &[(i32, bool)]) -> TraitWrite {
        let numbers: Vec<(Json, bool)> = changes
            .iter()
            .map(|(number, is_in)| (Json::of(number), *is_in))
            .collect();
        let value = elements(numbers.iter().map(|(number, is_in)| (number, *is_in)));
        whole(at, &[("lists", value.as_str())])
    }

    fn read(writes: &[TraitWrite]) -> String {
        let (traits, stamps) = merged(writes).to_stored();
        let again = Traits::from_stored(&traits, &stamps).expect("own text");
        assert_eq!(again, merged(writes));
        traits.as_str().to_owned()
    }

    #[test]
    fn whoever_adds_at_once_has_added_and_a_whole_list_ends_what_is_older() {
        let writes = [
            whole(1, &[("lists", "[3,1]")]),
            change(2, &[(10, true), (9, true)]),
            change(2, &[(3, false), (1, true)]),
        ];
        assert_eq!(read(&writes), r#"{"lists":[1,9,10]}"#);
        let later = [&writes[..], &[whole(3, &[("lists", "[5]")])]].concat();
        assert_eq!(read(&later), r#"{"lists":[5]}"#);
        let between = [&writes[1..], &[whole(1, &[("lists", "[7]")])]].concat();
        assert_eq!(read(&between), r#"{"lists":[7,1,9,10]}"#);
    }

    #[test]
    fn who_left_all_lists_has_an_empty_one() {
        let writes = [change(1, &[(1, true)]), change(2, &[(1, false)])];
        assert_eq!(read(&writes), r#"{"lists":[]}"#);
    }

    #[test]
    fn a_version_that_knows_no_elements_sees_a_list() {
        let writes = [
            whole(1, &[("lists", "[3]")]),
            change(2, &[(1, true), (3, false)]),
        ];
        let (traits, stamps) = merged(&writes).to_stored();
        let mut stamps: serde_json::Value = serde_json::from_str(stamps.as_str()).expect("JSON");
        assert!(stamps.get("nested").is_none(), "{stamps}");
        assert!(
            stamps
                .as_object_mut()
                .expect("an object")
                .remove("lists")
                .is_some()
        );
        let mut known = Traits::from_stored(&traits, &Json::of(&stamps)).expect("its text");
        assert_eq!(known.to_stored().0.as_str(), r#"{"lists":[1]}"#);
        known.merge(&change(3, &[(4, true)]));
        assert_eq!(known.to_stored().0.as_str(), r#"{"lists":[1,4]}"#);
    }

    #[test]
    fn a_change_is_of_the_type_of_the_list() {
        let value = elements([(&Json::of(&7), true), (&Json::of(&8), false)]);
        assert_eq!(as_whole(&value).as_str(), "[7,8]");
        let type_of = |value: &Json| FieldType::of("lists", &as_whole(value));
        assert_eq!(type_of(&value), type_of(&Json::of(&[7])));
        let object = Json::from_database(r#"{"a":1}"#.to_owned());
        assert_eq!(*as_whole(&object), object);
    }

    #[test]
    fn an_ordinary_object_is_none() {
        for text in [
            r#"{"a":1}"#,
            "[1]",
            "{}",
            r#"{"\u001f1":true,"a":1}"#,
            r#"{"\u001f}{":true}"#,
            r#"{"\u001f01":true}"#,
            r#"{"\u001f":true}"#,
            r#"{"\u001f12345678901":true}"#,
        ] {
            assert!(
                !are_elements(&Json::from_database(text.to_owned())),
                "{text}"
            );
        }
    }
}
