//! Gives up what nobody went on with, and forgets what ended long ago.

use super::stopped::Stopped;
use super::{Imports, JobKey};
use crate::store::Error;
use crate::upkeep::frame::{Turn, Work};
use std::time::Duration;

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(5);
/// Jobs of one look.
const AT_ONCE: i64 = 50;

/// The work.
pub struct OldImports(pub Imports);

impl Work for OldImports {
    const NAME: &'static str = "old imports";

    fn interval(&self) -> Duration {
        self.0.parts.patience().min(LOOK)
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        for key in turn.store.due_imports(AT_ONCE).await? {
            turn.keep().await?;
            if let Err(stopped) = self.close(key).await {
                tracing::warn!(import = %key.1, reason = %stopped, "an import is not given up");
            }
        }
        while turn.store.forget_imports(turn.fence, AT_ONCE).await? == AT_ONCE {
            turn.keep().await?;
        }
        Ok(())
    }
}

impl OldImports {
    async fn close(&self, key: JobKey) -> Result<(), Stopped> {
        let own = &self.0;
        match own.open(key).await {
            // Of a compressed file nothing was kept that could be listed.
            Ok(intake) if intake.is_compressed() => own.abandon(key).await,
            Ok(intake) => intake.give_up().await,
            // One that nobody let go on, or that can't be read any more.
            Err(Stopped::Paused(_) | Stopped::Refused(_)) => own.cancel(key).await.map(drop),
            Err(stopped) => Err(stopped),
        }
    }
}
