//! Connections that have not sent one whole request yet: actix gathers up to 128 KiB of an unfinished head for each, so their
//! number is bounded. Those beyond are closed at once.

use crate::metric_names::HTTP_CONNECTIONS;
use metrics::{Gauge, gauge};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for connections without a request.
#[derive(Clone)]
pub struct Newcomers {
    places: Arc<Semaphore>,
    open: Gauge,
}

/// One connection, and its place until its first request or its end.
pub struct Place {
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    open: Gauge,
}

impl Newcomers {
    /// So many places.
    pub fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            open: gauge!(HTTP_CONNECTIONS),
        }
    }

    /// Takes a place, if one is free.
    pub fn admit(&self) -> Option<Place> {
        let permit = self.places.clone().try_acquire_owned().ok()?;
        self.open.increment(1.0);
        Some(Place {
            permit: Mutex::new(Some(permit)),
            open: self.open.clone(),
        })
    }
}

impl Place {
    /// The connection has shown a request: somebody else may come.
    pub fn leave(&self) {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        drop(permit.take());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.decrement(1.0);
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
