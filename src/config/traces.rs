//! Traces of single requests.

use super::{Secret, holds_secret, is_web_address};
use serde::{Deserialize, Serialize};

/// Where traces go, of how many requests.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    pub endpoint: String,
    pub authorization: Secret,
    pub sample_ratio: f64,
    pub max_waiting_spans: usize,
}

impl Traces {
    pub(super) fn complaints(&self) -> Vec<(bool, &'static str)> {
        vec![
            (
                !self.endpoint.is_empty() && !is_web_address(&self.endpoint),
                "traces.endpoint must begin with http:// or https://",
            ),
            (
                holds_secret(&self.endpoint),
                "traces.endpoint holds a secret: traces.authorization is for that",
            ),
            (
                !(0.0..=1.0).contains(&self.sample_ratio),
                "traces.sample_ratio must be from 0 to 1",
            ),
            (
                self.max_waiting_spans == 0,
                "traces.max_waiting_spans must be at least 1",
            ),
        ]
    }
}
