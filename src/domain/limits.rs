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
    pub user_fields: usize,
    pub event_fields: usize,
    /// With commas between them.
    pub placeholders: String,
    /// With commas between them.
    pub no_placeholders: String,
}

#[cfg(test)]
impl Limits {
    /// Of tests that are about something else: nothing small comes near them.
    pub(crate) fn wide() -> Self {
        Self {
            name_bytes: 200,
            message_id_bytes: 200,
            identity_bytes: 200,
            depth: 64,
            batch_items: 10,
            rejected_item_bytes: 1_000,
            event_properties: 1_000,
            event_bytes: 100_000,
            trait_bytes: 50_000,
            profile_traits: 1_000,
            profile_bytes: 500_000,
            profile_identities: 50,
            profile_emails: 5,
            profile_absorbed: 50,
            user_fields: 1_000,
            event_fields: 1_000,
            placeholders: String::new(),
            no_placeholders: String::new(),
        }
    }
}
