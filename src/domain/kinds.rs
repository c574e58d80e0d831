//! A project's own kinds of identity: what they are called, how strong they are, how their values are compared.

use super::{Identity, IdentityKind, Rules};
use serde::{Deserialize, Serialize};

/// How values are made comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normaliser {
    /// As sent.
    #[default]
    AsIs,
    /// Trimmed and lower-cased.
    Email,
    /// Digits, and the plus before them where there is one or `00` stands for it. No country is guessed.
    Phone,
}

/// A kind of identity that a project made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomKind {
    pub name: String,
    /// Of the identities of a call the strongest tells whose it is.
    pub strength: i32,
    pub normaliser: Normaliser,
}

/// What a project says about identities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kinds {
    pub custom: Vec<CustomKind>,
    /// Device tokens name people. Phones change hands, so this is off unless the project says otherwise.
    pub device_tokens: bool,
    /// How far its write keys are believed; a column of its own.
    #[serde(skip)]
    pub rules: Rules,
}

/// The kind of a device token.
pub const DEVICE_TOKEN: &str = "device_token";

impl Normaliser {
    fn apply(self, value: &str) -> String {
        match self {
            Self::AsIs => value.to_owned(),
            Self::Email => value.trim().to_lowercase(),
            Self::Phone => phone(value),
        }
    }
}

fn phone(value: &str) -> String {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    match (
        value.trim_start().starts_with('+'),
        digits.strip_prefix("00"),
    ) {
        (true, _) => format!("+{digits}"),
        (false, Some(international)) => format!("+{international}"),
        (false, None) => digits,
    }
}

impl Kinds {
    /// True where the project has nothing of its own, so that calls need no closer look.
    pub fn are_usual(&self) -> bool {
        self.custom.is_empty() && !self.device_tokens
    }

    /// A custom kind by its name.
    pub fn custom(&self, name: &str) -> Option<&CustomKind> {
        self.custom.iter().find(|kind| kind.name == name)
    }

    /// True of a kind by which people of the project may be known.
    pub fn has(&self, kind: &str) -> bool {
        match IdentityKind::parse(kind) {
            IdentityKind::Custom(name) if &*name == DEVICE_TOKEN => self.device_tokens,
            IdentityKind::Custom(name) => self.custom(&name).is_some(),
            IdentityKind::GroupId => false,
            IdentityKind::UserId | IdentityKind::Email | IdentityKind::AnonymousId => true,
        }
    }

    /// An identity of any kind, its value normalised.
    pub fn identity(&self, kind: &str, value: &str) -> Identity {
        let identity = Identity::new(IdentityKind::parse(kind), value);
        match self.custom(kind) {
            Some(own) => Identity {
                value: own.normaliser.apply(&identity.value),
                ..identity
            },
            None => identity,
        }
    }

    /// Puts the strongest first; equals stay as they are.
    pub fn sort(&self, identities: &mut [Identity]) {
        identities.sort_by_key(|identity| std::cmp::Reverse(self.strength(&identity.kind)));
    }

    /// How strong a kind is: of the identities of a call the strongest tells whose it is.
    pub fn strength_of(&self, kind: &str) -> i32 {
        self.strength(&IdentityKind::parse(kind))
    }

    fn strength(&self, kind: &IdentityKind) -> i32 {
        match kind {
            IdentityKind::UserId => 400,
            IdentityKind::Email => 300,
            IdentityKind::Custom(name) => self.custom(name).map_or(50, |kind| kind.strength),
            IdentityKind::AnonymousId => 100,
            IdentityKind::GroupId => 0,
        }
    }

    /// What is wrong with them, in words.
    pub fn complaint(&self) -> Option<String> {
        let is_name = |name: &str| {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            name.len() <= 32
                && name.starts_with(|first: char| first.is_ascii_lowercase())
                && name.bytes().all(plain)
        };
        for (place, kind) in self.custom.iter().enumerate() {
            let name = &kind.name;
            if !is_name(name) {
                return Some(format!(
                    "{name:?} is no name: lower-case letters, digits and _, at most 32"
                ));
            }
            let is_built_in = !matches!(IdentityKind::parse(name), IdentityKind::Custom(_));
            if is_built_in || ["id", "min_version", DEVICE_TOKEN].contains(&name.as_str()) {
                return Some(format!("{name} has a meaning of its own"));
            }
            if self.custom[..place].iter().any(|other| other.name == *name) {
                return Some(format!("{name} is there twice"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> Kinds {
        let kind = |name: &str, strength, normaliser| CustomKind {
            name: name.to_owned(),
            strength,
            normaliser,
        };
        Kinds {
            custom: vec![
                kind("phone", 200, Normaliser::Phone),
                kind("customer_no", 500, Normaliser::AsIs),
            ],
            device_tokens: true,
            rules: Rules::default(),
        }
    }

    #[test]
    fn phones_are_compared_by_their_digits() {
        for text in ["+49 (731) 12-34", "0049731 1234", " +497311234"] {
            assert_eq!(
                kinds().identity("phone", text).value,
                "+497311234",
                "{text}"
            );
        }
        assert_eq!(kinds().identity("phone", "0731/1234").value, "07311234");
    }

    #[test]
    fn the_strongest_comes_first() {
        let names = [
            "anonymous_id",
            "device_token",
            "phone",
            "user_id",
            "customer_no",
        ];
        let mut identities: Vec<Identity> = names
            .iter()
            .map(|kind| kinds().identity(kind, "7"))
            .collect();
        kinds().sort(&mut identities);
        let sorted: Vec<&str> = identities
            .iter()
            .map(|identity| identity.kind.as_str())
            .collect();
        assert_eq!(
            sorted,
            [
                "customer_no",
                "user_id",
                "phone",
                "anonymous_id",
                "device_token"
            ]
        );
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for name in ["email", "id", "Phone", "7", "", "device_token", "phone"] {
            let mut kinds = kinds();
            kinds.custom.push(CustomKind {
                name: name.to_owned(),
                strength: 1,
                normaliser: Normaliser::AsIs,
            });
            assert!(kinds.complaint().is_some(), "{name:?}");
        }
        assert_eq!(kinds().complaint(), None);
    }
}
