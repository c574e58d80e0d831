//! What a project says about how far it believes its write keys: they ship in apps and pages, so that anybody has them.

use super::Identity;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an email among the traits of a write key's call does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmailRule {
    /// It names the person, as for everybody else.
    #[default]
    Selects,
    /// It is a further name of the user whom the call names; without a user id it is a claim.
    Attaches,
    /// It is a trait and nothing else.
    Nothing,
}

/// By which of their two names the Iterable-compatible API knows people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectType {
    /// By either: both are one person's alone, as everywhere else here.
    #[default]
    Hybrid,
    /// By the user id. The email is a trait, which several may share.
    UserId,
    /// By the email. Who is named by a user id alone gets a placeholder, where the call allows it.
    Email,
}

/// What a field of another type than the project's plan says comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TypeRule {
    /// Nothing: there is no plan.
    #[default]
    Off,
    /// It is told, and stored as it came.
    Warn,
    /// It is told and left out; the Iterable-compatible API refuses its call.
    Enforce,
}

/// The rules of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// A write key's `alias` joins two known people, as a server key's does.
    pub write_keys_join: bool,
    pub email: EmailRule,
    /// Texts that name nobody, beside the usual ones.
    pub placeholders: Vec<String>,
    /// Texts that do name somebody, usual or not.
    pub no_placeholders: Vec<String>,
    pub iterable: ProjectType,
    /// Of who is forgotten an unsalted hash is kept, to be shown.
    pub shows_forgotten: bool,
    pub types: TypeRule,
    /// What a write key says of a user counts by a token of theirs alone, so that a key without a secret names no users.
    pub signed_users: bool,
    /// Names that stand for nobody, by kind; a table of its own, since they are blocked one by one.
    #[serde(skip)]
    pub blocked: BTreeMap<String, BTreeSet<String>>,
}

impl Rules {
    /// True of a name that somebody blocked.
    pub fn blocks(&self, identity: &Identity) -> bool {
        let values = self.blocked.get(identity.kind.as_str());
        values.is_some_and(|values| values.contains(&identity.value))
    }
}
