//! What librdkafka is told, by its own names. Any of it may be a secret: there is no way to show it.

use crate::config::KafkaProperties;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaConfRes;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long brokers are waited for by who asks about a topic.
pub const PATIENCE: Duration = Duration::from_secs(10);

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

/// Why librdkafka does not take a client's settings. Its own words have the value, which may be a secret.
pub fn refused(error: &KafkaError) -> String {
    let KafkaError::ClientConfig(outcome, _, name, _) = error else {
        return format!("librdkafka refuses the settings: {error}");
    };
    match outcome {
        RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN => format!("librdkafka has no property {name:?}"),
        _ => format!("librdkafka does not take the value of {name:?}"),
    }
}

/// Makes a topic, with as many copies as the cluster makes by itself.
///
/// # Errors
/// One sentence: no broker answers, or it refuses.
pub async fn make_topic(
    admin: &AdminClient<DefaultClientContext>,
    name: &str,
    partitions: i32,
) -> Result<(), String> {
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
    let made = admin.create_topics([&topic], &AdminOptions::new()).await;
    let made = made.map_err(|error| format!("topic {name} can't be made: {error}"))?;
    let refused = made.into_iter().find_map(Result::err);
    refused.map_or(Ok(()), |(_, code)| {
        Err(format!("topic {name} can't be made: {code}"))
    })
}

/// The partitions of a topic: number, first offset, end.
///
/// # Errors
/// No broker answers, or one partition has none.
pub fn partitions<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
) -> Result<Vec<(i32, i64, i64)>, String> {
    let found = consumer.fetch_metadata(Some(topic), PATIENCE);
    let found = found.map_err(|error| format!("topic {topic}: {error}"))?;
    let all = found.topics().iter().flat_map(MetadataTopic::partitions);
    let marks = all.map(|partition| {
        let number = partition.id();
        let marks = consumer.fetch_watermarks(topic, number, PATIENCE);
        let told = |error| format!("topic {topic}, partition {number}: {error}");
        marks.map(|(low, high)| (number, low, high)).map_err(told)
    });
    marks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_is_not_taken_is_named_without_its_value() {
        for name in ["sasl.pasword", "security.protocol"] {
            let own = [(name.to_owned(), "hunter2".to_owned())];
            let made: Result<BaseConsumer, _> = Properties::of(own).client(&[]).create();
            let told = made.map(drop).map_err(|error| refused(&error));
            let told = told.expect_err("no such property or value");
            assert!(told.contains(name) && !told.contains("hunter2"), "{told}");
        }
    }
}
