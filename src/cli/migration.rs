//! `roster migration …`: a project's way out of a legacy store.

mod verify;
mod view;

use crate::domain::ProjectId;
use crate::domain::migration::Verb;
use crate::domain::reads::ReadSource;
use crate::migration::{self, Denied, Order, ReadsOrder};
use crate::output;
use crate::store::{MigrationPlan, Store, TopicFormat};
use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::sleep;
use view::{text_of, told};

/// The view begins at the top of an empty screen.
const WIPE: &str = "\x1b[2J\x1b[H";
/// Steps of a page.
const STEPS: i64 = 100;
const EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Subcommand)]
pub enum MigrationVerb {
    /// Say where the documents are, and how they are read and written
    Plan(Plan),
    /// Begin: what changes goes to the legacy store too
    Start(Step),
    /// Take the next step, if its gates are green
    Advance(Step),
    /// Show how far it is, and the gates of the next step
    Status {
        project: String,
        /// Show it again every two seconds
        #[arg(long)]
        watch: bool,
        /// As JSON in a terminal too
        #[arg(long)]
        json: bool,
    },
    /// Compare the legacy store with Roster; a node that knows where the store is does it
    Verify(verify::Verify),
    /// Say where profiles are read from
    Reads(Reads),
    /// Go back: reads are the legacy store's again
    Rollback(Step),
    /// Show every step that was taken, one line of JSON each
    History { project: String },
}

#[derive(Debug, Args)]
pub struct Plan {
    project: String,
    /// The mapping file by which documents are read and written
    #[arg(long)]
    mapping: PathBuf,
    /// The index that is mirrored to; where the store is stands in the settings (legacy.url)
    #[arg(long, required_unless_present = "topic")]
    index: Option<String>,
    /// The topic that is mirrored to, beside the index or instead of one; where the brokers are stands in the settings (backfill.kafka)
    #[arg(long)]
    topic: Option<String>,
    /// What its records look like: Roster's own format, or documents that the mapping reads
    #[arg(long, value_name = "roster|document", default_value = "roster", value_parser = topic_format)]
    topic_format: TopicFormat,
    /// The source of legacy records, by its name in the settings
    #[arg(long)]
    source: Option<String>,
    /// The kind of identity that is the _id of a document, where the mapping does not say it
    #[arg(long)]
    document_kind: Option<String>,
    /// Hours in which the legacy store is still kept up after the cut
    #[arg(long, default_value_t = 72, value_parser = clap::value_parser!(u16).range(0..=8760))]
    soak_hours: u16,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
pub struct Step {
    project: String,
    /// Take the step although a gate is red, for this reason
    #[arg(long, value_name = "REASON", conflicts_with = "reason")]
    force: Option<String>,
    /// Kept with the step
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
pub struct Reads {
    project: String,
    /// legacy, compare or roster
    #[arg(value_parser = source)]
    source: ReadSource,
    /// Of a hundred people so many are read from Roster, whatever the source
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    share: u8,
    /// Kept with the step
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
struct Who {
    /// Who takes the step
    #[arg(long, env = "USER", default_value = "somebody")]
    operator: String,
}

/// Does what was asked for.
///
/// # Errors
/// With one sentence for the operator.
pub async fn run(verb: MigrationVerb, store: &Store) -> Result<()> {
    match verb {
        MigrationVerb::Plan(plan) => {
            let project_id = super::find_project(store, &plan.project).await?;
            take(store, project_id, Verb::Plan, &plan.order()?).await
        }
        MigrationVerb::Start(step) => step.take(store, Verb::Start).await,
        MigrationVerb::Advance(step) => step.take(store, Verb::Advance).await,
        MigrationVerb::Verify(verify) => verify.run(store).await,
        MigrationVerb::Reads(reads) => reads.set(store).await,
        MigrationVerb::Rollback(step) => step.take(store, Verb::Rollback).await,
        MigrationVerb::Status {
            project,
            watch,
            json,
        } => {
            let project_id = super::find_project(store, &project).await?;
            show(store, project_id, watch, json).await
        }
        MigrationVerb::History { project } => {
            let project_id = super::find_project(store, &project).await?;
            history(store, project_id).await
        }
    }
}

async fn history(store: &Store, project_id: ProjectId) -> Result<()> {
    let mut after = Some(0);
    while let Some(version) = after {
        let steps = store.migration_steps(project_id, version, STEPS).await;
        let steps = steps.map_err(super::explained)?;
        after = steps.last().map(|last| last.version);
        for step in steps {
            output::line(serde_json::to_string(&step)?)?;
        }
    }
    Ok(())
}

impl Plan {
    fn order(self) -> Result<Order> {
        let shown = self.mapping.display();
        let mapping = std::fs::read_to_string(&self.mapping);
        let mapping = mapping.with_context(|| format!("mapping {shown} can't be read"))?;
        let plan = MigrationPlan {
            mapping,
            source: self.source,
            index: self.index.unwrap_or_default(),
            topic: self.topic,
            topic_format: self.topic_format,
            is_by_operator: true,
            document_kind: self.document_kind.unwrap_or_default(),
            soak_seconds: i64::from(self.soak_hours) * 3_600,
        };
        Ok(Order {
            operator: self.who.operator,
            plan: Some(plan),
            ..Order::default()
        })
    }
}

impl Step {
    async fn take(self, store: &Store, verb: Verb) -> Result<()> {
        let project_id = super::find_project(store, &self.project).await?;
        let order = Order {
            operator: self.who.operator,
            force: self.force.is_some(),
            reason: self.force.or(self.reason).unwrap_or_default(),
            plan: None,
            allowed: None,
        };
        take(store, project_id, verb, &order).await
    }
}

impl Reads {
    async fn set(self, store: &Store) -> Result<()> {
        let project_id = super::find_project(store, &self.project).await?;
        let order = ReadsOrder {
            source: self.source,
            share: self.share,
            operator: self.who.operator,
            reason: self.reason.unwrap_or_default(),
        };
        let status = migration::set_reads(store, project_id, &order).await;
        let reads = status.map_err(refused)?.reads;
        output::line(format_args!("profiles are read from {}", told(reads)))?;
        Ok(())
    }
}

fn topic_format(text: &str) -> Result<TopicFormat, &'static str> {
    TopicFormat::parse(text).ok_or("it is roster or document")
}

fn source(text: &str) -> Result<ReadSource, String> {
    let told = "it is one of legacy, compare, roster";
    ReadSource::parse(text).ok_or_else(|| told.to_owned())
}

fn refused(denied: Denied) -> anyhow::Error {
    match denied {
        Denied::Store(error) => super::explained(error),
        other => anyhow!(other),
    }
}

async fn take(store: &Store, project_id: ProjectId, verb: Verb, order: &Order) -> Result<()> {
    let status = migration::step(store, project_id, verb, order).await;
    let status = status.map_err(refused)?;
    output::line(format_args!("the migration is at {}", status.state))?;
    Ok(())
}

async fn show(store: &Store, project_id: ProjectId, watch: bool, json: bool) -> Result<()> {
    let is_json = json || !std::io::stdout().is_terminal();
    loop {
        let status = migration::status(store, project_id).await;
        let status = status.map_err(super::explained)?;
        let status = status.context("the project has no migration: plan one")?;
        if is_json {
            output::line(serde_json::to_string(&status)?)?;
        } else {
            let wipe = if watch { WIPE } else { "" };
            output::text(format_args!("{wipe}{}", text_of(&status)))?;
        }
        if !watch {
            return Ok(());
        }
        sleep(EVERY).await;
    }
}
