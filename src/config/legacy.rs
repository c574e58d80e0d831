//! The settings of the store that people leave.

use super::{Secret, holds_secret, is_web_address};
use crate::domain::Allowed;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the old store is, and who asks it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LegacyStore {
    pub url: String,
    pub username: String,
    pub password: Secret,
    pub api_key: Secret,
    /// Certificates to trust instead of the machine's.
    pub ca_file: Option<PathBuf>,
    pub connect_timeout_ms: u64,
    pub request_timeout_ms: u64,
    /// Indices that plans by server keys may name.
    pub indices: Allowed,
    /// Topics that they may name.
    pub topics: Allowed,
    pub verify_per_second: u32,
}

impl LegacyStore {
    /// True where a node is to keep legacy stores up.
    pub fn is_mirrored(&self) -> bool {
        !self.url.is_empty() || !self.topics.is_empty()
    }

    /// What is wrong, and whether it is.
    pub(super) fn complaints(&self) -> Vec<(bool, &'static str)> {
        let is_usable = self.indices.is_usable() && self.topics.is_usable();
        let told = "legacy.indices and legacy.topics list project = name";
        vec![
            (!is_usable, told),
            (
                !self.url.is_empty() && !is_web_address(&self.url),
                "legacy.url must begin with http:// or https://",
            ),
            (
                holds_secret(&self.url),
                "legacy.url holds a secret: legacy.username and legacy.password are for that",
            ),
        ]
    }
}
