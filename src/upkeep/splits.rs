//! Finishing splits: those whose node was killed or whose time was over, and the sweeps.

use super::frame::{Turn, Work, caught, pause_after};
use crate::domain::Limits;
use crate::store::{Error, Split};
use std::time::Duration;
use tokio::time::Instant;

/// Splits of one look, and the most time for each; a long life goes on in the next look, behind the others.
const AT_ONCE: i64 = 50;
const PATIENCE: Duration = Duration::from_secs(5);

/// Moves what is left of people who were taken apart, and sweeps up behind.
pub struct Splits(pub Limits);

impl Work for Splits {
    const NAME: &'static str = "splits";

    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        for split in turn.store.due_splits(AT_ONCE).await? {
            turn.keep().await?;
            let until = Instant::now() + PATIENCE;
            let sweeping = turn.store.sweep_split(turn.fence, &split, &self.0, until);
            match caught(Self::NAME, sweeping).await {
                Ok(_) => {}
                Err(Error::TurnLost(worker)) => return Err(Error::TurnLost(worker)),
                Err(error) => put_off(turn, &split, &error).await?,
            }
        }
        Ok(())
    }
}

/// One that can't be read, or whose data the database refuses, waits by itself.
async fn put_off(turn: &Turn, split: &Split, error: &Error) -> Result<(), Error> {
    let pause = pause_after(split.attempts);
    tracing::warn!(profile = %split.profile_id, reason = %error.full_text(), ?pause, "a split waits");
    let attempts = split.attempts.saturating_add(1);
    let next = (pause, attempts);
    let postponed = turn.store.put_off_split(split, Some(turn.fence), "", next);
    postponed.await
}
