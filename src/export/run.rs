//! An export from its beginning, or from where it was left, to its end.

use super::plan;
use super::record;
use super::state::{Progress, Range, Round, Shard, State};
use super::walk::{Stumble, Walk};
use crate::backfill::{NotSent, Outgoing, Topic};
use crate::domain::Timestamp;
use crate::legacy::{Client, Hit, Index};
use crate::store::Store;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
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
    state: Mutex<State>,
    too_large: Mutex<u64>,
    next: Mutex<Instant>,
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
            state: Mutex::default(),
            too_large: Mutex::default(),
            next: Mutex::new(Instant::now()),
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

    /// Makes one pass; ends at a signal too, with what was sent remembered.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<Outcome, String> {
        self.take_lease().await?;
        let (over, lost) = (Notify::new(), Notify::new());
        let work = async {
            let ended = tokio::select! {
                ended = self.work() => ended,
                changed = self.watch() => Err(changed),
                () = lost.notified() => Err(String::new()),
                () = stop => Err("stopped; the same command goes on from here".to_owned()),
            };
            over.notify_one();
            ended
        };
        // Not dropped half-way: a renewal on its way would come after the end.
        let keep = async {
            let reason = self.keep(&over).await;
            lost.notify_one();
            reason
        };
        let (ended, reason) = tokio::join!(work, keep);
        let saved = self.save().await;
        let _ = self.store.end_lease(&self.lease(), self.owner).await;
        match (reason, ended) {
            (Some(reason), _) => Err(reason),
            (None, ended) => ended.and_then(|outcome| saved.map(|_| outcome)),
        }
    }

    async fn work(&self) -> Result<Outcome, String> {
        self.open().await?;
        self.pass().await?;
        let gone = match self.options.gone {
            true => super::gone::sweep(self).await?,
            false => 0,
        };
        let (progress, too_large) = (
            self.progress(),
            *self
                .too_large
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        Ok(Outcome {
            pass: progress.pass,
            documents: progress.sent,
            bytes: progress.bytes,
            too_large,
            gone,
        })
    }

    /// Goes on with a pass, or begins one.
    async fn open(&self) -> Result<(), String> {
        let mut state = self.load().await?;
        let indices = plan::indices(&self.client, &self.options.index).await?;
        plan::compare(&state, &self.options.index, &indices)?;
        plan::add_new(&mut state, &indices);
        if state.is_finished {
            self.begin_pass(&mut state, &indices).await?;
        }
        *self.state() = state;
        self.save().await.map(drop)
    }

    async fn begin_pass(&self, state: &mut State, indices: &[Index]) -> Result<(), String> {
        (state.pass, state.is_finished) = (state.pass + 1, false);
        (state.sent, state.bytes) = (0, 0);
        let each = self.options.slices.div_ceil(state.shards.len().max(1));
        let now = self.checkpoints(indices).await?;
        for shard in &mut state.shards {
            shard.begin(at(&now, shard), each);
        }
        Ok(())
    }

    async fn checkpoints(&self, indices: &[Index]) -> Result<Vec<(String, u32, i64)>, String> {
        let asked = async {
            plan::refresh(&self.client, indices).await?;
            plan::checkpoints(&self.client, indices).await
        };
        asked.await.map_err(|failure| failure.to_string())
    }

    async fn pass(&self) -> Result<(), String> {
        self.walk_ranges().await?;
        let indices = self.indices().await?;
        let now = self.checkpoints(&indices).await?;
        for shard in &mut self.state().shards {
            shard.follow(at(&now, shard));
        }
        self.save().await?;
        self.walk_ranges().await?;
        self.indices().await?;
        let mut state = self.state();
        state.shards.iter_mut().for_each(Shard::finish);
        state.is_finished = true;
        Ok(())
    }

    /// The indices that are walked, if they still are what they were.
    pub(super) async fn indices(&self) -> Result<Vec<Index>, String> {
        let indices = plan::indices(&self.client, &self.options.index).await?;
        plan::compare(&self.state(), &self.options.index, &indices)?;
        Ok(indices)
    }

    async fn walk_ranges(&self) -> Result<(), String> {
        let left: Vec<(usize, usize)> = {
            let state = self.state();
            let shards = state.shards.iter().enumerate();
            shards
                .flat_map(|(shard, own)| {
                    let ranges = own.ranges.iter().enumerate();
                    ranges
                        .filter(|(_, range)| !range.is_done)
                        .map(move |(range, _)| (shard, range))
                })
                .collect()
        };
        stream::iter(left)
            .map(|(shard, range)| self.walk(shard, range))
            .buffer_unordered(self.options.slices.max(1))
            .try_collect()
            .await
    }

    async fn walk(&self, shard: usize, range: usize) -> Result<(), String> {
        let own = self.state().shards[shard].clone();
        let walk = Walk {
            client: &self.client,
            index: &own.index,
            shard: own.number,
            with_source: true,
            patience: self.options.patience,
        };
        let walked = walk.run(own.ranges[range], async |hits: &[Hit<'_>], bytes: usize| {
            self.spend(hits.len(), bytes).await;
            self.send(hits).await?;
            let mut state = self.state();
            state.sent += hits.len() as u64;
            state.bytes += bytes as u64;
            if let Some(last) = hits.last() {
                state.shards[shard].ranges[range].after = last._seq_no;
            }
            Ok(())
        });
        if let Err(text) = walked.await {
            // The index itself may tell more than the request that failed.
            return Err(self.indices().await.err().unwrap_or(text));
        }
        self.state().shards[shard].ranges[range].is_done = true;
        Ok(())
    }

    /// Has a page in the topic.
    async fn send(&self, hits: &[Hit<'_>]) -> Result<(), Stumble> {
        try_join_all(hits.iter().map(|hit| self.send_one(hit)))
            .await
            .map(drop)
    }

    async fn send_one(&self, hit: &Hit<'_>) -> Result<(), Stumble> {
        let stop =
            |text: String| Stumble::Stop(format!("document {} of {}: {text}", hit._id, hit._index));
        let value = record::value(hit).map_err(|error| stop(error.to_string()))?;
        let record = Outgoing {
            key: &record::key(hit),
            value: &value,
            headers: &[(record::INDEX_HEADER, &hit._index)],
        };
        match self.topic.send(&record).await {
            Ok(()) => Ok(()),
            Err(NotSent::Passing(text)) => Err(Stumble::Again(text)),
            Err(NotSent::Lasting(text)) => Err(stop(text)),
            Err(NotSent::TooLarge) if self.options.skip_too_large => {
                tracing::error!(index = %hit._index, id = %hit._id, bytes = value.len(), "passed over: the topic takes no record of this size");
                *self
                    .too_large
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) += 1;
                Ok(())
            }
            Err(NotSent::TooLarge) => Err(stop(format!(
                "{} bytes are more than topic {} takes (max.message.bytes {}): raise it, or pass over such documents with --skip-too-large",
                value.len(),
                self.topic.name,
                self.topic.max_record_bytes
            ))),
        }
    }

    /// Waits as long as the limits ask for.
    async fn spend(&self, documents: usize, bytes: usize) {
        let seconds = |spent: usize, limit: u32| match limit {
            0 => 0.0,
            limit => spent as f64 / f64::from(limit),
        };
        let (documents, bytes) = (
            seconds(documents, self.options.documents_per_second),
            seconds(bytes, self.options.bytes_per_second),
        );
        let until = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = (*next).max(Instant::now());
            *next = begin + Duration::from_secs_f64(documents.max(bytes));
            begin
        };
        sleep_until(until).await;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at(now: &[(String, u32, i64)], shard: &Shard) -> i64 {
    let own = now
        .iter()
        .find(|(uuid, number, _)| *uuid == shard.uuid && *number == shard.number);
    own.map_or(-1, |(.., at)| *at)
}

/// Every document of a shard, to its end.
pub(super) const WHOLE: Range = Range {
    after: -1,
    last: None,
    is_done: false,
};
