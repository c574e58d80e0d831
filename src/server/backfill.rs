//! Puts a backfill's parts together: beside the service, or apart from it.

use super::{Signals, explained, spawn};
use crate::api::tracking;
use crate::backfill::{self, Backfill, Replayed, Source};
use crate::config::{BackfillSource, Config};
use crate::ingest::Ingest;
use crate::mapping::Calls;
use crate::store::{PartitionStatus, SourceStatus, Store};
use anyhow::{Result, anyhow, bail};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How messages of the tracking API are read: as the HTTP route reads them.
pub(super) fn calls() -> Calls {
    Arc::new(tracking::record::command)
}

/// The topics of legacy records, checked before anything starts.
pub(super) fn sources(config: &Config) -> Result<Vec<Arc<Source>>> {
    let sources = config.backfill.sources.iter();
    sources
        .map(|own| source(config, own))
        .collect::<Result<_, String>>()
        .map_err(|text| anyhow!(text))
}

/// One of them, checked.
pub(super) fn source(config: &Config, own: &BackfillSource) -> Result<Arc<Source>, String> {
    let source = Source::load(own, &config.backfill, &config.limits, &calls())?;
    backfill::check(&source).map(|()| Arc::new(source))
}

pub(super) fn start(
    backfill: &Backfill,
    sources: Vec<Arc<Source>>,
    told: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let start = |source| spawn(backfill.clone().run(source, told.clone()));
    sources.into_iter().map(start).collect()
}

/// Takes in the configured sources and serves nobody, until SIGTERM or SIGINT, or until they are at their ends.
///
/// # Errors
/// With one sentence for the operator.
pub async fn take_in(config: &Config, store: &Store, until_end: bool) -> Result<()> {
    let sources = sources(config)?;
    for source in &sources {
        tokio::task::block_in_place(|| backfill::probe(source)).map_err(|text| anyhow!(text))?;
    }
    let goals: Vec<Goal> = match until_end {
        true => {
            tokio::task::block_in_place(|| sources.iter().map(Goal::of).collect::<Result<_>>())?
        }
        false => Vec::new(),
    };
    let (ingest, batcher) = Ingest::new(store.clone(), &config.ingest, &config.limits);
    let batcher = spawn(batcher);
    let (stop, told) = watch::channel(false);
    let clock = Arc::new(super::clock(store).await?);
    let health = super::health(&clock, config);
    let most = config.backfill.max_bytes_in_flight;
    let backfill = Backfill::new(ingest, store.clone(), health, most);
    let tasks = start(&backfill, sources, &told);
    drop(backfill);
    let mut signals = Signals::listen()?;
    let outcome = tokio::select! {
        () = signals.asked() => Ok(()),
        outcome = reach_end(store, &goals), if until_end => outcome,
    };
    let _ = stop.send(true);
    for task in tasks {
        let _ = task.await;
    }
    let _ = batcher.await;
    outcome
}

/// Takes refused records of one source again.
///
/// # Errors
/// With one sentence for the operator.
pub async fn replay(config: &Config, own: &BackfillSource, store: &Store) -> Result<Replayed> {
    let told = |text: String| anyhow!(text);
    let source = Source::load(own, &config.backfill, &config.limits, &calls()).map_err(told)?;
    let (ingest, batcher) = Ingest::new(store.clone(), &config.ingest, &config.limits);
    let batcher = spawn(batcher);
    let replayed = backfill::replay(source, ingest, store.clone()).await;
    let _ = batcher.await;
    replayed.map_err(told)
}

/// How far a source has to be taken: to where its partitions ended when that was asked for. What an earlier run has noted does not tell.
struct Goal {
    source: String,
    /// Partitions in which something stands, and where they end.
    ends: Vec<(i32, i64)>,
}

impl Goal {
    fn of(source: &Arc<Source>) -> Result<Self> {
        let ends = backfill::Past::open(source).and_then(|past| past.ends());
        let ends = ends.map_err(|text| anyhow!(text))?.into_iter();
        let ends = ends.filter(|(_, first, end)| first < end);
        Ok(Self {
            source: source.name.clone(),
            ends: ends.map(|(partition, _, end)| (partition, end)).collect(),
        })
    }

    /// True where all of that is taken, and nothing that came since is left.
    fn is_reached(&self, status: &SourceStatus) -> bool {
        let is_taken = |(partition, end): &(i32, i64)| {
            let mut known = status.partitions.iter();
            known.any(|own| own.partition == *partition && own.position >= Some(*end))
        };
        let mut partitions = status.partitions.iter();
        self.ends.iter().all(is_taken)
            && !status.partitions.is_empty()
            && partitions.all(PartitionStatus::is_known_to_be_at_end)
    }
}

/// Waits until sources have nothing left.
async fn reach_end(store: &Store, goals: &[Goal]) -> Result<()> {
    loop {
        sleep(Duration::from_secs(1)).await;
        let all = store.backfill_status(None).await.map_err(explained)?;
        let of = |goal: &Goal| all.iter().find(|status| status.source == goal.source);
        let mut ours = goals.iter().filter_map(of);
        if let Some(paused) = ours.find(|status| status.state == "paused") {
            bail!("source {} is paused: {}", paused.source, paused.reason);
        }
        let is_reached = |goal: &Goal| of(goal).is_some_and(|status| goal.is_reached(status));
        if goals.iter().all(is_reached) {
            return Ok(());
        }
    }
}
