//! Records on their way through the one entrance for writes: in their lane, at their pace, with room for them.

use super::parts::Parts;
use super::stopped::Stopped;
use crate::domain::type_check::Terms;
use crate::domain::{Class, Item, ProjectId, Receipt};
use crate::ingest::{Origin, Reservation, SubmitError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a database that does not answer is waited for: longer than it takes to start.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(2);
const SHORTEST: Duration = Duration::from_millis(100);
/// More is never reserved at once: the room of a small node, and others in it.
const MOST_ROOM: usize = 8 << 20;

/// Writes records; one receipt for each.
///
/// # Errors
/// `Draining`, `Unavailable`.
pub(super) async fn write(
    parts: Arc<Parts>,
    project_id: ProjectId,
    items: Arc<Vec<Item>>,
) -> Result<Vec<Receipt>, Stopped> {
    let mut receipts = Vec::with_capacity(items.len());
    while receipts.len() < items.len() {
        let left = &items[receipts.len()..];
        let most = tokio::select! {
            most = parts.pace.turn(&parts.ingest, left.len()) => most,
            () = parts.stopped() => return Err(Stopped::Draining),
        };
        receipts.extend(submit(&parts, project_id, &left[..most]).await?);
    }
    Ok(receipts)
}

/// Holds records against their project's tracking plan; how many were mended by it that were not mended before.
///
/// # Errors
/// As `write`.
pub(super) async fn check_types(
    parts: &Parts,
    project_id: ProjectId,
    items: &mut [Item],
) -> Result<u64, Stopped> {
    let mended = |items: &[Item]| {
        let commands = items.iter().filter_map(Item::command);
        commands.filter(|own| !own.warnings().is_empty()).count() as u64
    };
    let (before, terms) = (mended(items), Terms::default());
    let mut tries = Tries::begin();
    while parts
        .ingest
        .check_types(project_id, items, &terms)
        .await
        .is_err()
    {
        tries.again().await?;
    }
    Ok(mended(items) - before)
}

async fn submit(
    parts: &Parts,
    project_id: ProjectId,
    items: &[Item],
) -> Result<Vec<Receipt>, Stopped> {
    let class = Class::Import;
    let origin = Origin { project_id, class };
    let mut tries = Tries::begin();
    loop {
        let room = tokio::select! {
            room = room(parts, project_id, items) => room,
            () = parts.stopped() => return Err(Stopped::Draining),
        };
        match parts
            .ingest
            .submit_records(origin, items.to_vec(), room)
            .await
        {
            Ok(receipts) => return Ok(receipts),
            Err(SubmitError::Draining) => return Err(Stopped::Draining),
            Err(SubmitError::Store) => tries.again().await?,
        }
    }
}

/// Waits for room: a file has time.
async fn room(parts: &Parts, project_id: ProjectId, items: &[Item]) -> Option<Reservation> {
    let bytes: usize = items.iter().map(Item::bytes).sum();
    let admission = parts.ingest.admission().of(project_id);
    admission.reserve(bytes.min(MOST_ROOM)).await
}

/// Tries of something that the database does not take at the moment.
pub(super) struct Tries {
    until: Instant,
    pause: Duration,
}

impl Tries {
    pub fn begin() -> Self {
        Self {
            until: Instant::now() + PATIENCE,
            pause: SHORTEST,
        }
    }

    /// Returns when it is time to try again.
    ///
    /// # Errors
    /// `Unavailable` when it was tried for long enough.
    pub async fn again(&mut self) -> Result<(), Stopped> {
        if Instant::now() + self.pause >= self.until {
            return Err(Stopped::Unavailable);
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }
}
