//! What librdkafka is told, by its own names. Any of it may be a secret: there is no way to show it.

use crate::config::KafkaProperties;
use rdkafka::ClientConfig;
use std::collections::BTreeMap;

/// Properties of librdkafka by name (its CONFIGURATION.md lists them).
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Later ones of one name win.
    pub fn of(all: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(all.into_iter().collect())
    }

    /// Those of the settings, later ones above earlier ones.
    pub fn revealed<'a>(all: impl IntoIterator<Item = &'a KafkaProperties>) -> Self {
        let all = all.into_iter().flatten();
        Self::of(all.map(|(name, value)| (name.clone(), value.reveal().to_owned())))
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
