//! The pace of all files that a node takes in: as fast as live traffic does not feel it.

use crate::ingest::{Ingest, Tempo};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often it is judged how live traffic fares.
const LOOK: Duration = Duration::from_millis(400);
/// Looks after which nothing is gained any more.
const MOST_LOOKS: u128 = 20;

/// One for the node: files share what live traffic leaves.
#[derive(Debug)]
pub(super) struct Pace {
    tempo: Mutex<(Tempo, Instant)>,
    /// Who waits for a turn: pieces that are ready at once do not go at once.
    line: tokio::sync::Mutex<()>,
}

/// Who has waited while nobody was there may go as fast as if it had looked all the time.
fn looks(waited: Duration) -> u128 {
    (waited.as_millis() / LOOK.as_millis()).min(MOST_LOOKS)
}

impl Pace {
    pub fn new() -> Self {
        Self {
            tempo: Mutex::new((Tempo::new(0, 0), Instant::now())),
            line: tokio::sync::Mutex::default(),
        }
    }

    /// Waits until the next records may be written; how many of these.
    pub async fn turn(&self, ingest: &Ingest, records: usize) -> usize {
        let _first = self.line.lock().await;
        let at = self.held().0.next();
        sleep_until(at).await;
        let mut held = self.held();
        let (tempo, looked) = &mut *held;
        for _ in 0..looks(looked.elapsed()) {
            tempo.look(ingest.live_time());
            *looked = Instant::now();
            if tempo.is_beside_live() {
                break;
            }
        }
        let most = tempo.batch().clamp(1, records);
        tempo.begin(most, 0);
        most
    }

    fn held(&self) -> MutexGuard<'_, (Tempo, Instant)> {
        self.tempo.lock().expect("no holder panics")
    }
}
