//! `roster backfill …`: legacy profiles through Kafka.

use super::check::Check;
use super::kafka::KafkaArgs;
use super::status;
use crate::config::{BackfillSource, Config};
use crate::output;
use crate::server;
use crate::store::Store;
use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum BackfillVerb {
    /// Take topics in, apart from any service: those of the settings, and the one named here
    Run(Run),
    /// Send the documents of Elasticsearch or OpenSearch into a topic: those that are new or changed since the last time
    Export(Box<super::export::ExportArgs>),
    /// Read a sample of a topic, or of files, and say what would be written; nothing is
    Check(Check),
    /// Take refused records again, from their places in the topic: after the mapping was mended
    Replay {
        /// A source of the settings
        source: String,
        /// Read records by this mapping instead
        #[arg(long)]
        mapping: Option<PathBuf>,
    },
    /// Show how far each source has got: in a terminal with bars, elsewhere as a line of JSON
    Status {
        /// Show it again every two seconds
        #[arg(long)]
        watch: bool,
        /// As JSON in a terminal too
        #[arg(long)]
        json: bool,
    },
    /// Stop a source on every node, within seconds
    Pause {
        source: String,
        /// Shown to whoever asks why
        #[arg(long, default_value = "by an operator")]
        reason: String,
    },
    /// Let a source go on
    Resume { source: String },
    /// Take a source's topic from its beginning again: after it was made anew, or records expired. Takes effect with `resume`
    Restart { source: String },
}

/// A source that the settings do not have.
#[derive(Debug, Args)]
pub struct Run {
    /// The topic
    #[arg(long, requires_all = ["project", "brokers"])]
    topic: Option<String>,
    /// Names the source; the topic's name where none is given
    #[arg(long)]
    name: Option<String>,
    /// The project whose people they are
    #[arg(long)]
    project: Option<String>,
    /// How records are read; without it they are in Roster's own format
    #[arg(long)]
    mapping: Option<PathBuf>,
    /// The time of records that have none; the moment of the first run where none is given
    #[arg(long)]
    start: Option<String>,
    /// Where refused records go too
    #[arg(long)]
    dead_letter_topic: Option<String>,
    #[command(flatten)]
    kafka: KafkaArgs,
    /// End when nothing is left
    #[arg(long)]
    until_end: bool,
}

/// Does what was asked for.
///
/// # Errors
/// With one sentence for the operator.
pub async fn run(verb: BackfillVerb, store: &Store, mut config: Config) -> Result<()> {
    match verb {
        BackfillVerb::Run(run) => {
            let until_end = run.until_end;
            add_source(&mut config, run);
            if config.backfill.sources.is_empty() {
                bail!("there is no source: name one with --topic, or in the settings");
            }
            server::backfill::take_in(&config, store, until_end).await
        }
        BackfillVerb::Export(args) => super::export::run(*args, store, config).await,
        BackfillVerb::Replay { source, mapping } => {
            let own = config.backfill.sources.iter_mut();
            let Some(own) = own.into_iter().find(|own| own.name == source) else {
                bail!("the settings have no source {source}");
            };
            own.mapping = mapping.or(own.mapping.take());
            let own = own.clone();
            let replayed = server::backfill::replay(&config, &own, store).await?;
            output::line(format_args!(
                "taken {}, refused again {}, no longer in the topic {}",
                replayed.taken, replayed.refused, replayed.gone
            ))?;
            Ok(())
        }
        // It is done before any database is opened.
        BackfillVerb::Check(_) => Ok(()),
        BackfillVerb::Status { watch, json } => status::run(store, watch, json).await,
        BackfillVerb::Pause { source, reason } => set(store, &source, Some(&reason)).await,
        BackfillVerb::Resume { source } => set(store, &source, None).await,
        BackfillVerb::Restart { source } => restart(store, &source).await,
    }
}

fn add_source(config: &mut Config, run: Run) {
    let Some(topic) = run.topic else {
        return;
    };
    config.backfill.sources = vec![BackfillSource {
        name: run.name.unwrap_or_else(|| topic.clone()),
        topic,
        group: None,
        project: run.project,
        mapping: run.mapping,
        start: run.start,
        dead_letter_topic: run.dead_letter_topic,
        kafka: run.kafka.properties(),
    }];
}

async fn set(store: &Store, source: &str, paused: Option<&str>) -> Result<()> {
    let found = store.set_source(source, paused).await;
    if !found.map_err(|error| anyhow!(error.full_text()))? {
        bail!("there is no source {source}");
    }
    let what = paused.map_or("goes on", |_| "pauses");
    output::line(format_args!(
        "source {source} {what} on every node within seconds"
    ))?;
    Ok(())
}

async fn restart(store: &Store, source: &str) -> Result<()> {
    let told = |error: crate::store::Error| anyhow!(error.full_text());
    match store.load_source(source).await.map_err(told)? {
        None => bail!("there is no source {source}"),
        Some(row) if !row.is_paused => {
            bail!(
                "source {source} is running: pause it first, so that nobody moves it on meanwhile"
            )
        }
        Some(_) => store.restart_source(source).await.map_err(told)?,
    }
    output::line(format_args!(
        "source {source} begins at the beginning of its topic when it goes on"
    ))?;
    Ok(())
}
