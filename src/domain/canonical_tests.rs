//! The canonical spelling, held against a model of JSON that no library of ours reads.

use super::super::Json;
use super::super::mend::clean;
use super::super::stamped::Stamped;
use super::super::{Mode, Stamp, TraitWrite};
use crate::domain::profile::Traits;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Any JSON, numbers plain.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Any {
    Plain(&'static str),
    Text(String),
    List(Vec<Any>),
    Object(BTreeMap<String, Any>),
}

/// Names that mean something to somebody.
const KEYS: [&str; 7] = [
    "$serde_json::private::Number",
    "$serde_json::private::RawValue",
    "$serde_json::private::",
    "$__toml_private_datetime",
    "$set",
    "a",
    "",
];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(&KEYS[..]).prop_map(str::to_owned),
        1 => proptest::sample::select(&["1", "{}", "null", "[1]"][..]).prop_map(str::to_owned),
        2 => "[a-c\"\\\\\u{1}\u{e9}/ ]{0,3}",
    ]
}

fn any_json() -> impl Strategy<Value = Any> {
    const PLAIN: [&str; 9] = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "1.0",
        "-7",
        "1.50",
        "9007199254740993",
    ];
    let leaf = prop_oneof![
        proptest::sample::select(&PLAIN[..]).prop_map(Any::Plain),
        any_text().prop_map(Any::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Any::List),
            2 => proptest::collection::btree_map(any_text(), inner, 0..4).prop_map(Any::Object),
        ]
    })
}

impl Any {
    /// One of its many spellings: `style` chooses the order of keys, spaces and escapes.
    fn written(&self, style: u8) -> String {
        let space = if style & 1 == 0 { "" } else { " \n" };
        let joined = |parts: Vec<String>| parts.join(&format!("{space},{space}"));
        match self {
            Self::Plain(text) => (*text).to_owned(),
            Self::Text(text) => written_text(text, style),
            Self::List(list) => {
                let parts = list.iter().map(|any| any.written(style)).collect();
                format!("[{space}{}{space}]", joined(parts))
            }
            Self::Object(members) => {
                let member = |(key, any): (&String, &Self)| {
                    let key = written_text(key, style);
                    format!("{key}{space}:{}", any.written(style))
                };
                let mut parts: Vec<String> = members.iter().map(member).collect();
                if style & 2 != 0 {
                    parts.reverse();
                }
                format!("{{{}}}", joined(parts))
            }
        }
    }
}

fn written_text(text: &str, style: u8) -> String {
    let escaped = |unit: u16| format!("\\u{unit:04x}");
    let plain = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        '\u{0}'..='\u{1f}' => escaped(character as u16),
        other => other.to_string(),
    };
    let all: String = if style & 4 == 0 {
        text.chars().map(plain).collect()
    } else {
        text.encode_utf16().map(escaped).collect()
    };
    format!("\"{all}\"")
}

fn json(text: &str) -> Json {
    Json::from_database(text.to_owned())
}

/// As a road lets it in.
fn cleaned(text: &str) -> String {
    let clean = clean(Bytes::copy_from_slice(text.as_bytes()));
    String::from_utf8(clean.to_vec()).expect("text stays text")
}

fn merged(writes: [&TraitWrite; 2]) -> String {
    let mut traits = Traits::default();
    for write in writes {
        traits.merge(write);
    }
    traits.to_stored().0.canonical()
}

#[test]
fn no_key_of_a_sender_means_something_to_our_library() {
    for key in &KEYS[..2] {
        let object = json(&format!(r#"{{"{key}":"1"}}"#));
        assert_ne!(object.canonical(), json("1").canonical(), "{key}");
        let escaped = format!(r#"{{"\u0024{}":"1"}}"#, &key[1..]);
        let mended = format!(r#"{{"\ufffd{}":"1"}}"#, &key[1..]);
        for text in [&*format!(r#"{{"{key}" : "1"}}"#), &escaped] {
            let value: serde_json::Value = serde_json::from_str(&cleaned(text)).expect("JSON");
            assert_eq!(
                value,
                serde_json::from_str::<serde_json::Value>(&mended).expect("JSON")
            );
        }
        let value = format!(r#"["{key}",{{"a":"{key}"}}]"#);
        assert_eq!(cleaned(&value), value, "as a value it means nothing");
    }
}

#[test]
fn what_nests_deeper_than_our_library_reads_is_spelled_as_it_is() {
    let deep = format!("{}{}", "[ ".repeat(200), "]".repeat(200));
    assert_eq!(json(&deep).canonical(), deep);
}

proptest! {
    #[test]
    fn laws_equal_values_are_spelled_alike_and_others_are_not(one in any_json(), other in any_json(), style in 0..8_u8) {
        let spelled = |any: &Any, style| json(&any.written(style)).canonical();
        prop_assert_eq!(spelled(&one, 0), spelled(&one, style));
        prop_assert_eq!(one == other, spelled(&one, style) == spelled(&other, 0));
        let again = json(&spelled(&one, style)).canonical();
        prop_assert_eq!(again, spelled(&one, 0));
    }

    #[test]
    fn laws_of_two_values_of_one_time_the_same_wins_in_either_order(one in any_json(), other in any_json(), style in 0..8_u8) {
        let at = Stamp::live(7);
        let write = |any: &Any, style| TraitWrite {
            stamp: at,
            mode: Mode::Single,
            traits: vec![("x".to_owned(), json(&any.written(style)))],
            times: BTreeMap::new(),
        };
        let (first, second) = (write(&one, style), write(&other, 0));
        prop_assert_eq!(merged([&first, &second]), merged([&second, &first]));
        let stamped = |any: &Any| Stamped { at, value: json(&any.written(0)) };
        let (first, second) = (stamped(&one), stamped(&other));
        prop_assert_eq!(first.beats(&second) || second.beats(&first), one != other);
    }

    #[test]
    fn laws_what_is_let_in_is_read_alike_by_our_library_and_by_its_spelling(any in any_json(), style in 0..8_u8) {
        let text = cleaned(&any.written(style));
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(json(&value.to_string()).canonical(), json(&text).canonical());
        prop_assert_eq!(cleaned(&text), text);
    }
}
