//! Group commit: items of many requests are written together, and each request is answered after its commit.
//!
//! Promises: an answer means committed; memory is bounded by `Admission`; one bad item costs its neighbours nothing.
//! Because every write is idempotent and merges ignore order, batches may run in parallel, be retried and be replayed.

pub mod admission;
mod batcher;
mod fold;
mod links;
mod round;
mod write;

pub use admission::{Admission, Reservation};

use crate::config::{self, millis};
use crate::domain::identity::Merge;
use crate::domain::profile::Room;
use crate::domain::{Item, Receipt, Timestamp};
use crate::metric_names::{ITEMS_DUPLICATE, ITEMS_RECEIVED, ITEMS_REJECTED, ITEMS_STORED};
use crate::store::{Error, Store};
use batcher::{Share, Writer};
use links::KnownLinks;
use metrics::counter;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Why nothing can be said about a request's items; sending the same again is always safe.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The service is stopping.
    #[error("the service is stopping")]
    Draining,
    /// The database did not answer in time, or refused for reasons of its own.
    #[error("the database did not take the batch")]
    Store,
}

/// The one way to write. Dropping the last clone ends the batcher after its last flush.
#[derive(Clone)]
pub struct Ingest {
    store: Store,
    shares: mpsc::UnboundedSender<Share>,
    admission: Admission,
    max_share_rows: usize,
    max_share_bytes: usize,
}

impl Ingest {
    /// Builds the entrance and the batcher behind it, a future for the main runtime.
    ///
    /// The channel between them has no bound of its own: whoever submits holds a `Reservation`, which bounds what can wait.
    pub fn new(
        store: Store,
        settings: &config::Ingest,
        limits: &config::Limits,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (shares, receiver) = mpsc::unbounded_channel();
        let writer = Writer {
            store: store.clone(),
            links: KnownLinks::new(settings.known_links),
            deadline: millis(settings.write_deadline_ms),
            room: Room {
                identities: limits.profile_identities,
                traits: limits.profile_traits,
                bytes: limits.profile_bytes,
            },
        };
        let ingest = Self {
            store,
            shares,
            admission: Admission::new(settings.max_bytes_in_flight),
            max_share_rows: settings.max_batch_rows,
            max_share_bytes: settings.max_batch_bytes,
        };
        (
            ingest,
            batcher::run(receiver, Arc::new(writer), settings.clone()),
        )
    }

    /// Waits until every item is committed or refused; one receipt for each item, in their order.
    ///
    /// # Errors
    /// When nothing can be said about the items: see `SubmitError`.
    pub async fn submit(&self, items: Vec<Item>) -> Result<Vec<Receipt>, SubmitError> {
        let mut answers = Vec::new();
        for items in self.shares_of(items) {
            let (reply, answer) = oneshot::channel();
            let bytes = items.iter().map(Item::bytes).sum();
            self.shares
                .send(Share {
                    items,
                    bytes,
                    reply,
                })
                .map_err(|_| SubmitError::Draining)?;
            answers.push(answer);
        }
        let mut receipts = Vec::new();
        for answer in answers {
            receipts.extend(answer.await.map_err(|_| SubmitError::Draining)??);
        }
        count(&receipts);
        Ok(receipts)
    }

    /// Cuts a request that is larger than a batch may be.
    fn shares_of(&self, items: Vec<Item>) -> Vec<Vec<Item>> {
        let (mut shares, mut share, mut bytes) = (Vec::new(), Vec::new(), 0);
        for item in items {
            if share.len() >= self.max_share_rows || bytes >= self.max_share_bytes {
                shares.push(std::mem::take(&mut share));
                bytes = 0;
            }
            bytes += item.bytes();
            share.push(item);
        }
        if !share.is_empty() {
            shares.push(share);
        }
        shares
    }

    /// Merges two known profiles because a caller says so.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn merge(&self, merge: Merge, at: Timestamp) -> Result<(), Error> {
        self.store.merge_profiles(merge, at).await
    }

    /// The room for requests in memory.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }
}

/// Counts per request, not per item: counters are shared by every thread.
fn count(receipts: &[Receipt]) {
    let stored = receipts
        .iter()
        .filter(|receipt| **receipt == Receipt::Stored)
        .count();
    let duplicate = receipts
        .iter()
        .filter(|receipt| **receipt == Receipt::Duplicate)
        .count();
    counter!(ITEMS_RECEIVED).increment(receipts.len() as u64);
    counter!(ITEMS_STORED).increment(stored as u64);
    counter!(ITEMS_DUPLICATE).increment(duplicate as u64);
    for receipt in receipts {
        if let Receipt::Rejected(rejection) = receipt {
            counter!(ITEMS_REJECTED, "code" => rejection.code.as_str()).increment(1);
        }
    }
}

/// Tells everyone in a batch that nothing can be said about their items; the log has the reason, once.
fn refuse(batch: Vec<Share>, error: &Error) {
    tracing::error!(shares = batch.len(), reason = %error.full_text(), "batch was not written");
    for share in batch {
        // Nobody may be waiting any more.
        drop(share.reply.send(Err(SubmitError::Store)));
    }
}
