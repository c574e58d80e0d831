//! One export: what it is between, what was asked for, and how far it is.

use super::plan;
use super::state::{Progress, Round, State};
use super::walk::insist;
use crate::backfill::Topic;
use crate::domain::Timestamp;
use crate::legacy::{Client, Index};
use crate::store::Store;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// What a person asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// An index, an alias or a pattern.
    pub index: String,
    pub slices: usize,
    /// 0: no limit.
    pub documents_per_second: u32,
    /// 0: no limit.
    pub bytes_per_second: u32,
    pub restart: bool,
    /// A document that the topic does not take is told and passed over.
    pub skip_too_large: bool,
    /// Afterwards, look for documents that are gone.
    pub gone: bool,
    pub max_gone_percent: u8,
    pub patience: Duration,
}

/// What has become of it.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Outcome {
    pub pass: u32,
    pub documents: u64,
    pub bytes: u64,
    pub too_large: u64,
    /// Documents of which it was said that they are gone.
    pub gone: u64,
}

/// One export.
pub struct Export {
    pub(super) client: Client,
    pub(super) topic: Topic,
    pub(super) options: Options,
    pub(super) now: fn() -> Timestamp,
    pub(super) store: Store,
    pub(super) name: String,
    pub(super) owner: Uuid,
    /// Documents that were passed over.
    pub(super) too_large: AtomicU64,
    /// When the limits let the next page go.
    pub(super) next: Mutex<Instant>,
    state: Mutex<State>,
}

impl Export {
    /// Puts one together; nothing is asked yet.
    pub fn new(
        client: Client,
        topic: Topic,
        store: Store,
        options: Options,
        now: fn() -> Timestamp,
    ) -> Self {
        let name = format!("{} to {}", options.index, topic.name);
        Self {
            client,
            topic,
            options,
            now,
            store,
            name,
            owner: Uuid::new_v4(),
            too_large: AtomicU64::default(),
            next: Mutex::new(Instant::now()),
            state: Mutex::default(),
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.state().progress()
    }

    /// Documents behind the name, as many as a first pass sends.
    pub async fn total(&self) -> u64 {
        let counted = self
            .client
            .count(&self.options.index)
            .await
            .unwrap_or_default();
        let state = self.state();
        let numbers = state.shards.iter().map(|shard| match shard.round {
            Round::Stock { ceiling } => ceiling - shard.floor,
            Round::Tail { floor } => floor - shard.floor,
        });
        counted.min(numbers.sum::<i64>().max(0) as u64)
    }

    /// The indices behind the name, as they are now.
    pub(super) async fn look(&self) -> Result<Vec<Index>, String> {
        let look = async || plan::indices(&self.client, &self.options.index).await;
        insist(self.options.patience, look).await
    }

    /// The same, if they still are what is walked.
    pub(super) async fn indices(&self) -> Result<Vec<Index>, String> {
        let indices = self.look().await?;
        plan::compare(&self.state(), &self.options.index, &indices)?;
        Ok(indices)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
