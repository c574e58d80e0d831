//! Files that are taken in: where each job is, and what it came to.
//!
//! A job belongs to one sender at a time. Each of its steps finds its own sender's number in the same statement, and writes position,
//! counts and refusals together; so the counts always add up to the records that were passed, whoever was cut off or killed.

use super::backfill::optional_time;
use super::import_statements::{
    ADVANCE_IMPORT, CREATE_IMPORT, DUE_IMPORTS, FORGET_IMPORTS, LOAD_IMPORT, LOAD_IMPORTS,
    OPEN_IMPORT, SET_IMPORT, SET_IMPORT_LENGTH,
};
use super::params::JsonParam;
use super::profiles::timestamp;
use super::{Error, Fence, ImportRefusal, Store};
use crate::domain::{ProjectId, Timestamp};
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Whose job it is, and which.
pub type ImportKey = (ProjectId, Uuid);

/// What is said of a file before its first byte.
#[derive(Clone, Debug)]
pub struct NewImport {
    pub key: ImportKey,
    pub name: String,
    /// JSON.
    pub layout: String,
    /// TOML.
    pub mapping: Option<String>,
    pub file_time: Option<Timestamp>,
    pub length: Option<u64>,
    /// The checksum of nothing.
    pub checksum: i64,
}

/// A job as it stands.
#[derive(Clone, Debug)]
pub struct StoredImport {
    pub key: ImportKey,
    pub name: String,
    /// In lists only what these show of it.
    pub layout: String,
    /// Not read in lists.
    pub mapping: Option<String>,
    pub file_time: Timestamp,
    pub length: Option<u64>,
    pub compression: Option<String>,
    pub next_offset: u64,
    pub checksum: i64,
    pub records: u64,
    /// Not read in lists.
    pub kept: Option<Vec<u8>>,
    pub counts: ImportCounts,
    pub seen: Option<String>,
    pub records_per_second: f64,
    pub bytes_per_second: f64,
    pub state: String,
    pub reason: String,
    pub sender: i64,
    pub step: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub expires_at: Timestamp,
}

/// What became of lines and records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    pub lines: u64,
    pub blank: u64,
    pub stored: u64,
    pub unchanged: u64,
    pub duplicate: u64,
    pub rejected: u64,
    /// Of the stored ones, those that were mended.
    pub warned: u64,
}

/// A step of one job. Counts of lines are of the whole file, those of records of this step.
#[derive(Clone, Debug)]
pub struct ImportStep {
    pub key: ImportKey,
    pub sender: i64,
    /// The number of the step before.
    pub step: i64,
    pub next_offset: u64,
    pub checksum: i64,
    pub records: u64,
    pub kept: Option<Vec<u8>>,
    pub counts: ImportCounts,
    pub seen: String,
    pub compression: Option<&'static str>,
    pub records_per_second: f64,
    pub bytes_per_second: f64,
    pub length: Option<u64>,
    /// `running`, or how it ended.
    pub state: &'static str,
    pub reason: String,
    pub refusals: Vec<ImportRefusal>,
    /// How long it stays open where nobody goes on with it.
    pub patience: Duration,
}

/// A change of state that a person asks for.
#[derive(Clone, Copy, Debug)]
pub struct ImportChange<'a> {
    pub to: &'a str,
    pub reason: &'a str,
    /// The states in which it is possible.
    pub from: &'a [&'a str],
    /// It does not go on after that.
    pub is_final: bool,
    pub patience: Duration,
}

impl Store {
    /// Makes a job; a repeat finds it.
    pub async fn create_import(
        &self,
        new: &NewImport,
        patience: Duration,
    ) -> Result<StoredImport, Error> {
        let (project, id) = (new.key.0.0, new.key.1);
        let time = new.file_time.map(Timestamp::instant);
        let length = new.length.map(signed);
        let seconds = patience.as_secs_f64();
        let params: [&(dyn ToSql + Sync); 9] = [
            &project,
            &id,
            &new.name,
            &new.layout,
            &new.mapping,
            &time,
            &length,
            &new.checksum,
            &seconds,
        ];
        let rows = self.run(&CREATE_IMPORT, &params).await?;
        Ok(import(&rows[0]))
    }

    /// One job.
    pub async fn load_import(&self, key: ImportKey) -> Result<Option<StoredImport>, Error> {
        let rows = self.run(&LOAD_IMPORT, &[&key.0.0, &key.1]).await?;
        Ok(rows.first().map(import))
    }

    /// A page of a project's jobs, of one name or of all, the newest first; `before` is the last of the page before.
    pub async fn load_imports(
        &self,
        project_id: ProjectId,
        name: Option<&str>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<StoredImport>, Error> {
        let before = before.unwrap_or(Uuid::max());
        let params: [&(dyn ToSql + Sync); 4] = [&project_id.0, &before, &name, &limit];
        let rows = self.run(&LOAD_IMPORTS, &params).await?;
        Ok(rows.iter().map(import).collect())
    }

    /// Takes a job over from whoever sent it; `None` where it is not at that offset, or can't go on.
    pub async fn open_import(
        &self,
        key: ImportKey,
        offset: Option<u64>,
        length: Option<u64>,
        patience: Duration,
    ) -> Result<Option<StoredImport>, Error> {
        let (offset, length) = (offset.map(signed), length.map(signed));
        let seconds = patience.as_secs_f64();
        let params: [&(dyn ToSql + Sync); 5] = [&key.0.0, &key.1, &offset, &length, &seconds];
        let rows = self.run(&OPEN_IMPORT, &params).await?;
        Ok(rows.first().map(import))
    }

    /// Does a step; false where the job is somebody else's by now, or can't go on.
    pub async fn advance_import(&self, step: &ImportStep) -> Result<bool, Error> {
        let (project, id) = (step.key.0.0, step.key.1);
        let refusals = || step.refusals.iter();
        let hashes = refusals().map(|one| (step.key.0, &one.names[..]));
        let hashes = self.name_hashes(hashes).await?;
        let hashes: Vec<_> = hashes
            .iter()
            .map(|one| one.as_ref().map(JsonParam))
            .collect();
        let numbers: Vec<i64> = refusals().map(|one| one.number).collect();
        let places: Vec<&str> = refusals().map(|one| one.place.as_str()).collect();
        let codes: Vec<&str> = refusals().map(|one| one.code.as_str()).collect();
        let fields: Vec<Option<&str>> = refusals().map(|one| one.field.as_deref()).collect();
        let messages: Vec<&str> = refusals().map(|one| one.message.as_str()).collect();
        let records: Vec<Option<&[u8]>> = refusals().map(|one| one.record.as_deref()).collect();
        let sizes: Vec<i64> = refusals().map(|one| one.record_bytes).collect();
        let (offset, done, counts) = (signed(step.next_offset), signed(step.records), step.counts);
        let [lines, blank, stored, unchanged, duplicate, rejected, warned] = [
            counts.lines,
            counts.blank,
            counts.stored,
            counts.unchanged,
            counts.duplicate,
            counts.rejected,
            counts.warned,
        ]
        .map(signed);
        let length = step.length.map(signed);
        let seconds = step.patience.as_secs_f64();
        let params: [&(dyn ToSql + Sync); 31] = [
            &project,
            &id,
            &step.sender,
            &step.step,
            &offset,
            &step.checksum,
            &done,
            &step.kept,
            &lines,
            &blank,
            &stored,
            &unchanged,
            &duplicate,
            &rejected,
            &warned,
            &step.seen,
            &step.compression,
            &step.records_per_second,
            &step.bytes_per_second,
            &length,
            &step.state,
            &step.reason,
            &seconds,
            &numbers,
            &places,
            &codes,
            &fields,
            &messages,
            &records,
            &sizes,
            &hashes,
        ];
        let rows = self.run(&ADVANCE_IMPORT, &params).await?;
        if !rows.is_empty() {
            return Ok(true);
        }
        // A first try whose answer was lost has done it.
        let found = self.load_import(step.key).await?;
        Ok(found.is_some_and(|job| job.sender == step.sender && job.step == step.step + 1))
    }

    /// Changes a job's state; `None` where it is in none of the states in which that is possible.
    pub async fn set_import(
        &self,
        key: ImportKey,
        change: ImportChange<'_>,
    ) -> Result<Option<StoredImport>, Error> {
        let seconds = change.patience.as_secs_f64();
        let params: [&(dyn ToSql + Sync); 7] = [
            &key.0.0,
            &key.1,
            &change.to,
            &change.reason,
            &change.from,
            &change.is_final,
            &seconds,
        ];
        let rows = self.run(&SET_IMPORT, &params).await?;
        Ok(rows.first().map(import))
    }

    /// Says how long the upload is; `None` where another length is known, or more was taken already.
    pub async fn set_import_length(
        &self,
        key: ImportKey,
        length: u64,
    ) -> Result<Option<StoredImport>, Error> {
        let params: [&(dyn ToSql + Sync); 3] = [&key.0.0, &key.1, &signed(length)];
        let rows = self.run(&SET_IMPORT_LENGTH, &params).await?;
        Ok(rows.first().map(import))
    }

    /// Open jobs that are to be given up, by the database's clock.
    pub async fn due_imports(&self, limit: i64) -> Result<Vec<ImportKey>, Error> {
        let rows = self.run(&DUE_IMPORTS, &[&limit]).await?;
        let key = |row: &Row| (ProjectId(row.get(0)), row.get(1));
        Ok(rows.iter().map(key).collect())
    }

    /// Forgets a page of jobs that ended long ago; how many.
    pub async fn forget_imports(&self, fence: Fence, limit: i64) -> Result<i64, Error> {
        let params: [&(dyn ToSql + Sync); 3] = [&limit, &fence.worker, &fence.token];
        let rows = self.run(&FORGET_IMPORTS, &params).await?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }
}

/// Sizes and counts of files are far below what a signed number holds.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row, column: usize) -> u64 {
    row.get::<_, i64>(column).unsigned_abs()
}

fn import(row: &Row) -> StoredImport {
    let counts = ImportCounts {
        lines: unsigned(row, 12),
        blank: unsigned(row, 13),
        stored: unsigned(row, 14),
        unchanged: unsigned(row, 15),
        duplicate: unsigned(row, 16),
        rejected: unsigned(row, 17),
        warned: unsigned(row, 18),
    };
    StoredImport {
        key: (ProjectId(row.get(0)), row.get(1)),
        name: row.get(2),
        layout: row.get(3),
        mapping: row.get(4),
        file_time: timestamp(row, 5),
        length: row.get::<_, Option<i64>>(6).map(i64::unsigned_abs),
        compression: row.get(7),
        next_offset: unsigned(row, 8),
        checksum: row.get(9),
        records: unsigned(row, 10),
        kept: row.get(11),
        counts,
        seen: row.get(19),
        records_per_second: row.get(20),
        bytes_per_second: row.get(21),
        state: row.get(22),
        reason: row.get(23),
        sender: row.get(24),
        step: row.get(25),
        created_at: timestamp(row, 26),
        updated_at: timestamp(row, 27),
        finished_at: optional_time(row, 28),
        expires_at: timestamp(row, 29),
    }
}
