//! The pace of all files that a node takes in: as fast as live traffic does not feel it.

use crate::ingest::{Ingest, Tempo};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often it is judged how live traffic fares.
const LOOK: Duration = Duration::from_millis(400);

/// One for the node: files share what live traffic leaves.
#[derive(Debug)]
pub(super) struct Pace(Mutex<(Tempo, Instant)>);

impl Pace {
    pub fn new() -> Self {
        Self(Mutex::new((Tempo::new(0, 0), Instant::now())))
    }

    /// Waits until the next records may be written; how many of these.
    pub async fn turn(&self, ingest: &Ingest, records: usize) -> usize {
        let at = self.held().0.next();
        sleep_until(at).await;
        let mut held = self.held();
        let (tempo, looked) = &mut *held;
        if looked.elapsed() >= LOOK {
            tempo.look(ingest.live_time());
            *looked = Instant::now();
        }
        let most = tempo.batch().clamp(1, records);
        tempo.begin(most, 0);
        most
    }

    fn held(&self) -> MutexGuard<'_, (Tempo, Instant)> {
        self.0.lock().expect("no holder panics")
    }
}
