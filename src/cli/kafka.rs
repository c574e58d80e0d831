//! Where Kafka is, on the command line: above what the settings say.

use crate::config::{KafkaProperties, Secret};
use clap::Args;

#[derive(Debug, Args)]
pub struct KafkaArgs {
    /// One or more brokers, HOST:PORT, separated by commas
    #[arg(long)]
    brokers: Option<String>,
    /// A property of librdkafka, NAME=VALUE, as often as needed: security.protocol, sasl.username …
    #[arg(long = "kafka", value_parser = property)]
    properties: Vec<(String, String)>,
}

impl KafkaArgs {
    pub fn properties(self) -> KafkaProperties {
        let brokers = self
            .brokers
            .map(|brokers| ("bootstrap.servers".to_owned(), brokers));
        let all = brokers.into_iter().chain(self.properties);
        all.map(|(name, value)| (name, Secret::from(value)))
            .collect()
    }
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
