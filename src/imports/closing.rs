//! Gives up what nobody went on with, and forgets what ended long ago.

use super::stopped::Stopped;
use super::{Imports, JobKey};
use crate::store::Error;
use crate::upkeep::frame::{Turn, Work, caught};
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
            let closing = caught(Self::NAME, async { Ok::<_, Error>(self.close(key).await) });
            let reason = match closing.await {
                Ok(Ok(())) => continue,
                Ok(Err(stopped)) => stopped.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::warn!(import = %key.1, %reason, "an import is not given up");
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
        let mut opened = own.open(key).await;
        // Nobody let it go on.
        if matches!(opened, Err(Stopped::Paused(_))) {
            own.resume(key).await?;
            opened = own.open(key).await;
        }
        match opened {
            // Of a compressed file nothing was kept that could be listed.
            Ok(intake) if intake.is_compressed() => own.abandon(key).await,
            // All of it came, and nobody heard that it had not ended.
            Ok(intake) if intake.length() == Some(intake.offset()) => intake.end().await.map(drop),
            Ok(intake) => intake.give_up().await,
            // It can't be read any more.
            Err(Stopped::Refused(failure)) => {
                let reason = format!("{}: {failure}", failure.code);
                own.fail(key, &reason).await.map(drop)
            }
            Err(stopped) => Err(stopped),
        }
    }
}
