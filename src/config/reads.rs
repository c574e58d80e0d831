//! The settings of reads, from here and from the store that people leave.

use serde::{Deserialize, Serialize};

/// What reads may take of connections and memory.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reads {
    pub connections: usize,
    pub max_bytes_in_flight: usize,
    pub page_bytes: usize,
    pub wait_timeout_ms: u64,
    pub legacy_connections: usize,
    pub legacy_bytes_in_flight: usize,
    pub legacy_timeout_ms: u64,
    pub compare_timeout_ms: u64,
    pub compare_percent: u8,
}
