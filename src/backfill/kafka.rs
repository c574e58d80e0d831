//! What librdkafka is told, by its own names; what may be secret of it is never shown.

use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Properties of librdkafka by name (its CONFIGURATION.md lists them).
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Properties(BTreeMap<String, String>);

/// Names of what may be shown: all else may hold a secret, also what a later librdkafka knows.
const SHOWN: &[&str] = &[
    "bootstrap.servers",
    "client.id",
    "compression.type",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "sasl.mechanism",
    "security.protocol",
];

impl Properties {
    /// Later ones of one name win.
    pub fn of(all: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(all.into_iter().collect())
    }

    /// One property.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A client's settings: `defaults` first, then these.
    pub fn client(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.0 {
            config.set(name, value);
        }
        config
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str| SHOWN.contains(&name);
        let all = self.0.iter();
        f.debug_map()
            .entries(all.map(|(name, value)| (name, if shown(name) { value } else { "…" })))
            .finish()
    }
}
