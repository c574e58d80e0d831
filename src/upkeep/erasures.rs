//! Finishing erasures: those whose node was killed, and the sweeps.

use super::frame::{Turn, Work, caught, pause_after};
use crate::store::{DueErasure, Error};
use std::time::Duration;
use tokio::time::Instant;

/// Erasures of one look, and the most time for each; a long life goes on in the next look, behind the others.
const AT_ONCE: i64 = 50;
const PATIENCE: Duration = Duration::from_secs(5);

/// Goes on with erasures whose node was killed, and sweeps up behind the others.
pub struct Erasures;

impl Work for Erasures {
    const NAME: &'static str = "erasures";

    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        for erasure in turn.store.due_erasures(AT_ONCE).await? {
            turn.keep().await?;
            match caught(Self::NAME, sweep(turn, &erasure)).await {
                Ok(true) => tracing::info!(erasure = %erasure.id, "erasure finished"),
                Ok(false) => {}
                Err(Error::TurnLost(worker)) => return Err(Error::TurnLost(worker)),
                Err(error) => put_off(turn, &erasure, &error).await?,
            }
        }
        Ok(())
    }
}

/// One that can't be read, or whose data the database refuses, waits by itself.
async fn put_off(turn: &Turn, erasure: &DueErasure, error: &Error) -> Result<(), Error> {
    let pause = pause_after(erasure.attempts);
    tracing::warn!(erasure = %erasure.id, reason = %error.full_text(), ?pause, "an erasure waits");
    let postponed = turn.store.put_off_erasure(turn.fence, erasure, pause);
    postponed.await
}

async fn sweep(turn: &Turn, erasure: &DueErasure) -> Result<bool, Error> {
    let until = Instant::now() + PATIENCE;
    turn.store.sweep(turn.fence, erasure, until).await
}
