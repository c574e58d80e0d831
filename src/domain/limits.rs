//! How much one call, one event and one profile may hold. `config.default.toml` has the defaults and the reasons.

use serde::{Deserialize, Serialize};

/// Sizes of what callers send: the section `limits` of the settings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub name_bytes: usize,
    pub message_id_bytes: usize,
    pub identity_bytes: usize,
    pub depth: usize,
    pub batch_items: usize,
    pub rejected_item_bytes: usize,
    pub event_properties: usize,
    pub event_bytes: usize,
    pub trait_bytes: usize,
    pub profile_traits: usize,
    pub profile_bytes: usize,
    pub profile_identities: usize,
    pub profile_emails: usize,
    pub profile_absorbed: usize,
    /// With commas between them.
    pub placeholders: String,
    /// With commas between them.
    pub no_placeholders: String,
}
