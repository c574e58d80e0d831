//! A look through an index for documents of people who were erased before anything was mirrored: nobody noted their names then.
//!
//! It begins when no erasure can be running any more that noted nothing, and goes once through what stood there by then: what is written
//! later is ours, or is judged when it is written over.

use super::Stop;
use super::erased::{Judge, Said};
use crate::domain::versions::Versions;
use crate::domain::{Identity, Timestamp};
use crate::legacy::{Client, Failure, Hit, PageAsk, hits};
use crate::upkeep::frame::Turn;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Time of one stretch: what changes meanwhile waits for it.
const STRETCH: Duration = Duration::from_secs(1);
/// Documents of a page; fewer where they are large.
const PAGE: usize = 500;
/// Bytes of an answer; a single document may have more.
const MOST_BYTES: usize = 8 << 20;
const MOST_BYTES_OF_ONE: usize = 48 << 20;

/// How far it is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Swept {
    /// Of the migration whose step began it: another step begins another one.
    version: i64,
    /// By the uuid of an index, its shards; empty before the first stretch.
    #[serde(default)]
    indices: BTreeMap<String, Vec<Shard>>,
}

/// A shard with the sequence numbers that were looked at last, and that stood last when it began.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Shard {
    after: i64,
    last: i64,
}

/// One stretch.
pub struct Sweep<'a> {
    pub client: &'a Client,
    pub index: &'a str,
    pub judge: Judge<'a>,
}

impl Swept {
    /// Reads what was noted.
    pub fn read(noted: &Value) -> Self {
        serde_json::from_value(noted.clone()).unwrap_or_default()
    }

    /// The note.
    pub fn note(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}

impl Sweep<'_> {
    /// Looks for a while, and notes whose documents have to go; tells whether all were looked at.
    pub async fn stretch(&self, turn: &Turn, swept: &mut Swept) -> Result<bool, Stop> {
        let until = Instant::now() + STRETCH;
        let indices = self.client.indices(self.index).await;
        for own in indices.map_err(|failure| self.stop(&failure))? {
            if !swept.indices.contains_key(&own.uuid) {
                let began = self.begin(&own).await;
                let began = began.map_err(|failure| self.stop(&failure))?;
                swept.indices.insert(own.uuid.clone(), began);
            }
            let shards = swept.indices.get_mut(&own.uuid).into_iter().flatten();
            for (number, shard) in (0..).zip(shards) {
                while shard.after < shard.last {
                    if Instant::now() >= until {
                        return Ok(false);
                    }
                    turn.keep().await?;
                    self.page(turn, (&own.name, number), shard).await?;
                    fail::fail_point!("page-of-a-sweep");
                }
            }
        }
        Ok(true)
    }

    async fn begin(&self, own: &crate::legacy::Index) -> Result<Vec<Shard>, Failure> {
        match self.client.refresh(&own.name).await {
            // Without the right to, what shows is what there is.
            Ok(()) | Err(Failure::Lasting { status: 403, .. }) => {}
            Err(failure) => return Err(failure),
        }
        let ends = self.client.checkpoints(own).await?.into_iter();
        Ok(ends.map(|last| Shard { after: -1, last }).collect())
    }

    /// Looks at the next documents of a shard, which then begins behind them.
    async fn page(
        &self,
        turn: &Turn,
        (index, number): (&str, u32),
        shard: &mut Shard,
    ) -> Result<(), Stop> {
        let mut size = PAGE;
        let page = loop {
            let ask = PageAsk {
                index,
                shard: number,
                after: shard.after,
                last: Some(shard.last),
                size,
                with_source: true,
                most_bytes: if size == 1 {
                    MOST_BYTES_OF_ONE
                } else {
                    MOST_BYTES
                },
            };
            match self.client.page(ask).await {
                Err(Failure::TooLarge(_)) if size > 1 => size = (size / 4).max(1),
                other => break other.map_err(|failure| self.stop(&failure))?,
            }
        };
        let hits = hits(&page).map_err(|failure| self.stop(&failure))?;
        let read = || hits.iter().map(|hit| self.judge.hit(hit)).collect();
        let said: Vec<Said> = tokio::task::block_in_place(read);
        self.note(turn, &hits, &said).await?;
        shard.after = match hits.last() {
            Some(last) if hits.len() == size => last._seq_no,
            _ => shard.last,
        };
        Ok(())
    }

    /// Notes the ids of documents whose people were erased. Of who came back only what Roster itself once wrote: anything else is judged
    /// when it is written over.
    async fn note(&self, turn: &Turn, hits: &[Hit<'_>], said: &[Said]) -> Result<(), Stop> {
        let (store, used) = (&turn.store, Versions::of(&turn.progress));
        let erased = self.judge.erased(store, said).await?;
        let erased = hits.iter().zip(said).zip(erased);
        let erased: Vec<(&Hit<'_>, &Identity, Timestamp)> = erased
            // The database takes no such text.
            .filter(|((hit, _), _)| !hit._id.contains('\0'))
            // That somebody is deleted is the legacy store's own to keep.
            .filter(|((_, said), _)| !said.is_deletion)
            .filter_map(|((hit, said), at)| Some((hit, &said.id, at?)))
            .collect();
        if erased.is_empty() {
            return Ok(());
        }
        let mirror = self.judge.mirror;
        let names: Vec<&Identity> = erased.iter().map(|(_, name, _)| *name).collect();
        let owners = store.find_owners(mirror.project_id, &names).await?;
        let gone = erased.iter().zip(owners);
        let gone: Vec<(&str, Timestamp)> = gone
            .filter(|((hit, ..), owner)| owner.is_none() || used.has(hit._version))
            .map(|((hit, _, at), _)| (&*hit._id, *at))
            .collect();
        let kind = self.judge.reverse.document_kind();
        store
            .note_gone(turn.fence, (mirror.project_id, kind), &gone)
            .await?;
        Ok(())
    }

    fn stop(&self, failure: &Failure) -> Stop {
        Stop::Other(format!("index {}: {failure}", self.index))
    }
}
