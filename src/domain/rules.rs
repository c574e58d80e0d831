//! What a project says about how far it believes its write keys: they ship in apps and pages, so that anybody has them.

use serde::{Deserialize, Serialize};

/// The rules of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// A write key's `alias` joins two known people, as a server key's does.
    pub write_keys_join: bool,
    /// Texts that name nobody, beside the usual ones.
    pub placeholders: Vec<String>,
    /// Texts that do name somebody, usual or not.
    pub no_placeholders: Vec<String>,
}
