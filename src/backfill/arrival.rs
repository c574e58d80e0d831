//! What the thread that reads and the rest of a backfill tell each other.

use super::ends::IdlePartition;
use super::room::Held;
use crate::domain::Timestamp;
use crate::mapping::Record;
use crate::store::TakenPartition;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, mpsc as orders};
use uuid::Uuid;

/// What the thread tells.
pub(super) enum Arrival {
    Record(Arrived),
    Assigned {
        owner: Uuid,
        partitions: Vec<TakenPartition>,
    },
    /// Partitions go to somebody else once the sender of the reply is dropped, or soon.
    Revoked(Vec<i32>, orders::Sender<()>),
    /// Nothing but marks lies before this offset.
    Idle(IdlePartition),
    /// Can't go on; to be begun anew after a pause, or never where it says what has to be done first.
    Failed(Failure),
}

/// Why a consumer ended.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Passes by itself: another consumer is to be made.
    Passing(String),
    /// Somebody has to decide: the source is paused with this reason.
    Lasting(String),
}

/// A record with the room that it holds.
pub(super) struct Arrived {
    pub partition: i32,
    /// The assignment by which it came.
    pub owner: Uuid,
    pub offset: i64,
    /// Where the record delivered before it ended; what lies between has no record. Set where it is admitted.
    pub after: i64,
    /// Kafka's timestamp in milliseconds.
    pub at: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Bytes>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub _room: Held,
}

impl Arrived {
    /// Kafka's timestamp.
    pub fn timestamp(&self) -> Option<Timestamp> {
        Timestamp::from_micros(self.at?.checked_mul(1_000)?)
    }

    /// As mappings read it.
    pub fn as_record(&self) -> Record<'_> {
        Record {
            key: self.key.as_deref(),
            value: self.value.as_ref(),
            headers: &self.headers,
            at: self.timestamp(),
            from: None,
        }
    }

    /// What it holds.
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.len());
        self.key.as_ref().map_or(0, Vec::len)
            + self.value.as_ref().map_or(0, Bytes::len)
            + headers.sum::<usize>()
    }
}

/// What the thread is told.
pub(super) enum Order {
    /// All before these offsets is done.
    Commit(Vec<(i32, i64)>),
    Stop,
}

/// The ends of partitions as last seen, and when the thread last looked.
#[derive(Default)]
pub(super) struct Seen {
    pub ends: Mutex<HashMap<i32, (i64, i64)>>,
    /// Rounds of the thread: one that does not move is stuck.
    pub rounds: AtomicU64,
    pub is_without_brokers: AtomicBool,
}

impl Seen {
    /// The end of what can be read, and the end of all.
    pub fn end(&self, partition: i32) -> Option<(i64, i64)> {
        self.ends
            .lock()
            .expect("no holder panics")
            .get(&partition)
            .copied()
    }
}
