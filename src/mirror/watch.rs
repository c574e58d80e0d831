//! Who else writes to an index: whatever was written since the mirror began with a version that is not ours.
//!
//! Documents are looked through in the order in which they were written, by their sequence numbers. One that somebody deletes
//! does not show so, nor one that Roster has written over since; that is seen when Roster reads it.

use super::version;
use crate::legacy::{Client, Failure, PageAsk, hits};
use std::collections::BTreeMap;

/// Documents of one look into a shard, and looks at the most: what is left comes the next time.
const PAGE: usize = 1_000;
const PAGES: usize = 20;
/// Bytes of an answer: ids and numbers alone.
const MOST_BYTES: usize = 4 << 20;

/// By the uuid of an index, the last sequence number of each shard that was looked at.
pub type Watched = BTreeMap<String, Vec<i64>>;

/// Looks at what was written since the last time; tells how many documents are not ours. The first look at an index only notes where it
/// begins; an index that is not there any more is forgotten, so that it is a new one when it comes back.
///
/// # Errors
/// When the store does not answer; what was looked at is noted all the same.
pub async fn look(client: &Client, index: &str, watched: &mut Watched) -> Result<i64, Failure> {
    let (mut foreign, indices) = (0, client.indices(index).await?);
    watched.retain(|uuid, _| indices.iter().any(|own| own.uuid == *uuid));
    for own in indices {
        let ends = client.checkpoints(&own).await?;
        let Some(places) = watched.get_mut(&own.uuid) else {
            watched.insert(own.uuid, ends);
            continue;
        };
        match client.refresh(&own.name).await {
            // Without the right to, what shows is what there is.
            Ok(()) | Err(Failure::Lasting { status: 403, .. }) => {}
            Err(failure) => return Err(failure),
        }
        for ((shard, place), end) in (0..).zip(places.iter_mut()).zip(ends) {
            foreign += shard_since(client, (&own.name, shard), place, end).await?;
        }
    }
    Ok(foreign)
}

/// True where an index came that was not there before: what was published stands in another one.
pub fn is_replaced(before: &Watched, now: &Watched) -> bool {
    let is_known = |uuid: &String| before.contains_key(uuid);
    !before.is_empty() && !now.keys().all(is_known)
}

async fn shard_since(
    client: &Client,
    (index, shard): (&str, u32),
    place: &mut i64,
    end: i64,
) -> Result<i64, Failure> {
    let mut foreign = 0;
    for _ in 0..PAGES {
        if *place >= end {
            break;
        }
        let ask = PageAsk {
            index,
            shard,
            after: *place,
            last: Some(end),
            size: PAGE,
            with_source: false,
            most_bytes: MOST_BYTES,
        };
        let page = client.page(ask).await?;
        let hits = hits(&page)?;
        let others = hits.iter().filter(|hit| hit._version % version::STEP != 0);
        foreign += others.count() as i64;
        *place = match hits.last() {
            Some(last) if hits.len() == PAGE => last._seq_no,
            _ => end,
        };
    }
    Ok(foreign)
}
