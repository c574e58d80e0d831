//! What an operator allows projects to name: `project = name`, with `*` for any characters in either.

use serde::{Deserialize, Serialize};

/// What may be named, by project. Nothing where it is empty.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(from = "Texts", into = "Vec<String>")]
pub struct Allowed(Vec<String>);

/// A list, or one text with commas, as an environment variable has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl From<Texts> for Allowed {
    fn from(texts: Texts) -> Self {
        let texts = match texts {
            Texts::One(text) => text.split(',').map(str::to_owned).collect(),
            Texts::Many(texts) => texts,
        };
        let texts = texts.into_iter().map(|text| text.trim().to_owned());
        Self(texts.filter(|text| !text.is_empty()).collect())
    }
}

impl From<Allowed> for Vec<String> {
    fn from(allowed: Allowed) -> Self {
        allowed.0
    }
}

impl Allowed {
    /// True where nobody may name anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True where each entry says whose it is.
    pub fn is_usable(&self) -> bool {
        let parts = |text: &String| {
            let parts = text.split_once('=');
            parts.is_some_and(|(one, other)| !one.trim().is_empty() && !other.trim().is_empty())
        };
        self.0.iter().all(parts)
    }

    /// Whether a project may name that.
    pub fn allows(&self, project: &str, name: &str) -> bool {
        let pairs = self.0.iter().filter_map(|text| text.split_once('='));
        let mut pairs = pairs.map(|(whose, what)| (whose.trim(), what.trim()));
        pairs.any(|(whose, what)| fits(whose, project) && fits(what, name))
    }
}

/// Whether a text is what a pattern says. A star takes as little as it can: the parts behind it are looked for from the left.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str) -> Allowed {
        serde_json::from_value(serde_json::json!(text)).expect("one")
    }

    #[test]
    fn each_project_names_what_it_is_allowed_and_no_more() {
        let all = allowed("shop=people, shop = orders-*,*=shared-*-live");
        assert!(all.allows("shop", "people") && all.allows("shop", "orders-2024"));
        assert!(all.allows("news", "shared-eu-live"));
        assert!(!all.allows("news", "people") && !all.allows("shop", "people2"));
        assert!(!all.allows("shop", "my-orders-1") && !all.allows("news", "shared-live"));
        assert!(!Allowed::default().allows("shop", "people"));
    }

    #[test]
    fn a_list_and_a_text_say_the_same_and_an_entry_says_whose_it_is() {
        let list = serde_json::json!(["shop = people", "*=x"]);
        let list: Allowed = serde_json::from_value(list).expect("one");
        assert_eq!(list, allowed("shop = people,*=x"));
        assert!(list.is_usable() && !allowed("people").is_usable() && !allowed("=x").is_usable());
        assert!(allowed("").is_empty());
    }

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text) in [
            ("*", ""),
            ("a*", "a"),
            ("*a*b", "xaxxb"),
            ("a*a", "aa"),
            ("**", "x"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a*a", "a"), ("*a*b", "b"), ("a*b*c", "abxd")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
