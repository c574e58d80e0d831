//! Verifies migrations: does Roster have what the legacy store has, and the other way round?
//!
//! Two walks, in either direction: over the documents of the store, page by page, and over the people of the project. What does not
//! agree is suspected, and looked at again as it is by then, some seconds later and as long as something of it is still on its way to
//! the other side: motion is no difference. How far it is, and what it found, is noted every few seconds, and under the turn: whoever
//! goes on finds no suspect left behind him. `docs/decisions/0014-verify-by-pages.md` says why pages and no digests.

mod documents;
mod excuses;
mod looks;
mod people;
mod progress;
mod records;
mod scene;
mod seen;
mod walk;

use crate::backfill::Source;
use crate::config::LegacyStore;
use crate::domain::Limits;
use crate::metric_names::{VERIFY_CHECKED, VERIFY_DIFFERENCES};
use crate::store::{DueVerification, Error, VerificationNote};
use crate::upkeep::frame::{Turn, Work, caught, pause_after};
use looks::Suspects;
use metrics::counter;
use progress::Progress;
use scene::Scene;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long is read until what was found is settled and noted: so much is done twice where a node dies.
const STRETCH: Duration = Duration::from_secs(8);
/// Suspects that are held at once, and bytes of records that are; then they are settled first.
const SUSPECTS: usize = 2_000;
const SUSPECT_BYTES: usize = 8 << 20;
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a verification does not go on for now.
pub(crate) enum Stop {
    /// The database, or the turn is lost.
    Store(Error),
    /// The legacy store, or the mirror: later.
    Passing(String),
    /// It comes to nothing: somebody has to begin another one.
    End(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Works at verifications.
pub struct Verify {
    pub legacy: LegacyStore,
    /// Those whose topics may be read where a plan names no index.
    pub sources: Vec<Arc<Source>>,
    pub limits: Limits,
}

impl Work for Verify {
    const NAME: &'static str = "verify";

    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        for due in turn.store.due_verifications().await? {
            turn.keep().await?;
            let mut note = VerificationNote {
                counts: due.counts,
                ..VerificationNote::default()
            };
            match caught(Self::NAME, self.stretch(turn, &due, &mut note)).await {
                Ok(()) => {}
                Err(Stop::Store(error @ Error::TurnLost(_))) => return Err(error),
                Err(Stop::Store(error)) => put_off(&due, &mut note, error.full_text()),
                Err(Stop::Passing(reason)) => put_off(&due, &mut note, reason),
                Err(Stop::End(reason)) => {
                    note = put_off_nothing(&due);
                    (note.reason, note.is_finished) = (reason, true);
                }
            }
            turn.store
                .note_verification(turn.fence, &due, &note)
                .await?;
            tell(&due, &note);
        }
        Ok(())
    }
}

impl Verify {
    /// Reads for a while, settles what was suspected, and leaves in the note how far that is.
    async fn stretch(
        &self,
        turn: &Turn,
        due: &DueVerification,
        note: &mut VerificationNote,
    ) -> Result<(), Stop> {
        let scene = Scene::open(self, turn, due).await?;
        let mut progress = Progress::read(&due.progress);
        scene.begin(&mut progress).await?;
        let mut suspects = Suspects::default();
        let until = Instant::now() + STRETCH;
        while Instant::now() < until && suspects.has_room() && !progress.is_done() {
            turn.keep().await?;
            let started = Instant::now();
            let seen = scene.page(&mut progress).await?;
            let count = seen.len();
            note.counts.checked += count as i64;
            suspects.take(seen, &mut note.counts);
            scene.rest(started, count).await;
        }
        suspects.settle(&scene, turn, note, &mut progress).await?;
        note.is_finished = progress.is_done();
        note.progress = Some(progress.written());
        Ok(())
    }
}

/// As it was before: what a stretch saw that failed is seen again.
fn put_off_nothing(due: &DueVerification) -> VerificationNote {
    VerificationNote {
        counts: due.counts,
        ..VerificationNote::default()
    }
}

fn put_off(due: &DueVerification, note: &mut VerificationNote, reason: String) {
    let pause = pause_after(due.attempts).min(LONGEST_PAUSE);
    tracing::warn!(project = due.project_id.0, %reason, ?pause, "a verification waits");
    *note = put_off_nothing(due);
    note.attempts = due.attempts.saturating_add(1);
    (note.reason, note.pause) = (reason, pause);
}

fn tell(due: &DueVerification, note: &VerificationNote) {
    let more = |now: i64, before: i64| (now - before).max(0).unsigned_abs();
    let (now, before) = (&note.counts, &due.counts);
    counter!(VERIFY_CHECKED).increment(more(now.checked, before.checked));
    counter!(VERIFY_DIFFERENCES).increment(more(now.differences(), before.differences()));
}
