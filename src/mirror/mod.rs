//! What Roster commits, in the legacy store too.
//!
//! One node at a time reads marks, then the people as they are, then their documents as they are there, and sends both laid
//! together with a version that is higher than all before. A mark goes only after its document was taken.

mod entry;
mod erased;
mod gauges;
mod gone;
mod index;
mod intake;
#[cfg(test)]
mod model_parts_tests;
#[cfg(test)]
mod model_relay_tests;
#[cfg(test)]
mod model_tests;
mod page;
mod send;
mod sweep;
mod topic;

mod watch;

pub use entry::person;
pub use gauges::tell;
pub use send::{read, taken_apart};

use crate::backfill::Outlet;
use crate::config::{KafkaProperties, LegacyStore};
use crate::domain::Limits;
use crate::domain::versions::Versions;
use crate::ingest::Ingest;
use crate::legacy::{Client, Source};
use crate::mapping::{Mapping, Reverse};
use crate::metric_names::{MIRROR_FAILURES, MIRROR_FOREIGN, MIRROR_PUBLISHED};
use crate::store::{Error, Mirror, MirrorNote};
use crate::upkeep::frame::{Turn, Work, caught, pause_after};
use erased::Judge;
use index::Index;
use intake::Intake;
use metrics::counter;
use page::Page;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use sweep::{Sweep, Swept};
use tokio::time::{Instant, timeout};
use topic::Topic;
use watch::Watched;

/// Time of one record on its way: it must end before the turn does.
const RECORD_MS: u64 = 8_000;
/// Profiles of one page.
const PAGE: usize = 200;
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
pub struct Relay {
    legacy: LegacyStore,
    kafka: KafkaProperties,
    limits: Limits,
    ingest: Ingest,
    /// Made when a project is mirrored to a topic, and anew after a failure.
    outlet: Mutex<Option<Arc<Outlet>>>,
}

/// Where a project is mirrored to.
struct Ways {
    client: Option<Client>,
    outlet: Option<Arc<Outlet>>,
    reverse: Reverse,
}

impl Work for Relay {
    const NAME: &'static str = "mirror";

    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        for mirror in turn.store.due_mirrors().await? {
            turn.keep().await?;
            let mut note = MirrorNote::default();
            let outcome = caught(Self::NAME, self.relay(turn, &mirror, &mut note)).await;
            if outcome.is_err() && mirror.plan.topic.is_some() {
                // A producer may be beyond help; another one is cheap after a pause.
                self.outlet().take();
            }
            match outcome {
                Ok(()) => {}
                Err(Stop::Store(error @ Error::TurnLost(_))) => return Err(error),
                Err(Stop::Store(error)) => failed(&mirror, &mut note, error.full_text()),
                Err(Stop::Other(reason)) => failed(&mirror, &mut note, reason),
            }
            let noting = turn.store.note_mirror(turn.fence, mirror.project_id, &note);
            match noting.await {
                Err(Error::TurnLost(name)) => return Err(Error::TurnLost(name)),
                // The others have their turn all the same.
                Err(error) => {
                    tracing::warn!(project = mirror.project_id.0, reason = %error.full_text(), "what became of a mirror is not noted");
                }
                Ok(()) => {}
            }
            counter!(MIRROR_PUBLISHED).increment(note.published.unsigned_abs());
            counter!(MIRROR_FOREIGN).increment(note.foreign_writes.unsigned_abs());
        }
        Ok(())
    }
}

impl Relay {
    /// `legacy`: where indices are, and what may be named; `kafka`: where topics are; `limits`: by which documents are read; `ingest`: the
    /// way in for what they say.
    pub fn new(
        legacy: LegacyStore,
        kafka: KafkaProperties,
        limits: Limits,
        ingest: Ingest,
    ) -> Self {
        Self {
            legacy,
            kafka,
            limits,
            ingest,
            outlet: Mutex::default(),
        }
    }

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
        let ways = self.ways(mirror).map_err(Stop::Other)?;
        inspect(&ways, mirror).await.map_err(Stop::Other)?;
        let watched = watch(turn, (&ways, mirror), note).await;
        // Whoever can't be watched is kept up all the same; that nobody is watching is told, and holds the next step up.
        self.keep_up(turn, (&ways, mirror), note).await?;
        watched
    }

    /// Publishes what is marked.
    async fn keep_up(
        &self,
        turn: &mut Turn,
        (ways, mirror): (&Ways, &Mirror),
        note: &mut MirrorNote,
    ) -> Result<(), Stop> {
        let plan = &mirror.plan;
        let judge = Judge {
            mirror,
            reverse: &ways.reverse,
            limits: &self.limits,
        };
        let sweep = ways.client.as_ref().map(|client| Sweep {
            client,
            index: &plan.index,
            judge,
        });
        look_for_erased(turn, mirror, sweep, note).await?;
        let (client, outlet) = (ways.client.as_ref(), ways.outlet.as_deref());
        let topic = outlet.zip(plan.topic.as_deref());
        let page = Page {
            mirror,
            reverse: &ways.reverse,
            index: client.map(|client| Index {
                client,
                name: &plan.index,
            }),
            topic: topic.map(|(outlet, name)| Topic {
                outlet,
                name,
                format: plan.topic_format,
            }),
            judge,
            intake: Intake {
                judge,
                ingest: &self.ingest,
                times: BTreeMap::new(),
                has_news: false,
            },
            note,
            stuck: Vec::new(),
            why: None,
        };
        publish(turn, mirror, page).await
    }

    /// What the settings do not allow is not written to, whoever took the plan.
    fn ways(&self, mirror: &Mirror) -> Result<Ways, String> {
        let plan = &mirror.plan;
        let allowed = (&self.legacy.indices, &self.legacy.topics);
        if let Some(refusal) = plan.refusal(&mirror.project, allowed) {
            return Err(refusal);
        }
        let mapping = Mapping::parse(&plan.mapping);
        let mapping = mapping.map_err(|complaints| complaints.join("; "))?;
        let has_index = !plan.index.is_empty();
        Ok(Ways {
            client: has_index
                .then(|| Client::under_turn(&self.legacy))
                .transpose()?,
            outlet: plan.topic.as_ref().map(|_| self.open()).transpose()?,
            reverse: mapping
                .reverse(Some(plan.document_kind.as_str()))?
                .with_kinds(mirror.kinds.clone()),
        })
    }

    fn open(&self) -> Result<Arc<Outlet>, String> {
        let mut outlet = self.outlet();
        if let Some(outlet) = &*outlet {
            return Ok(outlet.clone());
        }
        let opened = Arc::new(Outlet::open(&self.kafka, Duration::from_millis(RECORD_MS))?);
        *outlet = Some(opened.clone());
        Ok(opened)
    }

    fn outlet(&self) -> std::sync::MutexGuard<'_, Option<Arc<Outlet>>> {
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the index before it is written to: whole until everybody was marked, and at its alias whenever it is watched.
async fn inspect(ways: &Ways, mirror: &Mirror) -> Result<(), String> {
    let Some(client) = &ways.client else {
        return Ok(());
    };
    let index = &mirror.plan.index;
    if !mirror.is_walked {
        whole(client, index).await?;
    }
    if !mirror.is_walked || mirror.watched.is_some() {
        plain(client, index).await?;
    }
    Ok(())
}

/// Looks who else writes to the index and the topic, and whether they are still the same. A look that fails comes again with the next step.
async fn watch(
    turn: &mut Turn,
    (ways, mirror): (&Ways, &Mirror),
    note: &mut MirrorNote,
) -> Result<(), Stop> {
    let (client, plan) = (ways.client.as_ref(), &mirror.plan);
    let Some(watched) = &mirror.watched else {
        return Ok(());
    };
    let before: Watched = serde_json::from_value(watched.clone()).unwrap_or_default();
    let mut places = before.clone();
    let topic = ways.outlet.as_deref().zip(plan.topic.as_deref());
    let seen = topic.map_or(Ok(false), |topic| look_at_topic(topic, &mut places));
    note.is_replaced = *seen.as_ref().unwrap_or(&false);
    note.watched = serde_json::to_value(&places).ok();
    seen.map_err(Stop::Other)?;
    if let Some(client) = client {
        let used = Versions::of(&turn.progress);
        look(client, (&plan.index, used), (&before, places), note).await?;
    }
    note.is_watched = true;
    Ok(turn.keep().await?)
}

/// Publishes what is marked, and tells whom the store failed on.
async fn publish(turn: &mut Turn, mirror: &Mirror, mut page: Page<'_>) -> Result<(), Stop> {
    pages(turn, mirror, &mut page).await?;
    page::not_taken(page.why).map_or(Ok(()), Err)
}

/// Publishes what is marked, and marks what a walk has still to mark, until there is nothing or others want their turn.
async fn pages(turn: &mut Turn, mirror: &Mirror, page: &mut Page<'_>) -> Result<(), Stop> {
    let (until, mut walks) = (Instant::now() + PATIENCE, mirror.is_to_walk);
    loop {
        let is_left = page.profiles(turn, PAGE).await?;
        if !is_left && walks {
            let store = &turn.store;
            let marking = store.mark_page(turn.fence, mirror.project_id, BACKLOG as i64);
            walks = marking.await? >= BACKLOG as i64;
        } else if !is_left {
            return Ok(());
        }
        if Instant::now() >= until {
            return Ok(());
        }
    }
}

/// Looks for a while at documents of people who were erased before anything was mirrored, and notes how far that is.
async fn look_for_erased(
    turn: &Turn,
    mirror: &Mirror,
    sweep: Option<Sweep<'_>>,
    note: &mut MirrorNote,
) -> Result<(), Stop> {
    let Some(before) = mirror.swept.clone().filter(|_| mirror.is_quiet) else {
        return Ok(());
    };
    let Some(sweep) = sweep.filter(|_| mirror.has_erased) else {
        note.swept = Some((before, None));
        return Ok(());
    };
    let mut swept = Swept::read(&before);
    let looked = sweep.stretch(turn, &mut swept).await;
    let is_done = matches!(looked, Ok(true));
    note.swept = Some((before, swept.note().filter(|_| !is_done)));
    looked.map(drop)
}

/// Looks who else writes, and notes how far it has looked.
async fn look(
    client: &Client,
    (index, used): (&str, Versions),
    (before, mut places): (&Watched, Watched),
    note: &mut MirrorNote,
) -> Result<(), Stop> {
    let looking = timeout(LOOK_TIME, watch::look(client, index, used, &mut places));
    let looked = looking.await;
    note.watched = serde_json::to_value(&places).ok();
    note.is_replaced |= watch::is_replaced(before, &places);
    match looked {
        Ok(Ok(foreign)) => note.foreign_writes += foreign,
        Ok(Err(failure)) => return Err(Stop::Other(format!("index {index}: {failure}"))),
        // It goes on the next time.
        Err(_) => {}
    }
    Ok(())
}

/// True where another topic stands in the place of the one that was published to.
fn look_at_topic((outlet, topic): (&Outlet, &str), places: &mut Watched) -> Result<bool, String> {
    let ends = outlet
        .ends(topic)
        .map_err(|told| format!("topic {topic}: {told}"))?;
    Ok(watch::is_topic_replaced(places, topic, ends))
}

/// An index that does not give its documents back as they were sent can't be written over, and a document is found by its id in one
/// index alone.
async fn whole(client: &Client, index: &str) -> Result<(), String> {
    let failed = |failure| format!("index {index}: {failure}");
    let behind = client.indices(index).await.map_err(failed)?;
    match &behind[..] {
        [own] if own.name.starts_with(".ds-") => {
            return Err(format!(
                "index {index} is a data stream, which takes no document twice"
            ));
        }
        [_] => {}
        all => {
            return Err(format!(
                "index {index} stands for {} indices, and has to be one",
                all.len()
            ));
        }
    }
    match client.source_of(index).await {
        Ok(Source::AsSent) => Ok(()),
        Ok(_) => Err(format!(
            "index {index} does not give documents back as they were sent"
        )),
        Err(failure) => Err(format!("index {index}: {failure}")),
    }
}

/// An alias may be made another one at any time.
async fn plain(client: &Client, index: &str) -> Result<(), String> {
    let fault = client.alias_fault(index).await;
    match fault.map_err(|failure| format!("index {index}: {failure}"))? {
        Some(fault) => Err(format!("index {index} is {fault}")),
        None => Ok(()),
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
