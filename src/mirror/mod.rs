//! What Roster commits, in the legacy store too.
//!
//! One node at a time reads marks, then the people as they are, then their documents as they are there, and sends both laid
//! together with a version that is higher than all before. A mark goes only after its document was taken.

mod page;
mod send;
mod version;
mod watch;

pub use page::person;
pub use send::read;

use crate::config::LegacyStore;
use crate::legacy::{Client, Source};
use crate::mapping::Mapping;
use crate::metric_names::{
    MIRROR_BACKLOG, MIRROR_FAILURES, MIRROR_FOREIGN, MIRROR_LAG, MIRROR_PUBLISHED,
};
use crate::store::{Error, Mirror, MirrorNote};
use crate::upkeep::frame::{Turn, Work, pause_after};
use metrics::{counter, gauge};
use page::Page;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use watch::Watched;

/// Time of one request: what is still on its way must end before the turn does.
const REQUEST_MS: u64 = 8_000;
/// Profiles of one page.
const PAGE: i64 = 200;
/// A walk marks no more while so many marks wait.
const BACKLOG: usize = 1_000;
/// The most time for one project, so that the others have their turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most time for a look who else writes.
const LOOK_TIME: Duration = Duration::from_secs(8);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why a project's relay stops for now.
pub(crate) enum Stop {
    /// The database, or the turn is lost.
    Store(Error),
    /// The legacy store, or the plan.
    Other(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Relays what is marked.
pub struct Relay(pub LegacyStore);

impl Work for Relay {
    const NAME: &'static str = "mirror";

    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        for mirror in turn.store.due_mirrors().await? {
            turn.keep().await?;
            let mut note = MirrorNote::default();
            let outcome = self.relay(turn, &mirror, &mut note).await;
            match outcome {
                Ok(()) => {}
                Err(Stop::Store(error @ Error::TurnLost(_))) => return Err(error),
                Err(Stop::Store(error)) => failed(&mirror, &mut note, error.full_text()),
                Err(Stop::Other(reason)) => failed(&mirror, &mut note, reason),
            }
            turn.store
                .note_mirror(turn.fence, mirror.project_id, &note)
                .await?;
            tell(turn, &mirror, &note).await?;
        }
        Ok(())
    }
}

impl Relay {
    async fn relay(
        &self,
        turn: &mut Turn,
        mirror: &Mirror,
        note: &mut MirrorNote,
    ) -> Result<(), Stop> {
        if !mirror.mirrors {
            let cleared = turn
                .store
                .clear_outbox(turn.fence, mirror.project_id, BACKLOG as i64);
            return Ok(cleared.await.map(drop)?);
        }
        let client = self.client().map_err(Stop::Other)?;
        let mapping = Mapping::parse(&mirror.plan.mapping);
        let mapping = mapping.map_err(|complaints| Stop::Other(complaints.join("; ")))?;
        let kind = Some(mirror.plan.document_kind.as_str());
        let reverse = mapping.reverse(kind).map_err(Stop::Other)?;
        if !mirror.is_walked {
            whole(&client, &mirror.plan.index)
                .await
                .map_err(Stop::Other)?;
        }
        if let Some(watched) = &mirror.watched {
            look(&client, &mirror.plan.index, watched, note).await?;
            turn.keep().await?;
        }
        let mut page = Page {
            client: &client,
            reverse: &reverse,
            mirror,
            note,
        };
        let (until, mut walks) = (Instant::now() + PATIENCE, mirror.is_to_walk);
        loop {
            page.gone(turn).await?;
            let done = page.profiles(turn, PAGE).await?;
            if done < PAGE as usize && walks {
                let store = &turn.store;
                let marking = store.mark_page(turn.fence, mirror.project_id, BACKLOG as i64);
                walks = marking.await? >= BACKLOG as i64;
            } else if done < PAGE as usize {
                return Ok(());
            }
            if Instant::now() >= until {
                return Ok(());
            }
        }
    }

    fn client(&self) -> Result<Client, String> {
        let mut settings = self.0.clone();
        settings.request_timeout_ms = settings.request_timeout_ms.min(REQUEST_MS);
        settings.connect_timeout_ms = settings.connect_timeout_ms.min(REQUEST_MS);
        Client::new(&settings)
    }
}

/// Looks who else writes, and notes how far it has looked.
async fn look(
    client: &Client,
    index: &str,
    watched: &Value,
    note: &mut MirrorNote,
) -> Result<(), Stop> {
    let mut places: Watched = serde_json::from_value(watched.clone()).unwrap_or_default();
    let looking = timeout(LOOK_TIME, watch::look(client, index, &mut places));
    let looked = looking.await;
    note.watched = serde_json::to_value(&places).ok();
    match looked {
        Ok(Ok(foreign)) => note.foreign_writes += foreign,
        Ok(Err(failure)) => return Err(Stop::Other(format!("index {index}: {failure}"))),
        // It goes on the next time.
        Err(_) => {}
    }
    Ok(())
}

/// An index that does not give its documents back as they were sent can't be written over.
async fn whole(client: &Client, index: &str) -> Result<(), String> {
    match client.source_of(index).await {
        Ok(Source::AsSent) => Ok(()),
        Ok(_) => Err(format!(
            "index {index} does not give documents back as they were sent"
        )),
        Err(failure) => Err(format!("index {index}: {failure}")),
    }
}

fn failed(mirror: &Mirror, note: &mut MirrorNote, reason: String) {
    let attempts = if note.published > 0 {
        0
    } else {
        mirror.attempts
    };
    let pause = pause_after(attempts).min(LONGEST_PAUSE);
    tracing::warn!(project = mirror.project_id.0, %reason, ?pause, "a mirror waits");
    counter!(MIRROR_FAILURES).increment(1);
    note.attempts = attempts.saturating_add(1);
    note.reason = reason;
    note.pause = pause;
}

async fn tell(turn: &Turn, mirror: &Mirror, note: &MirrorNote) -> Result<(), Error> {
    let seen = turn.store.measure_mirror(mirror.project_id).await?;
    let project = mirror.project_id.0.to_string();
    gauge!(MIRROR_LAG, "project" => project.clone()).set(seen.lag_seconds);
    gauge!(MIRROR_BACKLOG, "project" => project).set(seen.backlog as f64);
    counter!(MIRROR_PUBLISHED).increment(note.published.unsigned_abs());
    counter!(MIRROR_FOREIGN).increment(note.foreign_writes.unsigned_abs());
    Ok(())
}
