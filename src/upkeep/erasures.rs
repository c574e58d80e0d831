//! Finishing erasures: those whose node was killed, and the sweeps. Every node does it; all of it may be done twice.

use crate::store::{Error, Store};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a node looks for work, plus a random part so that nodes take turns.
const PAUSE: Duration = Duration::from_secs(2);
const MAX_JITTER_MS: u64 = 1_000;
/// Erasures of one look, and the most time for each.
const AT_ONCE: i64 = 50;
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs for as long as the process lives.
pub async fn run(store: Store) {
    loop {
        sleep(PAUSE + Duration::from_millis(rand::random_range(0..=MAX_JITTER_MS))).await;
        if let Err(error) = finish_erasures(&store).await {
            tracing::warn!(reason = %error.full_text(), "erasures wait");
        }
    }
}

/// Goes on with erasures whose node was killed, and sweeps up behind the others, until none is due.
async fn finish_erasures(store: &Store) -> Result<(), Error> {
    loop {
        let due = store.open_erasures(AT_ONCE).await?;
        for request in &due {
            if store.sweep(request, Instant::now() + PATIENCE).await? {
                tracing::info!(erasure = %request.id, "erasure finished");
            }
        }
        if (due.len() as i64) < AT_ONCE {
            return Ok(());
        }
    }
}
