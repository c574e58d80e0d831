//! What a project says about how far it believes its write keys: they ship in apps and pages, so that anybody has them.

use serde::{Deserialize, Serialize};

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
}
