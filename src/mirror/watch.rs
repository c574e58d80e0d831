//! Who else writes to an index: whatever was written since the mirror began with a version that is not ours.
//!
//! Documents are looked through in the order in which they were written, by their sequence numbers. One that somebody deletes
//! does not show so, nor one that Roster has written over since; that is seen when Roster reads it.

use crate::domain::versions::Versions;
use crate::legacy::{Client, Failure, PageAsk, hits};
use std::collections::BTreeMap;

/// Documents of one look into a shard, and looks at the most: what is left comes the next time.
const PAGE: usize = 1_000;
const PAGES: usize = 20;
/// Bytes of an answer: ids and numbers alone.
const MOST_BYTES: usize = 4 << 20;

/// By the uuid of an index, the last sequence number of each shard that was looked at; by the name of a topic, where its partitions end.
pub type Watched = BTreeMap<String, Vec<i64>>;

/// Told apart from an index.
const TOPIC: &str = "topic ";

/// Looks at what was written since the last time; tells how many documents are not ours. The first look at an index only notes where it
/// begins; an index that is not there any more is forgotten, so that it is a new one when it comes back.
///
/// # Errors
/// When the store does not answer; what was looked at is noted all the same.
pub async fn look(
    client: &Client,
    index: &str,
    used: Versions,
    watched: &mut Watched,
) -> Result<i64, Failure> {
    let (mut foreign, indices) = (0, client.indices(index).await?);
    watched
        .retain(|uuid, _| uuid.starts_with(TOPIC) || indices.iter().any(|own| own.uuid == *uuid));
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
            foreign += shard_since(client, (&own.name, shard), used, (place, end)).await?;
        }
    }
    Ok(foreign)
}

/// True where an index came that was not there before: what was published stands in another one.
pub fn is_replaced(before: &Watched, now: &Watched) -> bool {
    let indices = |all: &'_ Watched| -> Vec<String> {
        let own = all.keys().filter(|key| !key.starts_with(TOPIC));
        own.cloned().collect()
    };
    let before = indices(before);
    !before.is_empty() && !indices(now).iter().all(|uuid| before.contains(uuid))
}

/// Notes where a topic ends (`None` where it is gone); true where what was published is not in it: its ends only grow.
pub fn is_topic_replaced(watched: &mut Watched, topic: &str, ends: Option<Vec<i64>>) -> bool {
    let key = format!("{TOPIC}{topic}");
    // Whichever comes in the place of one that is gone ends before that.
    let gone = || vec![i64::MAX];
    let before = watched.get(&key).cloned();
    let is_shorter = |before: &Vec<i64>, ends: &Vec<i64>| {
        let mut pairs = before.iter().zip(ends);
        ends.len() < before.len() || pairs.any(|(before, end)| end < before)
    };
    let is_replaced = match (&before, &ends) {
        (Some(before), Some(ends)) => is_shorter(before, ends),
        _ => false,
    };
    let noted = ends.or(before.is_some().then(gone));
    watched.extend(noted.map(|ends| (key, ends)));
    is_replaced
}

async fn shard_since(
    client: &Client,
    (index, shard): (&str, u32),
    used: Versions,
    (place, end): (&mut i64, i64),
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
        let others = hits.iter().filter(|hit| !used.may_have(hit._version));
        foreign += others.count() as i64;
        *place = match hits.last() {
            Some(last) if hits.len() == PAGE => last._seq_no,
            _ => end,
        };
    }
    Ok(foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_ends_before_it_did_is_another_one() {
        let mut watched = Watched::from([("uuid".to_owned(), vec![7])]);
        let mut is_replaced = |ends: Option<&[i64]>| {
            is_topic_replaced(&mut watched, "people", ends.map(<[i64]>::to_vec))
        };
        assert!(!is_replaced(None), "never seen");
        assert!(!is_replaced(Some(&[3, 0])) && !is_replaced(Some(&[3, 1])));
        assert!(!is_replaced(Some(&[3, 1, 0])), "it has grown");
        assert!(is_replaced(Some(&[3, 0, 9])) && is_replaced(Some(&[4, 4])));
        assert!(!is_replaced(None), "gone");
        assert!(is_replaced(Some(&[9, 9])) && !is_replaced(Some(&[9, 9])));
        let index = Watched::from([("uuid".to_owned(), vec![8])]);
        assert!(!super::is_replaced(&watched, &index));
        assert!(!super::is_replaced(&index, &watched));
    }
}
