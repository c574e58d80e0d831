//! The records of a source's topic, partition by partition, up to where each ended when the verification began.
//!
//! For who leaves a store of which there is no index to ask: each record has to be in Roster, or to have given way to something newer,
//! whatever came behind it. Nobody can be asked for by a name here, so there is no walk over people.

use super::Stop;
use super::progress::{Progress, Shard};
use super::scene::Scene;
use super::seen::Seen;
use crate::backfill::{OffsetRange, Past, PastRecord};
use crate::store::AsOf;
use std::sync::Arc;
use tokio::task::block_in_place;

/// Records of a page, and bytes of them.
const PAGE: (usize, usize) = (500, 4 << 20);

impl Scene<'_> {
    /// Begins with the first stretch, and sees with each whether the topic is still the same.
    pub(super) fn begin_records(&self, past: &Past, progress: &mut Progress) -> Result<(), Stop> {
        let topic = &past.source().topic;
        let ends = block_in_place(|| past.ends()).map_err(Stop::Passing)?;
        if progress.round == 0 {
            let shard = |(number, first, end): (i32, i64, i64)| Shard {
                index: topic.clone(),
                uuid: String::new(),
                number: number.unsigned_abs(),
                after: first - 1,
                last: end - 1,
            };
            progress.shards = ends.into_iter().map(shard).collect();
            (progress.round, progress.has_people) = (1, true);
            return Ok(());
        }
        let is_there = |shard: &Shard| {
            let mut ends = ends
                .iter()
                .map(|(number, _, end)| (number.unsigned_abs(), *end));
            shard.index == *topic
                && ends.any(|(number, end)| number == shard.number && end > shard.last)
        };
        match progress.shards.iter().all(is_there) {
            true => Ok(()),
            false => Err(Stop::End(format!("topic {topic} was made anew meanwhile"))),
        }
    }

    /// The next page, judged.
    pub(super) async fn record_page(
        &self,
        past: &Past<'_>,
        progress: &mut Progress,
    ) -> Result<Vec<Seen>, Stop> {
        let mut shards = progress.shards.iter_mut();
        let Some(shard) = shards.find(|shard| shard.after < shard.last) else {
            progress.has_documents = true;
            return Ok(Vec::new());
        };
        let range = OffsetRange {
            partition: shard.number.cast_signed(),
            from: shard.after + 1,
            until: shard.last + 1,
        };
        let read = block_in_place(|| past.read(range, PAGE));
        let (records, next) = read.map_err(Stop::Passing)?;
        shard.after = next - 1;
        let records: Vec<Arc<PastRecord>> = records.into_iter().map(Arc::new).collect();
        self.judge_records(AsOf::Lately, &records).await
    }
}
