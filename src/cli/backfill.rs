//! `roster backfill …`: legacy profiles through Kafka.

use crate::backfill::kafka::Properties;
use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum BackfillVerb {}

/// The way to Kafka, on the command line.
#[derive(Debug, Args)]
pub struct Kafka {
    /// One or more brokers, HOST:PORT, separated by commas
    #[arg(long)]
    pub brokers: String,
    /// A property of librdkafka, NAME=VALUE, as often as needed: security.protocol, sasl.username …
    #[arg(long = "kafka", value_parser = property)]
    pub properties: Vec<(String, String)>,
}

impl Kafka {
    /// As librdkafka wants them.
    pub fn properties(&self) -> Properties {
        let own = [("bootstrap.servers".to_owned(), self.brokers.clone())];
        Properties::of(own.into_iter().chain(self.properties.iter().cloned()))
    }
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
