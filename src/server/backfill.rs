//! Puts a backfill's parts together: beside the service, or apart from it.

use super::{explained, spawn, wait_for_signal};
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
    let calls = calls();
    let load = |own| {
        let source = Source::load(own, &config.backfill, &config.limits, &calls)?;
        backfill::check(&source).map(|()| Arc::new(source))
    };
    let sources = config.backfill.sources.iter().map(load);
    sources
        .collect::<Result<_, String>>()
        .map_err(|text| anyhow!(text))
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
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let (ingest, batcher) = Ingest::new(store.clone(), &config.ingest, &config.limits);
    let batcher = spawn(batcher);
    let (stop, told) = watch::channel(false);
    let clock = Arc::new(super::clock(store).await?);
    let health = super::health(&clock, config);
    let most = config.backfill.max_bytes_in_flight;
    let backfill = Backfill::new(ingest, store.clone(), health, most);
    let tasks = start(&backfill, sources, &told);
    drop(backfill);
    let outcome = tokio::select! {
        signal = wait_for_signal() => signal,
        outcome = reach_end(store, &names), if until_end => outcome,
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

/// Waits until sources have nothing left.
async fn reach_end(store: &Store, names: &[String]) -> Result<()> {
    loop {
        sleep(Duration::from_secs(1)).await;
        let all = store.backfill_status(None).await.map_err(explained)?;
        let ours = || all.iter().filter(|status| names.contains(&status.source));
        if let Some(paused) = ours().find(|status| status.state == "paused") {
            bail!("source {} is paused: {}", paused.source, paused.reason);
        }
        let is_at_end = |status: &SourceStatus| {
            let mut partitions = status.partitions.iter();
            !status.partitions.is_empty() && partitions.all(PartitionStatus::is_known_to_be_at_end)
        };
        if ours().count() == names.len() && ours().all(is_at_end) {
            return Ok(());
        }
    }
}
