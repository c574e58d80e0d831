//! JSON that nobody needs to look into stays bytes from the socket to the statement.
//!
//! `mend` makes what SDKs really send acceptable and equal on both databases; `check` holds one field against its limits.
//! Facts behind the rules: `contracts/cockroachdb.md` section 3 and `contracts/tracking-api.md` section 7.

use super::mend::clean;
use super::rejection::{Code, Rejection};
use super::tokens::{MAX_NUMBER_DIGITS, Token, count_keys, is_exotic, is_key, next_token};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// One valid, cleaned JSON value, as text. Cheap to clone: it is a view of the request's body.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Bytes);

impl Json {
    /// `{}`.
    pub fn empty_object() -> Self {
        Self(Bytes::from_static(b"{}"))
    }

    /// `null`.
    pub fn null() -> Self {
        Self(Bytes::from_static(b"null"))
    }

    /// Writes a value out.
    pub fn of(value: &impl Serialize) -> Self {
        Self(
            serde_json::to_vec(value)
                .expect("maps with text keys and plain values always serialise")
                .into(),
        )
    }

    /// The part of `body` that `raw` was read from, without a copy. `raw` must borrow from `body`.
    pub fn slice_of(body: &Bytes, raw: &RawValue) -> Self {
        Self(body.slice_ref(raw.get().as_bytes()))
    }

    /// True where it is a part of `body` and holds nothing of its own.
    pub fn is_view_of(&self, body: &Bytes) -> bool {
        body.as_ptr_range().contains(&self.0.as_ptr())
    }

    /// Takes over text that a database gave back.
    pub fn from_database(text: String) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made from text only")
    }

    /// The bytes of the text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For replies that carry the value as it is.
    pub fn to_raw(&self) -> Box<RawValue> {
        RawValue::from_string(self.as_str().to_owned()).expect("checked when it was made")
    }

    /// The members of an object, sorted, the last of equal keys; `None` where it is no object.
    pub fn members(&self) -> Option<BTreeMap<String, Self>> {
        let mut members = BTreeMap::new();
        self.each_member(|name, value| drop(members.insert(name, value)))?;
        Some(members)
    }

    /// Hands out each member of an object as it stands there; `None` where it is no object.
    pub fn each_member(&self, mut take: impl FnMut(String, Self)) -> Option<()> {
        super::member::each(&self.0, |name, raw| {
            take(name, Self::slice_of(&self.0, raw));
        })
    }

    /// The members whose names come first in their order, at most so many; how many others there are, and at most `few` names of those:
    /// of an object with a million members no more is held than is kept.
    pub fn first_members(
        &self,
        most: usize,
        few: usize,
    ) -> Option<(BTreeMap<String, Self>, usize, Vec<String>)> {
        let found = super::member::first_members(&self.0, most, few)?;
        let members = found.members.into_iter();
        let members = members.map(|(key, raw)| (key, Self::slice_of(&self.0, raw)));
        Some((members.collect(), found.others, found.some))
    }

    /// The member of an object by its name; `None` also where it is no object.
    pub fn member(&self, name: &str) -> Option<Self> {
        let [found] = self.named([name]);
        found
    }

    /// The same of several names, by one look at the object.
    pub fn named<const N: usize>(&self, names: [&str; N]) -> [Option<Self>; N] {
        let found = super::member::named(&self.0, names);
        found.map(|raw| raw.map(|raw| Self::slice_of(&self.0, raw)))
    }

    /// The first elements of a list, at most so many; none where it is no list.
    pub fn elements(&self, most: usize) -> Vec<Self> {
        let elements = super::member::elements(&self.0, most).into_iter();
        elements.map(|raw| Self::slice_of(&self.0, raw)).collect()
    }

    /// This object with the members of `base` that it lacks.
    pub fn with_defaults(&self, base: &Self) -> Self {
        match (base.members(), self.members()) {
            (Some(mut merged), Some(own)) => {
                merged.extend(own);
                Self::from_members(&merged)
            }
            _ => self.clone(),
        }
    }

    /// An object of these members. Each is JSON already: it is written as it stands.
    pub fn from_members(members: &BTreeMap<String, Self>) -> Self {
        Self::of_members(members.iter())
    }

    /// The same of members in any order, each name once.
    pub fn of_members<'a>(members: impl Iterator<Item = (&'a String, &'a Self)> + Clone) -> Self {
        let sizes = members
            .clone()
            .map(|(key, value)| key.len() + value.0.len());
        let mut text = Vec::with_capacity(2 + sizes.map(|size| size + 4).sum::<usize>());
        text.push(b'{');
        for (key, value) in members {
            super::member::put(&mut text, key, &value.0);
        }
        text.push(b'}');
        Self(text.into())
    }

    /// The text, where the value is one.
    pub fn as_text(&self) -> Option<String> {
        serde_json::from_slice(&self.0).ok()
    }

    /// What can be an id: a text that is not blank, or a number as `number_text` spells it.
    pub fn as_id(&self) -> Option<String> {
        match self.0.first()? {
            b'-' | b'0'..=b'9' => Some(number_text(self.as_str()).to_owned()),
            _ => self.as_text().filter(|text| !text.trim().is_empty()),
        }
    }

    /// The keys of all objects in it: each has the one colon that stands outside of texts.
    pub fn count_keys(&self) -> usize {
        count_keys(&self.0)
    }

    /// This value with each text in it as `rewrite` says, but for names of members; nothing is built of it.
    pub fn with_texts(&self, rewrite: impl Fn(&str) -> Option<String>) -> Self {
        let bytes = &self.0;
        let (mut at, mut done, mut text) = (0, 0, Vec::with_capacity(bytes.len()));
        while at < bytes.len() {
            let (token, end) = next_token(bytes, at);
            let is_text = matches!(token, Token::Text(_)) && !is_key(&bytes[end..]);
            let own = is_text.then(|| serde_json::from_slice::<String>(&bytes[at..end]).ok());
            if let Some(new) = own.flatten().and_then(|own| rewrite(&own)) {
                text.extend_from_slice(&bytes[done..at]);
                text.extend_from_slice(Self::of(&new).as_bytes());
                done = end;
            }
            at = end;
        }
        text.extend_from_slice(&bytes[done..]);
        Self(text.into())
    }

    /// True for `null`.
    pub fn is_null(&self) -> bool {
        &self.0[..] == b"null"
    }

    /// A spelling that equal values share on every node and both databases: sorted keys, no spaces, plain decimals.
    pub fn canonical(&self) -> String {
        let cleaned = clean(self.0.clone());
        super::canonical::spelled(&cleaned).unwrap_or_else(|| self.as_str().to_owned())
    }

    /// A spelling that values share which say the same: as above, and 1.0 is 1.
    pub fn meant(&self) -> String {
        let cleaned = clean(self.0.clone());
        super::canonical::meant(&cleaned).unwrap_or_else(|| self.as_str().to_owned())
    }

    /// Holds the value against the nesting limit and the databases' common range of numbers; `field` names it in the refusal.
    pub fn check(&self, field: &str, max_depth: usize) -> Result<(), Rejection> {
        let (mut at, mut depth) = (0, 0_usize);
        while at < self.0.len() {
            let (token, end) = next_token(&self.0, at);
            match token {
                Token::Open => depth += 1,
                Token::Close => depth = depth.saturating_sub(1),
                Token::Number => check_number(&self.0[at..end], field)?,
                Token::Text(_) | Token::Word | Token::Other => {}
            }
            if depth > max_depth {
                return Err(Rejection::of(
                    Code::TooDeep,
                    field,
                    format!("nested deeper than the limit of {max_depth} levels"),
                ));
            }
            at = end;
        }
        Ok(())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text of a number as an id: `12345.0` and `12345` are one. Exponents were written out before.
pub fn number_text(digits: &str) -> &str {
    match digits.split_once('.') {
        Some(_) => digits.trim_end_matches('0').trim_end_matches('.'),
        None => digits,
    }
}

fn check_number(digits: &[u8], field: &str) -> Result<(), Rejection> {
    if is_exotic(digits) {
        let message = format!(
            "a number needs more than the limit of {MAX_NUMBER_DIGITS} digits when written out"
        );
        return Err(Rejection::of(Code::NumberTooLarge, field, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn limits_name_the_field() {
        let deep = json(&format!("{}{}", "[".repeat(65), "]".repeat(65)));
        assert_eq!(
            deep.check("properties", 64)
                .map_err(|rejection| rejection.code),
            Err(Code::TooDeep)
        );
        assert_eq!(deep.check("properties", 65), Ok(()));
        assert_eq!(json(r#"{"a":"[[[{{{"}"#).check("properties", 1), Ok(()));
        assert_eq!(
            json("[1e4000]")
                .check("traits", 8)
                .map_err(|rejection| rejection.field),
            Err(Some("traits".into()))
        );
    }

    #[test]
    fn canonical_spelling_ignores_order_spaces_and_exponents() {
        assert_eq!(
            json(r#"{"b": 1E+3, "aa": [1, 2]}"#).canonical(),
            json(r#"{"aa":[1,2],"b":1000}"#).canonical()
        );
        assert_ne!(json("1.0").canonical(), json("1").canonical());
        assert_eq!(
            json(r#"{"b": [1.50, -0.0, 100], "a": 1.0}"#).meant(),
            json(r#"{"a": 1, "b": [1.5, 0, 1E2]}"#).meant()
        );
        assert_ne!(json("10").meant(), json("1").meant());
    }

    #[test]
    fn texts_are_rewritten_wherever_they_stand_and_names_are_not() {
        let longer = |text: &str| (text == "a").then(|| "a\"b".to_owned());
        let rewritten = json(r#"{"a": ["a", {"b" : "\u0061"}, "c", 1.50]} "#).with_texts(longer);
        let expected = r#"{"a": ["a\"b", {"b" : "a\"b"}, "c", 1.50]} "#;
        assert_eq!(rewritten.as_str(), expected);
        assert_eq!(json(r#""a""#).with_texts(longer).as_str(), r#""a\"b""#);
    }

    #[test]
    fn an_id_is_a_text_or_a_number_without_an_empty_fraction() {
        let cases = [
            ("12345.0", Some("12345")),
            ("12345.50", Some("12345.5")),
            ("0.0", Some("0")),
            ("100", Some("100")),
            (r#""12345.0""#, Some("12345.0")),
            (r#"" ""#, None),
            ("true", None),
        ];
        for (text, expected) in cases {
            assert_eq!(json(text).as_id().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn keys_are_counted_at_any_depth_and_not_in_texts() {
        for (text, count) in [
            ("{}", 0),
            (r#"{"a":1,"b":{"c":[{"d":":"}]}}"#, 4),
            (r#"["{\"a\":1}",{"":null}]"#, 1),
        ] {
            assert_eq!(json(text).count_keys(), count, "{text}");
        }
    }
}
