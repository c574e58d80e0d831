//! The documents of an index, shard by shard in the order in which they were written.
//!
//! A document that changes moves to the end of its shard. So the walk goes in rounds, each up to where the shards ended when it began,
//! until what came meanwhile is a page or so: the last round reads that.

use super::Stop;
use super::documents::Document;
use super::progress::{Progress, Shard};
use super::scene::Scene;
use super::seen::Seen;
use crate::domain::containment::Direction;
use crate::legacy::{Failure, Hit, Index, PageAsk, Source, hits, record};
use crate::store::AsOf;

/// Documents of a page; fewer where they are large.
const PAGE: usize = 500;
/// Bytes of an answer: what has more is asked for in smaller pages.
const MOST_BYTES: usize = 8 << 20;
/// A single document may have more.
const MOST_BYTES_OF_ONE: usize = 48 << 20;
/// Operations since a round began that the last round reads.
const FEW: i64 = 1_000;
/// Rounds at the most: where so much is written that none is short, the walk over people has seen who is written.
const ROUNDS: u32 = 10;

impl Scene<'_> {
    /// Begins with the first stretch, and sees with each whether the index is still the same.
    pub async fn begin_documents(&self, progress: &mut Progress) -> Result<(), Stop> {
        let indices = self.indices().await?;
        if progress.round == 0 {
            self.whole().await?;
            return self.next_round(&indices, progress).await;
        }
        let is_there = |shard: &Shard| {
            let same = |index: &&Index| index.name == shard.index && index.uuid == shard.uuid;
            indices.iter().any(|index| same(&index))
        };
        if progress.shards.iter().all(is_there) {
            return Ok(());
        }
        let told = format!("index {} was made anew meanwhile", self.index());
        Err(Stop::End(told))
    }

    /// The next page, judged.
    pub async fn document_page(&self, progress: &mut Progress) -> Result<Vec<Seen>, Stop> {
        let Some(shard) = progress
            .shards
            .iter_mut()
            .find(|shard| shard.after < shard.last)
        else {
            if progress.is_last_round {
                progress.has_documents = true;
            } else {
                self.next_round(&self.indices().await?, progress).await?;
            }
            return Ok(Vec::new());
        };
        let documents = self.read_page(shard).await?;
        self.judge_documents(AsOf::Lately, &documents).await
    }

    async fn indices(&self) -> Result<Vec<Index>, Stop> {
        let indices = self.client()?.indices(self.index()).await;
        let indices = indices.map_err(|failure| self.stop(&failure))?;
        if indices.is_empty() {
            return Err(Stop::End(format!("there is no index {}", self.index())));
        }
        Ok(indices)
    }

    /// An index that does not give its documents back as they were sent can't be compared.
    async fn whole(&self) -> Result<(), Stop> {
        match self.client()?.source_of(self.index()).await {
            Ok(Source::AsSent) => Ok(()),
            Ok(_) => Err(Stop::End(format!(
                "index {} does not give documents back as they were sent",
                self.index()
            ))),
            Err(failure) => Err(self.stop(&failure)),
        }
    }

    async fn next_round(&self, indices: &[Index], progress: &mut Progress) -> Result<(), Stop> {
        let mut shards = Vec::new();
        for index in indices {
            self.refresh(index).await?;
            let ends = self.client()?.checkpoints(index).await;
            let ends = ends.map_err(|failure| self.stop(&failure))?;
            for (number, last) in (0..).zip(ends) {
                shards.push(Shard {
                    index: index.name.clone(),
                    uuid: index.uuid.clone(),
                    number,
                    after: place(&progress.shards, index, number),
                    last,
                });
            }
        }
        let gap: i64 = shards.iter().map(|shard| shard.last - shard.after).sum();
        progress.shards = shards;
        progress.is_last_round = progress.round > 0 && (gap <= FEW || progress.round >= ROUNDS);
        progress.round += 1;
        Ok(())
    }

    /// Lets everything show. An index that never does so by itself, and may not be asked to, can't be read.
    async fn refresh(&self, index: &Index) -> Result<(), Stop> {
        match self.client()?.refresh(&index.name).await {
            Ok(()) => Ok(()),
            Err(Failure::Lasting { status: 403, .. }) if !index.is_never_refreshed => Ok(()),
            Err(Failure::Lasting { status: 403, .. }) => Err(Stop::End(format!(
                "index {} is never refreshed by itself (index.refresh_interval), and the user may not refresh it",
                index.name
            ))),
            Err(failure) => Err(self.stop(&failure)),
        }
    }

    /// The next documents of a shard, which then begins behind them.
    async fn read_page(&self, shard: &mut Shard) -> Result<Vec<Document>, Stop> {
        let mut size = PAGE;
        let page = loop {
            match self.client()?.page(self.ask(shard, size)).await {
                Err(Failure::TooLarge(_)) if size > 1 => size = (size / 4).max(1),
                other => break other.map_err(|failure| self.stop(&failure))?,
            }
        };
        let hits = hits(&page).map_err(|failure| self.stop(&failure))?;
        shard.after = match hits.last() {
            Some(last) if hits.len() == size => last._seq_no,
            _ => shard.last,
        };
        let document = |hit: &Hit<'_>| {
            let text = record::value(hit).map_err(|error| Stop::Passing(error.to_string()));
            Ok(Document {
                id: hit._id.clone().into_owned(),
                routing: hit._routing.as_deref().map(str::to_owned),
                record: text?.into(),
            })
        };
        hits.iter().map(document).collect()
    }

    fn ask<'a>(&self, shard: &'a Shard, size: usize) -> PageAsk<'a> {
        PageAsk {
            index: &shard.index,
            shard: shard.number,
            after: shard.after,
            last: Some(shard.last),
            size,
            // Whether somebody has an id is seen by the id alone.
            with_source: self.due.direction == Direction::Forward,
            most_bytes: if size == 1 {
                MOST_BYTES_OF_ONE
            } else {
                MOST_BYTES
            },
        }
    }
}

/// How far a shard was read.
fn place(shards: &[Shard], index: &Index, number: u32) -> i64 {
    let own = shards
        .iter()
        .find(|shard| shard.uuid == index.uuid && shard.number == number);
    own.map_or(-1, |shard| shard.last)
}
