//! What is known of a connection while it is open: its place among newcomers, and whether a request of it is being answered.
//!
//! actix gathers up to 128 KiB of an unfinished head, so a connection that has not shown a whole request yet needs a place, and so does
//! one that sends ahead. Their number is bounded; those beyond are closed.

use crate::metric_names::HTTP_CONNECTIONS;
use metrics::{Gauge, gauge};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for connections without a request.
#[derive(Clone)]
pub struct Newcomers {
    places: Arc<Semaphore>,
    open: Gauge,
}

/// One connection.
pub struct Connection {
    newcomers: Newcomers,
    place: Cell<Option<OwnedSemaphorePermit>>,
    /// A request was read whole, or up to its body, and has no answer yet.
    is_busy: Cell<bool>,
    waiting: Cell<Option<Waker>>,
}

/// One request of a connection, until it is answered.
pub struct Turn(Rc<Connection>);

impl Newcomers {
    /// So many places.
    pub fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            open: gauge!(HTTP_CONNECTIONS),
        }
    }

    /// Takes a place, if one is free.
    pub fn admit(&self) -> Option<Rc<Connection>> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        self.open.increment(1.0);
        Some(Rc::new(Connection {
            newcomers: self.clone(),
            place: Cell::new(Some(place)),
            is_busy: Cell::new(false),
            waiting: Cell::new(None),
        }))
    }
}

impl Connection {
    /// Has a place, or takes one again; `false` where none is free.
    pub fn keep_place(&self) -> bool {
        let place = self.place.take();
        let place = place.or_else(|| self.newcomers.places.clone().try_acquire_owned().ok());
        let has_one = place.is_some();
        self.place.set(place);
        has_one
    }

    /// The head of a request is with the parser.
    pub fn hand_over(&self) {
        self.is_busy.set(true);
    }

    /// A request has no answer yet.
    pub fn is_busy(&self) -> bool {
        self.is_busy.get()
    }

    /// Wakes the task of `context` after the next answer.
    pub fn wake_after_answer(&self, context: &Context) {
        self.waiting.set(Some(context.waker().clone()));
    }

    /// The connection has shown a request: its place is somebody else's.
    pub fn begin_turn(self: Rc<Self>) -> Turn {
        self.place.set(None);
        Turn(self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let connection = &self.0;
        connection.is_busy.set(false);
        if let Some(waiting) = connection.waiting.take() {
            waiting.wake();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.newcomers.open.decrement(1.0);
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
        first.hand_over();
        let turn = first.clone().begin_turn();
        let second = newcomers.admit().expect("free again");
        assert!(first.is_busy() && !first.keep_place() && second.keep_place());
        drop(turn);
        assert!(!first.is_busy());
        drop(second);
        assert!(first.keep_place() && newcomers.admit().is_none());
    }
}
