//! Group commit: items of many requests are written together, and each request is answered after its commit.
//!
//! Promises: an answer means committed; memory is bounded by `Admission`; one bad item costs its neighbours nothing; no project
//! keeps another waiting. Because every write is idempotent and merges ignore order, batches may run in parallel, be retried and
//! be replayed.

pub mod admission;
mod batcher;
mod field_types;
mod fold;
mod known;
mod lanes;
mod listed;
mod live_time;
mod measures;
mod merging;
mod pace;
mod queue;
mod refusals;
mod round;
mod share;
mod slots;
mod taken;
mod tempo;
mod tools;
mod traced;
mod turns;
mod unwritten;
mod write;
mod writer;
mod yielding;

pub use admission::{Admission, Reservation};
pub use live_time::LiveTime;
pub use share::{Origin, SubmitError};
pub use tempo::Tempo;

use crate::config::{self, millis};
use crate::domain::plan::Merge;
use crate::domain::profile::Room;
use crate::domain::type_check::{Terms, Told};
use crate::domain::{Class, Command, Item, Limits, ProjectId, Receipt, Timestamp};
use crate::metric_names::WARNINGS;
use crate::store::{Error, Store};
use field_types::FieldTypes;
use listed::Listed;
use live_time::LiveClock;
use measures::Measures;
use merging::merge_listed;
use metrics::counter;
use pace::Pace;
use queue::Sender;
use share::{Share, cut};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tools::Tools;
use writer::Writer;

/// Parts that a full batch is cut into, so that several projects fit into one.
const SHARES_OF_A_BATCH: usize = 4;

/// What became of a merge that a caller asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeOutcome {
    Done,
    /// One of the profiles is no longer there to be merged.
    Gone,
    /// The person would have more identities than a profile may have.
    TooManyNames,
}

/// The one way to write. Dropping the last clone ends the batcher after its last flush.
#[derive(Clone)]
pub struct Ingest {
    store: Store,
    room: Room,
    sender: Arc<Sender>,
    admission: Admission,
    live_clock: Arc<LiveClock>,
    field_types: Arc<FieldTypes>,
    measures: Arc<Measures>,
    max_share_rows: usize,
    max_share_cost: usize,
}

impl Ingest {
    /// Builds the entrance and the batcher behind it, a future for the main runtime.
    ///
    /// What waits between them has no bound of its own: whoever submits brings a `Reservation`, which bounds what can wait.
    pub fn new(
        store: Store,
        settings: &config::Ingest,
        limits: &Limits,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, receiver) = queue::channel(settings);
        let room = Room::of(limits);
        let measures = Arc::new(Measures::new());
        let writer = Writer {
            tools: Tools {
                store: store.clone(),
                room,
                listed: Listed::default(),
                expects_erased: AtomicBool::new(false),
            },
            deadline: millis(settings.write_deadline_ms),
            pace: Pace::new(settings.max_batch_rows),
            measures: measures.clone(),
        };
        let ingest = Self {
            store,
            room,
            sender: Arc::new(sender),
            admission: Admission::new(settings.max_bytes_in_flight),
            live_clock: Arc::default(),
            field_types: Arc::new(FieldTypes::new(limits)),
            measures,
            max_share_rows: settings.max_batch_rows.div_ceil(SHARES_OF_A_BATCH),
            max_share_cost: settings.max_batch_bytes.div_ceil(SHARES_OF_A_BATCH),
        };
        (
            ingest,
            batcher::run(receiver, Arc::new(writer), settings.clone()),
        )
    }

    /// Holds the items of a project against its tracking plan, where it has one; `submit` does so too with what was not held against
    /// it before. For who tells what came of it, or refuses what does not fit.
    ///
    /// # Errors
    /// `Store`; the items are as they were, but for those that will not be written: no plan is held against them.
    pub async fn check_types(
        &self,
        project_id: ProjectId,
        items: &mut [Item],
        terms: &Terms<'_>,
    ) -> Result<Told, SubmitError> {
        let checking = self
            .field_types
            .check(&self.store, project_id, items, terms);
        checking.await.map_err(|error| {
            tracing::error!(reason = %error.full_text(), "fields can't be held against their plan");
            SubmitError::Store
        })
    }

    /// Waits until every item is committed or refused; one receipt for each item, in their order. `room` is what the items hold:
    /// it is given back when the last of them is dropped, also where the caller waits no longer.
    ///
    /// # Errors
    /// When nothing can be said about the items: see `SubmitError`.
    pub async fn submit(
        &self,
        origin: Origin,
        mut items: Vec<Item>,
        room: Option<Reservation>,
    ) -> Result<Vec<Receipt>, SubmitError> {
        self.check_types(origin.project_id, &mut items, &Terms::default())
            .await?;
        self.send(origin, items, room, false).await
    }

    /// As `submit`, for records of a file, which were held against their plan already: who sends them lists those that are refused with
    /// the file.
    ///
    /// # Errors
    /// As `submit`.
    pub async fn submit_records(
        &self,
        origin: Origin,
        items: Vec<Item>,
        room: Option<Reservation>,
    ) -> Result<Vec<Receipt>, SubmitError> {
        self.send(origin, items, room, true).await
    }

    async fn send(
        &self,
        origin: Origin,
        items: Vec<Item>,
        room: Option<Reservation>,
        is_of_a_file: bool,
    ) -> Result<Vec<Receipt>, SubmitError> {
        let started = Instant::now();
        count_warnings(&items);
        let room = Arc::new(room);
        let mut answers = Vec::new();
        for (items, cost) in cut(items, self.max_share_rows, self.max_share_cost) {
            let (reply, answer) = oneshot::channel();
            let share = Share {
                origin,
                span: traced::commit(origin, items.len()),
                items,
                cost,
                since: started,
                is_of_a_file,
                reply,
                _room: room.clone(),
            };
            self.sender.send(share)?;
            answers.push(answer);
        }
        drop(room);
        let mut receipts = Vec::new();
        for answer in answers {
            receipts.extend(answer.await.map_err(|_| SubmitError::Draining)??);
        }
        if origin.class == Class::Live {
            self.live_clock.note(started.elapsed());
        }
        self.measures.answer(&receipts);
        Ok(receipts)
    }

    /// Merges two known profiles because a caller says so.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn merge(&self, merge: Merge, at: Timestamp) -> Result<MergeOutcome, Error> {
        let merged =
            merge_listed(&self.store, std::slice::from_ref(&merge), &self.room, at).await?;
        Ok(if merged.done.contains(&merge) {
            MergeOutcome::Done
        } else if merged.too_many_names.contains(&merge) {
            MergeOutcome::TooManyNames
        } else {
            MergeOutcome::Gone
        })
    }

    /// What live requests have waited for their commits so far.
    pub fn live_time(&self) -> LiveTime {
        self.live_clock.read()
    }

    /// The room for requests in memory.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }
}

/// Counts what was mended, of whatever road.
fn count_warnings(items: &[Item]) {
    let commands = items.iter().filter_map(Item::command);
    for warning in commands.flat_map(Command::warnings) {
        counter!(WARNINGS, "code" => warning.code).increment(1);
    }
}
