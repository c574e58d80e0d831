//! Legacy profiles through Kafka. The only place that knows Kafka; nothing that happens in it touches a request.
//!
//! ```text
//!  reader (a thread) → intake → taking: mapping, gate, ingest → intake, in order: rejections, positions, letters
//! ```
//! `docs/BACKFILL.md` says what an operator needs; this file keeps the sources running.

mod arrival;
mod breaker;
mod ends;
mod intake;
mod kafka;
mod last_record;
mod letters;
mod lines;
mod member;
mod missed;
mod outlet;
mod past;
mod place;
mod poller;
mod producer;
mod projects;
mod reader;
mod replay;
mod room;
mod sample;
mod source;
mod taking;
mod topic;
mod trial;

pub use lines::lines;
pub use outlet::{Outlet, Published};
pub use past::{OffsetRange, Past, PastRecord};
pub use producer::OwnTopic;
pub use reader::{check, probe};
pub use replay::{Replayed, replay};
pub use sample::sample;
pub use source::{Source, read_mapping};
pub use taking::too_large;
pub use topic::{Found, NotSent, Outgoing, Topic};
pub use trial::try_out;

use crate::health::Health;
use crate::ingest::{Ingest, Tempo};
use crate::metric_names::{BACKFILL_LETTERS, BACKFILL_MISSED, BACKFILL_PAUSED, BACKFILL_RESTARTS};
use crate::store::{BackfillSource, Store};
use arrival::Failure;
use futures_util::FutureExt;
use intake::{End, Intake};
use letters::Letters;
use metrics::{counter, gauge};
use projects::Projects;
use reader::Reader;
use room::Room;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use taking::Taker;
use tokio::sync::watch;
use tokio::time::timeout;

/// A consumer that failed is made anew after this, and after longer each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

fn new_pace(source: &Source) -> Tempo {
    let settings = &source.settings;
    Tempo::new(settings.records_per_second, settings.bytes_per_second)
}

/// What all sources of a process share.
#[derive(Clone)]
pub struct Backfill {
    ingest: Ingest,
    store: Store,
    health: Arc<Health>,
    room: Room,
}

impl Backfill {
    /// `max_bytes`: of records in memory at once.
    pub fn new(ingest: Ingest, store: Store, health: Arc<Health>, max_bytes: usize) -> Self {
        Self {
            ingest,
            store,
            health,
            room: Room::new(max_bytes),
        }
    }

    /// Takes one source in until it is told to stop.
    pub async fn run(self, source: Arc<Source>, mut stop: watch::Receiver<bool>) {
        let mut pace = new_pace(&source);
        let mut pause = FIRST_PAUSE;
        while !*stop.borrow() {
            let begun = tokio::time::Instant::now();
            let (end, kept) = self.take(&source, pace, &stop).await;
            pace = kept;
            let failure = match end {
                End::Stopped => return,
                End::Changed => continue,
                End::Failed(failure) => failure,
            };
            if begun.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            self.note(&source, failure).await;
            // Told to stop, or time to go on: either way the loop looks.
            let _ = timeout(pause, stop.changed()).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One consumer's life.
    async fn take(
        &self,
        source: &Arc<Source>,
        pace: Tempo,
        stop: &watch::Receiver<bool>,
    ) -> (End, Tempo) {
        match self.begin(source).await {
            Ok((taker, reader, letters, is_paused)) => {
                begin_counting(&source.name, is_paused);
                let intake = Intake::new(taker, reader, letters, pace, is_paused);
                match AssertUnwindSafe(intake.run(stop.clone()))
                    .catch_unwind()
                    .await
                {
                    Ok(ended) => ended,
                    // What was under way comes again.
                    Err(_) => {
                        let panicked = Failure::Passing("its consumer panicked".to_owned());
                        (End::Failed(panicked), new_pace(source))
                    }
                }
            }
            Err(reason) => (End::Failed(Failure::Passing(reason)), pace),
        }
    }

    async fn begin(
        &self,
        source: &Arc<Source>,
    ) -> Result<(Arc<Taker>, Reader, Option<Letters>, bool), String> {
        let opened = self.store.open_source(&source.name, source.start).await;
        let row: BackfillSource = opened.map_err(|error| error.full_text())?;
        self.health
            .set_backfill(&source.name, row.is_paused.then_some(&*row.reason));
        let letters = Letters::of(source)?;
        let reader = Reader::start(source, self.store.clone(), self.room.clone(), row.is_paused)?;
        let taker = Taker {
            source: source.clone(),
            ingest: self.ingest.clone(),
            store: self.store.clone(),
            projects: Projects::default(),
            start: row.started_at,
        };
        Ok((Arc::new(taker), reader, letters, row.is_paused))
    }

    /// Says why a consumer ended; where somebody has to decide, the source is paused.
    async fn note(&self, source: &Source, failure: Failure) {
        let name = &source.name;
        let (reason, is_lasting) = match failure {
            Failure::Passing(reason) => (reason, false),
            Failure::Lasting(reason) => (reason, true),
        };
        self.health.set_backfill(name, Some(&reason));
        if is_lasting {
            self.pause(name, &reason).await;
        } else {
            tracing::warn!(source = %name, %reason, "a backfill's consumer is made anew");
            counter!(BACKFILL_RESTARTS, "source" => name.clone()).increment(1);
        }
    }

    async fn pause(&self, name: &str, reason: &str) {
        tracing::error!(source = %name, %reason, "a backfill is paused");
        if let Err(error) = self.store.set_source(name, Some(reason)).await {
            // It comes to the same place again.
            tracing::error!(source = %name, reason = %error.full_text(), "the pause was not written");
        }
    }
}

/// What alarms look at begins at 0: the first rise of a counter that is not there yet would not be seen.
fn begin_counting(source: &str, is_paused: bool) {
    let source = source.to_owned();
    gauge!(BACKFILL_PAUSED, "source" => source.clone()).set(f64::from(u8::from(is_paused)));
    counter!(BACKFILL_MISSED, "source" => source.clone()).increment(0);
    counter!(BACKFILL_RESTARTS, "source" => source.clone()).increment(0);
    counter!(BACKFILL_LETTERS, "source" => source, "outcome" => "lost").increment(0);
}
