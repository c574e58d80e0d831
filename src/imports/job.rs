//! What is said of a file before its first byte, and how a job is shown.

use super::checksum::Checksum;
use super::mended::{self, Mended};
use crate::domain::{ProjectId, Timestamp};
use crate::files::{Before, Layout, Seen};
use crate::store::StoredImport;
use serde::Serialize;

/// A job as it stands.
pub type Job = StoredImport;

/// A file that is to be taken in.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub project_id: ProjectId,
    /// The file's own: ids of events without one are derived from it.
    pub name: String,
    pub layout: Layout,
    /// TOML, as a mapping file has it.
    pub mapping: Option<String>,
    /// The file's own time; that of the job where it has none.
    pub time: Option<Timestamp>,
    /// Bytes of the upload, as they are sent.
    pub length: Option<u64>,
}

/// States of a job.
pub mod state {
    pub const WAITING: &str = "waiting";
    pub const RUNNING: &str = "running";
    pub const PAUSED: &str = "paused";
    pub const DONE: &str = "done";
    pub const FAILED: &str = "failed";
    pub const CANCELLED: &str = "cancelled";
    pub const INCOMPLETE: &str = "incomplete";
}

/// A job as people see it.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub id: String,
    pub name: String,
    pub state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub format: &'static str,
    /// Of a part of a file: the line with which it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_line: Option<u64>,
    pub time: String,
    /// Bytes of the upload that are done, and of all of it.
    pub offset: u64,
    pub length: Option<u64>,
    /// Of the bytes that are done: by it a sender knows the file again.
    pub checksum: String,
    pub lines: u64,
    pub blank: u64,
    pub records: u64,
    pub stored: u64,
    pub unchanged: u64,
    pub duplicate: u64,
    pub rejected: u64,
    pub warned: u64,
    /// Why, for some sorts of it.
    pub mended: Vec<Mended>,
    pub records_per_second: u64,
    /// Until the end, at the present rate; nothing where nobody sends, or the length is not known.
    pub seconds_left: Option<u64>,
    /// What the file turned out to be.
    pub file: Option<Seen>,
    pub compression: Option<String>,
    pub created_at: String,
    pub updated_at: String,
    pub finished_at: Option<String>,
    pub expires_at: String,
}

/// The byte with which a sender goes on. A compressed file is sent from its start until all of it is done.
pub fn offset_of(job: &Job) -> u64 {
    let is_done = job.state == state::DONE;
    if job.compression.is_some() && !is_done {
        0
    } else {
        job.next_offset
    }
}

/// All of a file is there, and its job has not ended.
pub fn lacks_its_end(job: &Job) -> bool {
    let offset = offset_of(job);
    job.finished_at.is_none() && offset > 0 && job.length == Some(offset)
}

/// The job for people.
pub fn shown(job: &Job) -> Shown {
    let layout: Layout = serde_json::from_str(&job.layout).unwrap_or_default();
    let seen = job.seen.as_deref();
    let (counts, before) = (&job.counts, layout.before);
    let is_running = job.state == state::RUNNING;
    let left = job
        .length
        .map(|length| length - job.next_offset.min(length));
    let left = left.filter(|_| is_running && job.bytes_per_second >= 1.0);
    Shown {
        id: job.key.1.to_string(),
        name: job.name.clone(),
        state: job.state.clone(),
        reason: job.reason.clone(),
        format: layout.format.as_str(),
        first_line: (before != Before::default()).then_some(before.lines + 1),
        time: job.file_time.to_string(),
        offset: offset_of(job),
        length: job.length,
        checksum: Checksum::of_row(job.checksum).to_text(),
        lines: counts.lines.saturating_sub(before.lines),
        blank: counts.blank,
        records: job.records.saturating_sub(before.records),
        stored: counts.stored,
        unchanged: counts.unchanged,
        duplicate: counts.duplicate,
        rejected: counts.rejected,
        warned: counts.warned,
        mended: mended::of_row(seen),
        records_per_second: job.records_per_second as u64,
        seconds_left: left.map(|bytes| (bytes as f64 / job.bytes_per_second).ceil() as u64),
        file: seen.and_then(|seen| serde_json::from_str(seen).ok()),
        compression: job.compression.clone(),
        created_at: job.created_at.to_string(),
        updated_at: job.updated_at.to_string(),
        finished_at: job.finished_at.map(|at| at.to_string()),
        expires_at: job.expires_at.to_string(),
    }
}
