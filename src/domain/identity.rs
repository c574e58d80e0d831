//! Names of people: what sorts there are, and what one is within all projects.

use super::placeholder::bare;
use super::{ProfileId, ProjectId};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// An identity of one project.
pub type IdentityKey = (ProjectId, Identity);

/// A profile of one project.
pub type ProfileKey = (ProjectId, ProfileId);

/// A (kind, value) that names a profile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// What sort of name this is.
    pub kind: IdentityKind,
    /// The name itself, normalised by its kind.
    pub value: String,
}

impl Identity {
    /// Makes an identity, its value normalised as its kind asks: emails lower-cased, all else as sent. What stands around it goes: white
    /// space, control characters, pairs of quotes.
    pub fn new(kind: IdentityKind, value: &str) -> Self {
        let value = bare(value);
        let value = match kind {
            IdentityKind::Email => value.to_lowercase(),
            _ => value.to_owned(),
        };
        Self { kind, value }
    }

    /// What it holds in memory.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.value.len()
    }

    /// What an event keeps of the name by which it came: enough to tell the names of one person apart, and nothing that can be read.
    pub fn via(&self) -> i64 {
        let kind = self.kind.as_str().as_bytes();
        let parts = [kind, &[0], self.value.as_bytes()].into_iter();
        let digest = parts.fold(Sha256::new(), Sha256::chain_update);
        let digest = digest.finalize();
        digest[..8]
            .iter()
            .fold(0, |number, byte| number << 8 | i64::from(*byte))
    }

    /// False for what no database holds, and nobody therefore has: a text with a NUL. It can only come by a path or a query, since JSON
    /// is cleaned of them.
    pub fn can_be_held(&self) -> bool {
        !self.value.contains('\0')
    }

    /// An email names a person only where it looks like one: something on both sides of a single `@`.
    pub fn is_plausible(&self) -> bool {
        let sides = || self.value.split_once('@');
        self.kind != IdentityKind::Email
            || sides().is_some_and(|(local, domain)| {
                !local.is_empty() && !domain.is_empty() && !domain.contains('@')
            })
    }
}

/// The kinds of identity, in the order of their strength.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityKind {
    /// The customer's own id of a person.
    UserId,
    /// An email address.
    Email,
    /// A kind that the project made.
    Custom(Arc<str>),
    /// An SDK's id of a device or browser.
    AnonymousId,
    /// The customer's own id of a group; never beside a person's.
    GroupId,
}

impl IdentityKind {
    /// The kinds that every project has, by their names in SQL, URLs and replies. SQL texts repeat two of them as literals.
    pub const BUILT_IN: [(&'static str, Self); 4] = [
        ("user_id", Self::UserId),
        ("email", Self::Email),
        ("anonymous_id", Self::AnonymousId),
        ("group_id", Self::GroupId),
    ];

    /// The name in SQL, URLs and replies.
    pub fn as_str(&self) -> &str {
        let [user_id, email, anonymous_id, group_id] = Self::BUILT_IN.map(|(name, _)| name);
        match self {
            Self::UserId => user_id,
            Self::Email => email,
            Self::Custom(name) => name,
            Self::AnonymousId => anonymous_id,
            Self::GroupId => group_id,
        }
    }

    /// Reads a kind's name; any name that is not built in is a custom kind.
    pub fn parse(name: &str) -> Self {
        let known = Self::BUILT_IN.into_iter().find(|(known, _)| *known == name);
        known.map_or_else(|| Self::Custom(name.into()), |(_, kind)| kind)
    }
}
