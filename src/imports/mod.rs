//! Files that are taken in: uploaded, sent by the command line, or pulled from where they lie.
//!
//! A *job* is a file with what was said of it at first: how it is read, its name, its time. An *intake* is the one sender that a job has
//! at a time: it takes the bytes that follow, and keeps the position with what became of the records before it, in the database, so
//! that any node can go on. `docs/IMPORTS.md` tells what a sender sees.

mod checksum;
mod closing;
mod intake;
mod job;
mod mended;
mod note;
mod pace;
mod parts;
mod preview;
mod reading;
mod slots;
mod step;
mod stopped;
mod under_way;
mod unpack;
mod write;

pub use checksum::Checksum;
pub use closing::OldImports;
pub use intake::{Intake, in_one_piece};
pub use job::{Job, NewJob, Shown, lacks_its_end, offset_of, shown, state};
pub use stopped::Stopped;

use crate::config;
use crate::domain::{Limits, ProjectId};
use crate::files::{FileReader, Format, Layout, Unusable};
use crate::ingest::Ingest;
use crate::mapping::{Calls, Mapping};
use crate::store::{ImportChange, ImportKey, ImportRefusal, NewImport, Store};
use intake::unavailable;
use pace::Pace;
use parts::Parts;
use reading::{Means, Reading, file_limits};
use slots::Slots;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

/// Whose job it is, and which.
pub type JobKey = ImportKey;

/// Bytes of the text of a mapping: some thousand columns.
const MAPPING_BYTES: usize = 256 << 10;
/// Bytes of a file's name.
const NAME_BYTES: usize = 1_024;

/// The files of a node.
#[derive(Clone)]
pub struct Imports {
    parts: Arc<Parts>,
}

/// What a sender says of the bytes that he sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opening {
    /// The byte with which they begin; where the job is where nothing is said.
    pub offset: Option<u64>,
    /// Bytes of the whole upload, where that was not known before.
    pub length: Option<u64>,
    /// They are all bytes of the file, from its first to its last: only so can a compressed file be sent.
    pub is_whole: bool,
}

impl Imports {
    /// Opens nothing yet. `calls` reads messages of the tracking API.
    pub fn new(
        store: Store,
        ingest: Ingest,
        (settings, limits): (&config::Imports, &Limits),
        calls: Calls,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let parts = Parts {
            store,
            ingest,
            limits: limits.clone(),
            settings: settings.clone(),
            calls,
            slots: Slots::new(settings.parallel, settings.parallel_per_project),
            pace: Pace::new(),
            readers: Arc::new(Semaphore::new((processors / 4).max(1))),
            samplers: Arc::new(Semaphore::new(1)),
            stop: watch::Sender::new(false),
        };
        Self {
            parts: Arc::new(parts),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &config::Imports {
        &self.parts.settings
    }

    /// Makes a job, with nothing of its file yet.
    ///
    /// # Errors
    /// `Refused` with what was said and can't be; `Unavailable`.
    pub async fn create(&self, new: NewJob) -> Result<Job, Stopped> {
        self.create_as(Uuid::now_v7(), new).await
    }

    /// Holds what is said of a file against what can be: how it is read then.
    ///
    /// # Errors
    /// `Refused`.
    pub fn check(&self, new: &NewJob) -> Result<Layout, Stopped> {
        let limits = file_limits(self.parts.settings.max_record_bytes);
        let mapping = mapping_of(&new.layout, new.mapping.as_deref())?;
        let layout = new.layout.clone().used_by(&mapping);
        FileReader::new(&layout, limits).map_err(Stopped::Refused)?;
        if new.name.len() > NAME_BYTES || new.name.contains('\0') {
            let reason = format!("a name has at most {NAME_BYTES} bytes, none of them NUL");
            return Err(Stopped::Refused(Unusable::of("name", reason)));
        }
        Ok(layout)
    }

    /// As `create`, under an id that follows from what made it: a repeat finds the job.
    ///
    /// # Errors
    /// As `create`.
    pub async fn create_as(&self, id: Uuid, new: NewJob) -> Result<Job, Stopped> {
        let layout = self.check(&new)?;
        let new = NewImport {
            key: (new.project_id, id),
            name: new.name,
            layout: serde_json::to_string(&layout).unwrap_or_default(),
            mapping: new.mapping,
            file_time: new.time,
            length: new.length,
            checksum: Checksum::EMPTY.to_row(),
        };
        let made = self.parts.store.create_import(&new, self.parts.patience());
        made.await.map_err(|error| unavailable(&error))
    }

    /// Takes a job over where it is: from now on every other sender's writes are refused.
    ///
    /// # Errors
    /// As `open_at`.
    pub async fn open(&self, key: JobKey) -> Result<Intake, Stopped> {
        let opening = Opening {
            is_whole: true,
            ..Opening::default()
        };
        self.open_at(key, opening).await
    }

    /// The same for a sender who says where he goes on.
    ///
    /// # Errors
    /// `NoSuchImport`, `Over`, `Paused`, `Elsewhere`, `OtherLength`, `Changed`, `Busy` after some seconds without a place, `Unavailable`,
    /// `Refused` where what was kept can't be read any more.
    pub async fn open_at(&self, key: JobKey, opening: Opening) -> Result<Intake, Stopped> {
        let parts = &self.parts;
        is_open(&self.find(key).await?, opening)?;
        parts.slots.cut(key.1, Stopped::TakenOver);
        let slot = parts.slots.take(key.0, key.1).await?;
        let (offset, length) = (opening.offset, opening.length);
        let opened = parts
            .store
            .open_import(key, offset, length, parts.patience());
        let Some(job) = opened.await.map_err(|error| unavailable(&error))? else {
            is_open(&self.find(key).await?, opening)?;
            return Err(Stopped::TakenOver);
        };
        let reading = self.reading(&job).await?;
        let is_whole = opening.is_whole;
        Ok(Intake::new(parts.clone(), job, reading, slot, is_whole))
    }

    async fn reading(&self, job: &Job) -> Result<Reading, Stopped> {
        let parts = &self.parts;
        let refused = |code, reason: String| Stopped::Refused(Unusable::of(code, reason));
        let layout: Layout = serde_json::from_str(&job.layout)
            .map_err(|error| refused("layout", error.to_string()))?;
        let kinds = parts.store.load_kinds(job.key.0);
        let means = Means {
            project_id: job.key.0,
            kinds: kinds.await.map_err(|error| unavailable(&error))?,
            limits: parts.limits.clone(),
            calls: parts.calls.clone(),
            mapping: mapping_of(&layout, job.mapping.as_deref())?,
            is_table: layout.format == Format::Csv,
            name: job.name.clone(),
            file_time: job.file_time,
            received_at: job.created_at,
        };
        let limits = file_limits(parts.settings.max_record_bytes);
        Reading::resumed(job, &layout, limits, means).map_err(Stopped::Refused)
    }

    /// One job.
    ///
    /// # Errors
    /// `NoSuchImport`, `Unavailable`.
    pub async fn find(&self, key: JobKey) -> Result<Job, Stopped> {
        let found = self.parts.store.load_import(key).await;
        found
            .map_err(|error| unavailable(&error))?
            .ok_or(Stopped::NoSuchImport)
    }

    /// A page of a project's jobs, of one name or of all, the newest first; `before` is the last of the page before.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list(
        &self,
        project_id: ProjectId,
        name: Option<&str>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Job>, Stopped> {
        let page = self
            .parts
            .store
            .load_imports(project_id, name, before, limit);
        page.await.map_err(|error| unavailable(&error))
    }

    /// A page of what was refused of a file, in its order; `after` is the number of the last record of the page before.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn refusals(
        &self,
        key: JobKey,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ImportRefusal>, Stopped> {
        let page = self.parts.store.load_import_refusals(key, after, limit);
        page.await.map_err(|error| unavailable(&error))
    }

    /// Pauses a job that is not over; its sender is cut off after the records under way.
    ///
    /// # Errors
    /// `NoSuchImport`, `Over`, `Unavailable`.
    pub async fn pause(&self, key: JobKey, reason: &str) -> Result<Job, Stopped> {
        let from = &[state::WAITING, state::RUNNING, state::PAUSED];
        self.change(key, (state::PAUSED, reason), from, false).await
    }

    /// Lets a paused job go on: its sender may send again.
    ///
    /// # Errors
    /// As `pause`.
    pub async fn resume(&self, key: JobKey) -> Result<Job, Stopped> {
        let found = self.find(key).await?;
        if [state::WAITING, state::RUNNING].contains(&&*found.state) {
            return Ok(found);
        }
        let from = &[state::PAUSED];
        self.change(key, (state::WAITING, ""), from, false).await
    }

    /// Ends a job; what was taken in stays.
    ///
    /// # Errors
    /// As `pause`.
    pub async fn cancel(&self, key: JobKey) -> Result<Job, Stopped> {
        let from = &[state::WAITING, state::RUNNING, state::PAUSED];
        let found = self.find(key).await?;
        if found.state == state::CANCELLED {
            return Ok(found);
        }
        self.change(key, (state::CANCELLED, ""), from, true).await
    }

    /// Ends a job whose file can't be had; what was taken in stays.
    ///
    /// # Errors
    /// As `pause`.
    pub async fn fail(&self, key: JobKey, reason: &str) -> Result<Job, Stopped> {
        let from = &[state::WAITING, state::RUNNING, state::PAUSED];
        self.change(key, (state::FAILED, reason), from, true).await
    }

    /// Gives a job up that nobody went on with.
    async fn abandon(&self, key: JobKey) -> Result<(), Stopped> {
        let from = &[state::WAITING, state::RUNNING];
        let to = (state::INCOMPLETE, intake::ABANDONED);
        self.change(key, to, from, true).await.map(drop)
    }

    /// Says how long the upload of a job is.
    ///
    /// # Errors
    /// `OtherLength` where that is not what was said before, or is less than was sent; `NoSuchImport`, `Unavailable`.
    pub async fn set_length(&self, key: JobKey, length: u64) -> Result<Job, Stopped> {
        let set = self.parts.store.set_import_length(key, length).await;
        match set.map_err(|error| unavailable(&error))? {
            Some(job) => Ok(job),
            None => {
                let found = self.find(key).await?;
                Err(Stopped::OtherLength(
                    found.length.unwrap_or(found.next_offset),
                ))
            }
        }
    }

    /// Ends all intakes after the records under way: the service stops.
    pub fn stop(&self) {
        self.parts.stop.send_replace(true);
    }

    async fn change(
        &self,
        key: JobKey,
        (to, reason): (&str, &str),
        from: &[&str],
        is_final: bool,
    ) -> Result<Job, Stopped> {
        let patience = self.parts.patience();
        let change = ImportChange {
            to,
            reason,
            from,
            is_final,
            patience,
        };
        let changed = self.parts.store.set_import(key, change).await;
        match changed.map_err(|error| unavailable(&error))? {
            Some(job) => {
                self.parts.slots.cut(key.1, why(&job));
                Ok(job)
            }
            None => Err(Stopped::Over(self.find(key).await?.state)),
        }
    }
}

/// How records are understood: by the text of a mapping file, or as files of that format usually are. One that is too long is not read.
fn mapping_of(layout: &Layout, text: Option<&str>) -> Result<Mapping, Stopped> {
    let refused = |reason| Stopped::Refused(Unusable::of("mapping", reason));
    let Some(text) = text else {
        return Ok(layout.default_mapping());
    };
    if text.len() > MAPPING_BYTES {
        let reason = format!("a mapping has at most {MAPPING_BYTES} bytes");
        return Err(refused(reason));
    }
    Mapping::parse(text).map_err(|complaints| refused(complaints.join("; ")))
}

/// Whether a sender may go on with a job as he thinks.
fn is_open(job: &Job, opening: Opening) -> Result<(), Stopped> {
    match &*job.state {
        state::WAITING | state::RUNNING => {}
        state::PAUSED => return Err(Stopped::Paused(job.reason.clone())),
        over => return Err(Stopped::Over(over.to_owned())),
    }
    let at = offset_of(job);
    if opening.offset.is_some_and(|offset| offset != at) {
        return Err(Stopped::Elsewhere(at));
    }
    match (job.length, opening.length) {
        (Some(known), Some(said)) if known != said => Err(Stopped::OtherLength(known)),
        // Said now, it stands: then nobody could send the right file any more.
        (None, Some(said)) if said < job.next_offset => Err(Stopped::Changed(job.next_offset)),
        _ => Ok(()),
    }
}

/// Why a sender can't go on with a job that is not his any more.
fn why(job: &Job) -> Stopped {
    let closed = is_open(job, Opening::default()).err();
    closed.unwrap_or(Stopped::TakenOver)
}

impl Parts {
    /// Why a sender's step was not taken.
    async fn why(&self, key: JobKey) -> Stopped {
        match self.store.load_import(key).await {
            Ok(Some(job)) => why(&job),
            Ok(None) => Stopped::NoSuchImport,
            Err(error) => unavailable(&error),
        }
    }
}
