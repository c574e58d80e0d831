//! Documents that were sent and are not in the index any more: no pass ever meets them.
//!
//! The topic knows what was sent, the index what is there. Their keys are compared by hash, some millions at a time, so that memory is
//! bounded; both sides are read once for each such part. What is gone is said with the document as it was last, so that a mapping finds
//! the same names in it.

use super::job::Export;
use super::state::WHOLE;
use super::walk::Walk;
use crate::backfill::{Found, NotSent, Outgoing};
use crate::domain::Timestamp;
use crate::legacy::Hit;
use crate::legacy::record::{self, GONE_HEADER, INDEX_HEADER};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Keys held at once: about 50 bytes each.
const KEYS: u64 = 2_000_000;
/// Below this many a share says little: one of three may well be gone.
const FEW: usize = 20;

/// Where a key's last record stands.
type Sent = HashMap<u128, (i32, i64)>;

/// A record that is to be sent.
struct Notice {
    key: String,
    index: String,
    value: Vec<u8>,
}

/// Says of every document that is gone that it is; tells how many.
pub async fn sweep(export: &Export) -> Result<u64, String> {
    let records: i64 = tokio::task::block_in_place(|| export.topic.ends())?
        .iter()
        .map(|(_, first, end)| end - first)
        .sum();
    let parts = u128::from((records.max(0) as u64).div_ceil(KEYS).max(1));
    let mut gone = 0;
    for part in 0..parts {
        gone += sweep_part(export, part, parts).await?;
    }
    Ok(gone)
}

async fn sweep_part(export: &Export, part: u128, parts: u128) -> Result<u64, String> {
    let is_own = move |key: u128| key % parts == part;
    // Who was sent before this and is not there after it was gone at some time between.
    let mut sent = tokio::task::block_in_place(|| all_sent(export, is_own))?;
    let at = (export.now)();
    let known = sent.len();
    remove_present(export, &mut sent).await?;
    let most = (known * usize::from(export.options.max_gone_percent) / 100).max(FEW);
    if sent.len() > most {
        return Err(format!(
            "{} of {known} documents that were sent are gone from {}: more than {} percent; --max-gone-percent allows it",
            sent.len(),
            export.options.index,
            export.options.max_gone_percent
        ));
    }
    let notices = tokio::task::block_in_place(|| notices(export, &sent, at))?;
    for notice in &notices {
        tell(export, notice).await?;
    }
    Ok(notices.len() as u64)
}

/// All keys that were sent, but for those of which it was said already that they are gone.
fn all_sent(export: &Export, is_own: impl Fn(u128) -> bool) -> Result<Sent, String> {
    let mut sent = Sent::new();
    export.topic.scan(|found| {
        let Some(key) = found.key.map(hash).filter(|key| is_own(*key)) else {
            return;
        };
        if found.value.is_none() || found.header(GONE_HEADER).is_some() {
            sent.remove(&key);
        } else if found.header(INDEX_HEADER).is_some() {
            sent.insert(key, (found.partition, found.offset));
        }
    })?;
    Ok(sent)
}

/// Takes those out that the index has.
async fn remove_present(export: &Export, sent: &mut Sent) -> Result<(), String> {
    for index in export.indices().await? {
        for shard in 0..index.shards {
            let walk = Walk {
                client: &export.client,
                index: &index.name,
                shard,
                with_source: false,
                patience: export.options.patience,
            };
            let walked = walk.run(WHOLE, async |hits: &[Hit<'_>], _| {
                for hit in hits {
                    sent.remove(&hash(record::key(hit).as_bytes()));
                }
                Ok(())
            });
            walked.await?;
        }
    }
    // Had an index been made anew meanwhile, everybody would be gone.
    export.indices().await.map(drop)
}

fn notices(export: &Export, gone: &Sent, at: Timestamp) -> Result<Vec<Notice>, String> {
    let places: HashSet<(i32, i64)> = gone.values().copied().collect();
    let mut notices = Vec::new();
    if !places.is_empty() {
        export.topic.scan(|found| {
            if places.contains(&(found.partition, found.offset)) {
                notices.extend(notice(found, at));
            }
        })?;
    }
    Ok(notices)
}

/// The last document with the mark of its end; what can't be read was not sent by an export.
fn notice(found: &Found<'_>, at: Timestamp) -> Option<Notice> {
    let mut members: BTreeMap<&str, &RawValue> = serde_json::from_slice(found.value?).ok()?;
    let no = serde_json::value::to_raw_value(&false).ok()?;
    let at = serde_json::value::to_raw_value(&at.to_string()).ok()?;
    members.insert("found", &no);
    members.insert("deleted_at", &at);
    Some(Notice {
        key: String::from_utf8(found.key?.to_vec()).ok()?,
        index: String::from_utf8_lossy(found.header(INDEX_HEADER)?).into_owned(),
        value: serde_json::to_vec(&members).ok()?,
    })
}

async fn tell(export: &Export, notice: &Notice) -> Result<(), String> {
    let record = Outgoing {
        key: &notice.key,
        value: &notice.value,
        headers: &[(INDEX_HEADER, &notice.index), (GONE_HEADER, "true")],
    };
    let sent = export.topic.send(&record).await;
    sent.map_err(|error| match error {
        NotSent::Passing(text) | NotSent::Lasting(text) => text,
        NotSent::TooLarge => format!("document {} is too large for the topic", notice.key),
    })
}

fn hash(key: &[u8]) -> u128 {
    let digest = Sha256::digest(key);
    u128::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_the_last_document_with_the_mark_of_its_end() {
        let value = br#"{"_index":"people","_id":"7","_version":3,"_source":{"n": 1.10}}"#;
        let found = Found {
            partition: 0,
            offset: 5,
            key: Some(b"7"),
            value: Some(value),
            headers: vec![(INDEX_HEADER, b"people")],
        };
        let at = Timestamp::parse("2024-01-01T00:00:00Z").expect("a time");
        let notice = notice(&found, at).expect("one");
        let text = String::from_utf8(notice.value).expect("text");
        assert!(
            text.contains(r#""found":false"#) && text.contains(r#""_source":{"n": 1.10}"#),
            "{text}"
        );
        assert!(text.contains("2024-01-01T00:00:00"), "{text}");
    }
}
