//! `roster backfill export`: documents of Elasticsearch or OpenSearch into a topic.

use super::kafka::KafkaArgs;
use crate::config::Config;
use crate::export::{Options, Progress};
use crate::output;
use crate::server::export::{To, export};
use crate::store::Store;
use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

/// What to send where, and how fast.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Where the store is: http://HOST:9200. Names and passwords are settings (legacy.username, legacy.password, legacy.api_key)
    #[arg(long)]
    from: Option<String>,
    /// An index, an alias or a pattern
    #[arg(long)]
    index: String,
    /// The topic
    #[arg(long)]
    topic: String,
    /// Make the topic with so many partitions if it is missing
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    partitions: Option<u16>,
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Parts that are read side by side
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    slices: u16,
    /// Documents a second at the most; 0: no limit
    #[arg(long, default_value_t = 0)]
    documents_per_second: u32,
    /// Bytes a second at the most; 0: no limit
    #[arg(long, default_value_t = 0)]
    bytes_per_second: u32,
    /// Begin anew: everything is sent again
    #[arg(long)]
    restart: bool,
    /// Afterwards look which documents that were sent are gone from the index, and say so in the topic
    #[arg(long)]
    deleted: bool,
    /// Of those that were sent so many may be gone; more is taken for a mistake
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100))]
    max_gone_percent: u8,
    /// Pass over documents that are larger than the topic takes, and say which
    #[arg(long)]
    skip_too_large: bool,
    /// Seconds in which a store or a broker that is away may come back
    #[arg(long, default_value_t = 600)]
    patience_seconds: u64,
    /// Trust the certificates in this file instead of the machine's
    #[arg(long)]
    ca_file: Option<PathBuf>,
}

/// Sends what is new or changed since the last time.
///
/// # Errors
/// With one sentence for the operator.
pub async fn run(args: ExportArgs, store: &Store, mut config: Config) -> Result<()> {
    if let Some(url) = args.from {
        config.legacy.url = url;
    }
    config.legacy.ca_file = args.ca_file.or(config.legacy.ca_file.take());
    let properties = args.kafka.properties();
    let options = Options {
        index: args.index,
        slices: usize::from(args.slices),
        documents_per_second: args.documents_per_second,
        bytes_per_second: args.bytes_per_second,
        restart: args.restart,
        skip_too_large: args.skip_too_large,
        gone: args.deleted,
        max_gone_percent: args.max_gone_percent,
        patience: Duration::from_secs(args.patience_seconds),
    };
    let shown = Shown::new();
    let show = |progress: Progress, total: u64| shown.show(progress, total);
    let to = To {
        topic: &args.topic,
        properties: &properties,
        partitions: args.partitions,
    };
    let outcome = export(&config, to, options, (store, show)).await;
    shown.bar.finish_and_clear();
    let outcome = outcome?;
    output::line(serde_json::to_string(&outcome)?)?;
    if outcome.too_large > 0 {
        bail!(
            "{} documents are larger than the topic takes and were passed over",
            outcome.too_large
        );
    }
    Ok(())
}

/// A bar in a terminal, a line of JSON a second elsewhere.
struct Shown {
    bar: ProgressBar,
    is_terminal: bool,
}

impl Shown {
    fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::new(0);
        let style = "{bar:30} {pos} of at most {len} documents, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar, is_terminal }
    }

    fn show(&self, progress: Progress, total: u64) {
        if self.is_terminal {
            self.bar.set_length(total.max(progress.sent));
            self.bar.set_position(progress.sent);
        } else if let Ok(text) = serde_json::to_string(&progress) {
            eprintln!("{text}");
        }
    }
}
