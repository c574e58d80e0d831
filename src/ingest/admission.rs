//! Admission by bytes: what is in memory at once is bounded, and what exceeds the bound is told to come back.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes of requests that may be in memory at once.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Semaphore>);

/// Bytes held by one request until it is answered; given back when dropped.
#[derive(Debug)]
pub struct Reservation(OwnedSemaphorePermit);

impl Admission {
    /// Opens `bytes` of room.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Takes room at once or not at all: a queue for memory would hold memory.
    pub fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        let bytes = u32::try_from(bytes).ok()?;
        self.0
            .clone()
            .try_acquire_many_owned(bytes)
            .ok()
            .map(Reservation)
    }

    /// Waits for room, in the order of asking; for reads, which hold nothing while they wait. `None` where there never is as much.
    pub async fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let bytes = u32::try_from(bytes).ok()?;
        let permit = self.0.clone().acquire_many_owned(bytes).await;
        permit.ok().map(Reservation)
    }

    /// The room left.
    pub fn available_bytes(&self) -> usize {
        self.0.available_permits()
    }
}

impl Reservation {
    /// Adds what another reservation holds.
    pub fn absorb(&mut self, other: Self) {
        self.0.merge(other.0);
    }
}
