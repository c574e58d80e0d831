//! The settings of the store that people leave.

use super::Secret;
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
    pub verify_per_second: u32,
}
