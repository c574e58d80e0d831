//! One pass over all shards, in its two rounds.

use super::job::Export;
use super::plan;
use super::state::{Shard, State};
use super::walk::{Stumble, Walk, insist};
use crate::legacy::{Failure, Hit, Index};
use futures_util::{StreamExt, TryStreamExt, stream};

impl Export {
    /// Goes on with a pass, or begins one.
    pub(super) async fn open(&self) -> Result<(), String> {
        let mut state = self.load().await?;
        let indices = self.look().await?;
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
        let told = |failure: Failure| Stumble::of(&failure, failure.to_string());
        let ask = async || {
            plan::refresh(&self.client, indices).await.map_err(told)?;
            let asked = plan::checkpoints(&self.client, indices);
            asked.await.map_err(told)
        };
        insist(self.options.patience, ask).await
    }

    /// Both rounds, from where they were left.
    pub(super) async fn pass(&self) -> Result<(), String> {
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

    /// What has become of the indices, where that can be told at once.
    async fn change(&self) -> Option<String> {
        match plan::indices(&self.client, &self.options.index).await {
            Ok(indices) => plan::compare(&self.state(), &self.options.index, &indices).err(),
            Err(Stumble::Stop(text)) => Some(text),
            Err(Stumble::Again(_)) => None,
        }
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
            let sent = self.send(hits).await?;
            let mut state = self.state();
            state.topic_end += sent as i64;
            state.sent += hits.len() as u64;
            state.bytes += bytes as u64;
            if let Some(last) = hits.last() {
                state.shards[shard].ranges[range].after = last._seq_no;
            }
            Ok(())
        });
        if let Err(text) = walked.await {
            // The index itself may tell more than the request that failed.
            return Err(self.change().await.unwrap_or(text));
        }
        self.state().shards[shard].ranges[range].is_done = true;
        Ok(())
    }
}

fn at(now: &[(String, u32, i64)], shard: &Shard) -> i64 {
    let own = now
        .iter()
        .find(|(uuid, number, _)| *uuid == shard.uuid && *number == shard.number);
    own.map_or(-1, |(.., at)| *at)
}
