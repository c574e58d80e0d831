//! Connections that have not sent one whole request yet: actix gathers up to 128 KiB of an unfinished head for each, so their
//! number is bounded. Those beyond are closed at once.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for connections without a request.
#[derive(Clone, Debug)]
pub struct Newcomers(Arc<Semaphore>);

/// The place of one connection, until its first request or its end.
#[derive(Debug)]
pub struct Place(Mutex<Option<OwnedSemaphorePermit>>);

impl Newcomers {
    /// So many places.
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Takes a place, if one is free.
    pub fn admit(&self) -> Option<Place> {
        let permit = self.0.clone().try_acquire_owned().ok()?;
        Some(Place(Mutex::new(Some(permit))))
    }
}

impl Place {
    /// The connection has shown a request: somebody else may come.
    pub fn leave(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_after_a_request_or_the_end() {
        let newcomers = Newcomers::new(1);
        let first = newcomers.admit().expect("free");
        assert!(newcomers.admit().is_none());
        first.leave();
        let second = newcomers.admit().expect("free again");
        first.leave();
        assert!(newcomers.admit().is_none());
        drop(second);
        assert!(newcomers.admit().is_some());
    }
}
