//! A step of a job on its way into its row, as long as the job is its sender's.

use super::parts::Parts;
use super::stopped::Stopped;
use super::write::Tries;
use crate::domain::Timestamp;
use crate::store::{Error, ImportStep};
use std::sync::Arc;

/// Notes a step; gives it back when it is done. `file_time` is how old the file says that it is.
///
/// # Errors
/// Why the job is not this sender's any more; `Unavailable`.
pub(super) async fn note(
    parts: Arc<Parts>,
    file_time: Timestamp,
    mut step: ImportStep,
) -> Result<ImportStep, Stopped> {
    leave_out_erased(&parts, file_time, &mut step).await?;
    let mut tries = Tries::begin();
    loop {
        match parts.store.advance_import(&step).await {
            Ok(true) => return Ok(step),
            Ok(false) => return Err(parts.why(step.key).await),
            Err(error) => wait(&mut tries, &error).await?,
        }
    }
}

async fn leave_out_erased(
    parts: &Parts,
    file_time: Timestamp,
    step: &mut ImportStep,
) -> Result<(), Stopped> {
    let (store, project_id) = (&parts.store, step.key.0);
    let mut tries = Tries::begin();
    while let Err(error) = store
        .empty_older_lines(project_id, file_time, &mut step.refusals)
        .await
    {
        wait(&mut tries, &error).await?;
    }
    Ok(())
}

async fn wait(tries: &mut Tries, error: &Error) -> Result<(), Stopped> {
    tracing::warn!(reason = %error.full_text(), "an import waits for the database");
    tries.again().await
}
