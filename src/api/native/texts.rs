//! A list of texts in a body, of which no more are held than may be: a body of some kilobytes can name millions.

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::fmt;

/// The first texts of a list, and how many there are.
#[derive(Debug, PartialEq, Eq)]
pub struct Texts<const MOST: usize> {
    pub first: Vec<String>,
    pub count: usize,
}

impl<'de, const MOST: usize> Deserialize<'de> for Texts<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Reader::<MOST>)
    }
}

struct Reader<const MOST: usize>;

impl<'de, const MOST: usize> Visitor<'de> for Reader<MOST> {
    type Value = Texts<MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut first = Vec::new();
        while first.len() < MOST
            && let Some(text) = list.next_element()?
        {
            first.push(text);
        }
        let mut count = first.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Texts { first, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_texts_are_held_than_may_be_and_all_are_counted() {
        let read = |list: &str| serde_json::from_str::<Texts<2>>(list).ok();
        let texts = |first: &[&str], count| {
            let first = first.iter().map(|text| (*text).to_owned()).collect();
            Some(Texts { first, count })
        };
        assert_eq!(read(r#"["a","b"]"#), texts(&["a", "b"], 2));
        assert_eq!(read(r#"["a","b","",{}]"#), texts(&["a", "b"], 4));
        assert_eq!(
            [read("[7]"), read(r#""a""#), read(r#"["a","b","#)],
            [None, None, None]
        );
    }
}
