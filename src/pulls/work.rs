//! The worker: of all nodes one fetches, several files side by side and each a stretch at a time.
//!
//! How far a file is stands with its job, which belongs to whoever opened it last; so a node that lost its turn without knowing it
//! writes nothing more. Between two stretches a file stays open here: a compressed one could only be read from its start again.

use super::desk::Desk;
use super::piece::{Failure, Version};
use super::reading::Reading;
use super::scheduling;
use crate::config::Pulls as Settings;
use crate::imports::{Imports, Intake, Job, Stopped};
use crate::metric_names::{PULL_BYTES, PULL_FAILURES};
use crate::store::{DuePull, Error, PullNote};
use crate::upkeep::frame::{Turn, Work, caught, pause_after};
use futures_util::future::join_all;
use metrics::counter;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a file is read until others get their turn.
const STRETCH: Duration = Duration::from_secs(5);
/// Of a source that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Failures in a row until a person has to look: some two hours.
const MOST_FAILURES: i32 = 30;
/// Until a paused job is looked at again.
const LOOK: Duration = Duration::from_secs(2);
/// What is over is shown with its source for so long.
const SHOWN: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Fetches files.
pub struct Pulls {
    desk: Desk,
    imports: Imports,
    parallel: usize,
    open: Mutex<HashMap<Uuid, Open>>,
}

/// A file in the middle.
struct Open {
    reading: Reading,
    intake: Intake,
}

/// How far a stretch came.
enum Reached {
    More,
    End,
}

/// Why one ended early.
enum Halt {
    Source(Failure),
    Job(Stopped),
    Store(Error),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Source(failure)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Work for Pulls {
    const NAME: &'static str = "pulls";

    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        let outcome = self.all(turn).await;
        if outcome.is_err() {
            self.opened().clear();
        }
        outcome
    }
}

impl Pulls {
    pub fn new(desk: Desk, imports: Imports, settings: &Settings) -> Self {
        Self {
            desk,
            imports,
            parallel: settings.parallel,
            open: Mutex::default(),
        }
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn all(&self, turn: &Turn) -> Result<(), Error> {
        scheduling::run(&self.desk, &self.imports, turn).await?;
        let most = i64::try_from(self.parallel).unwrap_or(i64::MAX);
        let due = turn.store.due_pulls(most).await?;
        // Others that are open here gave way to these.
        let is_due = |id: &Uuid| due.iter().any(|due| due.job_id == *id);
        self.opened().retain(|id, _| is_due(id));
        let all = join_all(due.iter().map(|due| self.one(turn, due))).await;
        all.into_iter().collect()
    }

    async fn one(&self, turn: &Turn, due: &DuePull) -> Result<(), Error> {
        if due.is_over {
            return turn.store.forget_pull(due).await;
        }
        let mut note = PullNote {
            tag: due.tag.clone(),
            size: due.size,
            ..PullNote::default()
        };
        match due.state.as_deref() {
            Some("waiting" | "running") => self.stretch(turn, due, &mut note).await?,
            Some("paused") => (note.attempts, note.pause) = (due.attempts, LOOK),
            _ => over(&mut note),
        }
        turn.store.note_pull(turn.fence, due, &note).await
    }

    /// Reads a file for a while, and notes how that went.
    async fn stretch(&self, turn: &Turn, due: &DuePull, note: &mut PullNote) -> Result<(), Error> {
        let key = (due.project_id, due.job_id);
        let reading = caught(Self::NAME, self.read(turn, due, note));
        match reading.await.map_err(unless_panicked) {
            Ok(Reached::More) => {}
            Ok(Reached::End) => over(note),
            Err(Halt::Store(error)) => return Err(error),
            Err(Halt::Job(stop @ Stopped::Changed(_))) => {
                unless_said(self.imports.fail(key, &stop.to_string()).await);
            }
            Err(Halt::Job(stop)) => {
                tracing::info!(reason = %stop, "a pull waits for its job");
                note.pause = LOOK;
            }
            Err(Halt::Source(failure)) => {
                counter!(PULL_FAILURES, "code" => failure.code()).increment(1);
                let told = failure.to_string();
                tracing::warn!(project = due.project_id.0, reason = %told, "a pull does not go on");
                note.attempts = due.attempts.saturating_add(1);
                note.pause = pause_after(due.attempts).min(LONGEST_PAUSE);
                let ended = match failure {
                    Failure::Passing(_) if note.attempts < MOST_FAILURES => return Ok(()),
                    Failure::Passing(_) | Failure::Denied(_) => {
                        self.imports.pause(key, &told).await
                    }
                    _ => self.imports.fail(key, &told).await,
                };
                unless_said(ended);
            }
        }
        Ok(())
    }

    async fn read(&self, turn: &Turn, due: &DuePull, note: &mut PullNote) -> Result<Reached, Halt> {
        let kept = self.opened().remove(&due.job_id);
        let mut open = match kept {
            Some(open) => open,
            None => self.begin(due).await?,
        };
        let mut known = version(note);
        let until = Instant::now() + STRETCH;
        while Instant::now() < until {
            let piece = match open.reading.read(open.intake.offset(), &known).await {
                Ok(piece) => piece,
                Err(failure) => {
                    open.intake.settle().await.map_err(Halt::Job)?;
                    return Err(failure.into());
                }
            };
            if known != piece.version {
                // Whoever goes on from here, wherever that is, goes on with this file or not at all.
                known = piece.version;
                note.tag.clone_from(&known.tag);
                note.size = known.size.and_then(|size| i64::try_from(size).ok());
                turn.store.note_pull(turn.fence, due, note).await?;
                self.say_length(due, &known).await;
            }
            open.intake.take(&piece.bytes).await.map_err(Halt::Job)?;
            counter!(PULL_BYTES).increment(piece.bytes.len() as u64);
            if piece.is_last {
                open.intake.end().await.map_err(Halt::Job)?;
                return Ok(Reached::End);
            }
        }
        open.intake.settle().await.map_err(Halt::Job)?;
        note.is_first = open.intake.is_compressed();
        self.opened().insert(due.job_id, open);
        Ok(Reached::More)
    }

    /// So that people see how much is left. Without it they do not.
    async fn say_length(&self, due: &DuePull, known: &Version) {
        if let Some(size) = known.size {
            let said = self.imports.set_length((due.project_id, due.job_id), size);
            if let Err(stopped) = said.await {
                tracing::info!(reason = %stopped, "the length of a pull is not said");
            }
        }
    }

    async fn begin(&self, due: &DuePull) -> Result<Open, Halt> {
        let found = self.desk.source(&due.project, &due.address);
        // The settings may have changed since it was begun.
        let (source, place) = found.map_err(Failure::Refused)?;
        let mut reading = self.desk.open(&source, place).await?;
        let key = (due.project_id, due.job_id);
        let intake = self.imports.open(key).await.map_err(Halt::Job)?;
        reading.behind(intake.offset(), intake.checksum());
        Ok(Open { reading, intake })
    }
}

/// One that panics waits by itself like one whose source fails, and is paused in the end: the others go on.
fn unless_panicked(halt: Halt) -> Halt {
    match halt {
        Halt::Store(error @ Error::Panicked(_)) => Failure::Passing(error.to_string()).into(),
        other => other,
    }
}

/// Where it could not be said now, the next stretch says it: it comes to the same failure.
fn unless_said(said: Result<Job, Stopped>) {
    if let Err(stopped) = said {
        tracing::warn!(reason = %stopped, "a pull can't be stopped");
    }
}

fn version(note: &PullNote) -> Version {
    Version {
        tag: note.tag.clone(),
        size: note.size.and_then(|size| u64::try_from(size).ok()),
    }
}

fn over(note: &mut PullNote) {
    (note.is_over, note.attempts, note.pause) = (true, 0, SHOWN);
}
