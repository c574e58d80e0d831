//! Gives up what nobody went on with, and forgets what ended long ago.

use super::Imports;
use super::stopped::Stopped;
use crate::store::Error;
use crate::upkeep::frame::{Turn, Work};
use std::time::Duration;

/// Jobs of one look.
const AT_ONCE: i64 = 50;

/// The work.
pub struct OldImports(pub Imports);

impl Work for OldImports {
    const NAME: &'static str = "old imports";

    fn interval(&self) -> Duration {
        self.0.parts.patience().min(Duration::from_secs(60))
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        for key in turn.store.due_imports(AT_ONCE).await? {
            turn.keep().await?;
            let given_up = match self.0.open(key).await {
                Ok(intake) => intake.give_up().await,
                Err(stopped) => Err(stopped),
            };
            match given_up {
                Ok(()) => tracing::info!(import = %key.1, "nobody went on with an import"),
                Err(Stopped::Paused(_) | Stopped::Refused(_)) => self.cancel(key).await,
                Err(stopped) => {
                    tracing::warn!(import = %key.1, reason = %stopped, "an import is not given up")
                }
            }
        }
        while turn.store.forget_imports(turn.fence, AT_ONCE).await? == AT_ONCE {
            turn.keep().await?;
        }
        Ok(())
    }
}

impl OldImports {
    /// One that nobody let go on, or that can't be read any more.
    async fn cancel(&self, key: super::JobKey) {
        if let Err(stopped) = self.0.cancel(key).await {
            tracing::warn!(import = %key.1, reason = %stopped, "an import is not given up");
        }
    }
}
