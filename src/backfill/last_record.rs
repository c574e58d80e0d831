//! The last record of a partition that was done, and by what it is known again: another one at its offset belongs to another topic.
//!
//! The database keeps bytes: a digest of the record right before the position. Where marks of transactions lie between the two, its
//! offset follows the digest. Nodes that know nothing of that find no record at a mark, or one of another topic, and both are right.

use super::arrival::Arrived;
use crate::domain::Timestamp;
use crate::store::TakenPartition;
use sha2::{Digest, Sha256};

/// Bytes of a record's digest: enough to tell two records apart.
const DIGEST_BYTES: usize = 16;

/// Where the last record stood, and what it looked like.
pub(super) struct LastRecord {
    pub offset: i64,
    at: Option<Timestamp>,
    digest: Vec<u8>,
}

impl LastRecord {
    /// As the database has it; `None` where there was no record, or nothing is known of it.
    pub fn of(taken: &TakenPartition) -> Option<Self> {
        let kept = taken.last_digest.as_deref()?;
        let (digest, offset) = kept.split_at_checked(DIGEST_BYTES)?;
        let before = taken.next_offset?.checked_sub(1)?;
        let offset = <[u8; 8]>::try_from(offset).map_or(before, i64::from_be_bytes);
        Some(Self {
            offset,
            at: taken.last_at,
            digest: digest.to_vec(),
        })
    }

    /// Whether a record at its offset is this one.
    pub fn is(&self, arrived: &Arrived) -> bool {
        arrived.timestamp() == self.at && digest_of(arrived) == self.digest
    }
}

/// By what a record is known again while it is the one right before the position.
pub(super) fn digest_of(arrived: &Arrived) -> Vec<u8> {
    let mut digest = Sha256::new();
    let key = arrived.key.as_deref().unwrap_or_default();
    digest.update((key.len() as u64).to_be_bytes());
    digest.update(key);
    digest.update(arrived.value.as_deref().unwrap_or_default());
    digest.finalize()[..DIGEST_BYTES].to_vec()
}

/// Notes that marks follow the record, which ended at `next`.
pub(super) fn followed_by_marks(digest: &mut Vec<u8>, next: i64) {
    if digest.len() == DIGEST_BYTES {
        digest.extend((next - 1).to_be_bytes());
    }
}
