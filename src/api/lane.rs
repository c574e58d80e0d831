//! Lanes: whose memory and whose threads a request uses before it is known to belong to a project, and after.
//!
//! Whoever shows no known key before its body travels in a small lane of its own, so that strangers can't take the room of
//! those who are known. The batches behind `Ingest` have lanes of their own; this is about bodies.

use crate::domain::ProjectId;
use crate::ingest::Admission;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Room for bodies, and permits for heavy work on them.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Bytes that may be in memory at once.
    pub room: Admission,
    /// One for each body that may be decoded or parsed beside the HTTP threads.
    pub decoders: Arc<Semaphore>,
}

/// The lanes of a service.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// Of callers whose key is known.
    pub known: Lane,
    /// Of those who may turn out to be anybody: the beginnings of their bodies, in which most keys stand.
    pub beginnings: Lane,
    /// The same without a known key in the beginning.
    pub strangers: Lane,
}

/// Bytes of beginnings at once: thirty, each in twice the 64 KiB that it may have, while a body of strangers' takes up all of their
/// own room.
const BEGINNINGS: usize = 4 << 20;

impl Lanes {
    /// The lanes of a service whose known callers have one already.
    pub fn new(known: Lane, stranger_bytes: usize) -> Self {
        Self {
            known,
            beginnings: Lane::new(BEGINNINGS, 1),
            strangers: Lane::new(stranger_bytes, 1),
        }
    }
}

impl Lane {
    /// Opens a lane of its own.
    pub fn new(bytes: usize, decoders: usize) -> Self {
        Self::within(Admission::new(bytes), decoders)
    }

    /// Opens a lane within room that others use too.
    pub fn within(room: Admission, decoders: usize) -> Self {
        let decoders = Arc::new(Semaphore::new(decoders));
        Self { room, decoders }
    }

    /// The same lane, with the part of its room that a project may hold.
    pub fn of(&self, project_id: ProjectId) -> Self {
        Self {
            room: self.room.of(project_id),
            decoders: self.decoders.clone(),
        }
    }
}
