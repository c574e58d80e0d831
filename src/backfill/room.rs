//! The memory that records may hold from Kafka to their receipts.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes for all records of this process.
#[derive(Clone)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    total: usize,
}

/// A part of it, given back when it is dropped.
pub(super) type Held = Option<OwnedSemaphorePermit>;

impl Room {
    pub fn new(total: usize) -> Self {
        let free = Arc::new(Semaphore::new(total));
        Self { free, total }
    }

    pub fn total(&self) -> usize {
        self.total
    }

    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Takes so much, or all that is left: what asks is here already, and nothing more is fetched before there is room again.
    pub fn take(&self, bytes: usize) -> Held {
        let bytes = bytes.min(self.free());
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.free.clone().try_acquire_many_owned(permits).ok()
    }
}
