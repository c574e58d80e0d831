//! The settings of imports.

use super::Pulls;
use serde::{Deserialize, Serialize};

/// Files of profiles and events.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Imports {
    pub parallel: usize,
    pub parallel_per_project: usize,
    pub max_record_bytes: usize,
    pub idle_seconds: u64,
    pub expire_seconds: u64,
    pub known_seconds: u64,
    pub pulls: Pulls,
}

impl Imports {
    /// What is wrong, and whether it is.
    pub(super) fn complaints(&self) -> Vec<(bool, &'static str)> {
        let mut complaints = self.pulls.complaints();
        complaints.extend([
            (
                self.parallel == 0 || self.parallel_per_project == 0,
                "imports.parallel and imports.parallel_per_project must be at least 1",
            ),
            (
                !(1_024..=16 << 20).contains(&self.max_record_bytes),
                "imports.max_record_bytes must be from 1024 to 16777216: so much is kept with each job",
            ),
            (
                self.idle_seconds == 0 || self.expire_seconds == 0,
                "imports.idle_seconds and imports.expire_seconds must be at least 1",
            ),
        ]);
        complaints
    }
}
