//! One file on its way in: bytes become records, records receipts, receipts a position.
//!
//! While the records of one piece are written the next piece is read. A position is noted after the receipts of all that stands before
//! it, so that a crash between the two sends one piece again, which changes nothing.

use super::checksum::Checksum;
use super::job::{Job, state};
use super::parts::Parts;
use super::reading::{Batch, Reading};
use super::slots::Slot;
use super::step::{Outcomes, refusal};
use super::stopped::Stopped;
use super::write::{Tries, check_types, write};
use crate::domain::{Item, Receipt};
use crate::files::Unusable;
use crate::metric_names::{IMPORT_BYTES, IMPORTS_ENDED};
use crate::store::{Error, ImportCounts, ImportStep};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::poll;
use metrics::counter;
use std::sync::Arc;
use std::task::Poll;
use tokio::time::Instant;

/// Bytes of an upload that are read at once: some thousand records, written in a moment. More than what is gathered of a body, so that
/// no small rest is a piece of its own.
const PIECE: usize = 640 << 10;
/// More than this is read where nobody waits for the thread.
const LIGHT: usize = 16 << 10;

/// Why a job is incomplete.
pub(super) const ABANDONED: &str = "nobody went on with the upload";

/// How far the bytes have been looked at.
#[derive(Clone, Copy, Debug)]
struct Position {
    offset: u64,
    checksum: Checksum,
    records: u64,
}

/// Records that are being written.
struct Pending {
    work: BoxFuture<'static, Result<Vec<Receipt>, Stopped>>,
    items: Arc<Vec<Item>>,
    batch: Batch,
    at: Position,
}

/// How a job ends.
type End = (&'static str, String);

/// A file that is being taken in, by the only sender that may.
pub struct Intake {
    parts: Arc<Parts>,
    job: Job,
    reading: Option<Box<Reading>>,
    at: Position,
    /// What was done before, of a file that is sent from its start again.
    known: Option<Position>,
    pending: Option<Pending>,
    begun: Instant,
    records: u64,
    bytes: u64,
    slot: Slot,
    is_whole: bool,
}

impl Intake {
    pub(super) fn new(
        parts: Arc<Parts>,
        job: Job,
        reading: Reading,
        slot: Slot,
        is_whole: bool,
    ) -> Self {
        let done = Position {
            offset: job.next_offset,
            checksum: Checksum::of_row(job.checksum),
            records: job.records,
        };
        let start = Position {
            offset: 0,
            checksum: Checksum::EMPTY,
            records: job.records,
        };
        let is_again = job.compression.is_some();
        Self {
            at: if is_again { start } else { done },
            known: is_again.then_some(done),
            reading: Some(Box::new(reading)),
            parts,
            job,
            pending: None,
            begun: Instant::now(),
            records: 0,
            bytes: 0,
            slot,
            is_whole,
        }
    }

    /// The byte of the upload with which the next bytes have to begin.
    pub fn offset(&self) -> u64 {
        self.at.offset
    }

    /// Bytes of the whole upload, where that is known.
    pub fn length(&self) -> Option<u64> {
        self.job.length
    }

    /// True where the bytes are those of a compressed file.
    pub fn is_compressed(&self) -> bool {
        self.job.compression.is_some()
    }

    /// Returns when somebody else on this node sends the same file, or the service stops.
    pub async fn cut(&mut self) -> Stopped {
        tokio::select! {
            // Its sender lives as long as the place.
            _ = self.slot.cut.wait_for(|is_cut| *is_cut) => Stopped::TakenOver,
            () = self.parts.stopped() => Stopped::Draining,
        }
    }

    /// Looks whether it still is the only sender: somebody may have come by another node.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn look(&mut self) -> Result<(), Stopped> {
        let job = self.job().await?;
        if job.sender == self.job.sender {
            return Ok(());
        }
        Err(self.parts.why(self.job.key).await)
    }

    /// Takes the bytes that follow. When it returns all of them but the last piece are done; that one is when the next are taken, or
    /// by `settle`. Waits for the database, for room, and for live traffic.
    ///
    /// # Errors
    /// Why it goes no further; what was done stays.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let most = self.job.length.unwrap_or(u64::MAX);
        if self.at.offset + bytes.len() as u64 > most {
            return Err(Stopped::OtherLength(most));
        }
        for piece in bytes.chunks(PIECE) {
            self.pass(piece)?;
            let mut rest = Some(Bytes::copy_from_slice(piece));
            while let Some(bytes) = rest.take() {
                let size = bytes.len();
                let mut batch = self.read(size, |reading| reading.read(bytes)).await?;
                rest = batch.rest.take();
                self.begin(batch).await?;
            }
        }
        Ok(())
    }

    /// Waits until all that was taken is done, but for an open last record, which is kept with the job.
    ///
    /// # Errors
    /// As `take`.
    pub async fn settle(&mut self) -> Result<(), Stopped> {
        match self.pending.take() {
            Some(pending) => self.finish(pending, None).await,
            None => Ok(()),
        }
    }

    /// The file ends here.
    ///
    /// # Errors
    /// As `take`; `Elsewhere` where the upload is said to be longer.
    pub async fn end(mut self) -> Result<Job, Stopped> {
        let length = self.job.length.unwrap_or(self.at.offset);
        if length != self.at.offset {
            return Err(Stopped::Elsewhere(self.at.offset));
        }
        self.job.length = Some(length);
        let batch = self.read(usize::MAX, Reading::end).await?;
        self.begin(batch).await?;
        let end = (state::DONE, String::new());
        if let Some(pending) = self.pending.take() {
            self.finish(pending, Some(end)).await?;
        }
        self.job().await
    }

    /// Nobody goes on: the open last record is listed, and the job is over.
    pub(super) async fn give_up(mut self) -> Result<(), Stopped> {
        let mut batch = self.read(usize::MAX, Reading::end).await?;
        let unfinished = std::mem::take(&mut batch.places);
        batch.cut = unfinished;
        batch.items.clear();
        batch.failure = None;
        self.begin(batch).await?;
        let reason = ABANDONED.to_owned();
        match self.pending.take() {
            Some(pending) => {
                self.finish(pending, Some((state::INCOMPLETE, reason)))
                    .await
            }
            None => Ok(()),
        }
    }

    /// The job as it stands.
    ///
    /// # Errors
    /// `NoSuchImport`, `Unavailable`.
    pub async fn job(&mut self) -> Result<Job, Stopped> {
        let found = self.parts.store.load_import(self.job.key).await;
        found
            .map_err(|error| unavailable(&error))?
            .ok_or(Stopped::NoSuchImport)
    }

    /// Counts bytes, and holds those that were done before against what they were then.
    fn pass(&mut self, piece: &[u8]) -> Result<(), Stopped> {
        let mut rest = piece;
        if let Some(known) = self.known {
            let left = known.offset.saturating_sub(self.at.offset) as usize;
            let (again, more) = piece.split_at(left.min(piece.len()));
            self.at.checksum.add(again);
            self.at.offset += again.len() as u64;
            if self.at.offset == known.offset {
                self.known = None;
                if self.at.checksum != known.checksum {
                    return Err(Stopped::Changed(known.offset));
                }
            }
            rest = more;
        }
        self.at.checksum.add(rest);
        self.at.offset += rest.len() as u64;
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Reads where nobody waits for the thread, unless it is a moment's work.
    async fn read(
        &mut self,
        size: usize,
        work: impl FnOnce(&mut Reading) -> Batch + Send + 'static,
    ) -> Result<Batch, Stopped> {
        // It is gone where an earlier call was given up in the middle.
        let mut reading = self.reading.take().ok_or(Stopped::TakenOver)?;
        let batch = if size <= LIGHT {
            work(&mut reading)
        } else {
            let permit = self.parts.readers.clone().acquire_owned().await;
            let permit = permit.map_err(|_| Stopped::Draining)?;
            let done = tokio::task::spawn_blocking(move || {
                let batch = work(&mut reading);
                drop(permit);
                (reading, batch)
            });
            let (back, batch) = done.await.map_err(|_| Stopped::Draining)?;
            reading = back;
            batch
        };
        self.reading = Some(reading);
        Ok(batch)
    }

    /// Finishes what was begun before, and begins to write what was read.
    async fn begin(&mut self, mut batch: Batch) -> Result<(), Stopped> {
        self.settle().await?;
        self.job.compression = batch.compression.map(str::to_owned);
        let is_part = batch.compression.is_some() && !self.is_whole;
        let failure = batch.failure.take().or_else(|| is_part.then(in_one_piece));
        self.at.records = batch.records.unwrap_or(0).max(self.at.records);
        let project_id = self.job.key.0;
        batch.warned += check_types(&self.parts, project_id, &mut batch.items).await?;
        let items = Arc::new(std::mem::take(&mut batch.items));
        let mut work: BoxFuture<'static, _> =
            Box::pin(write(self.parts.clone(), project_id, items.clone()));
        // Looked at once, it is on its way while the next piece is read.
        if let Poll::Ready(done) = poll!(&mut work) {
            work = Box::pin(async { done });
        }
        let at = self.at;
        let pending = Pending {
            work,
            items,
            batch,
            at,
        };
        let Some(failure) = failure else {
            self.pending = Some(pending);
            return Ok(());
        };
        let reason = format!("{}: {failure}", failure.code);
        self.finish(pending, Some((state::FAILED, reason))).await?;
        Err(Stopped::Refused(failure))
    }

    async fn finish(&mut self, pending: Pending, end: Option<End>) -> Result<(), Stopped> {
        let receipts = pending.work.await?;
        fail::fail_point!("import-written");
        let outcomes = Outcomes::of(&pending.items, receipts, &pending.batch);
        let step = self.step(pending.batch, pending.at, outcomes, end).await?;
        self.note(&step).await?;
        let bytes = step.next_offset.saturating_sub(self.job.next_offset);
        counter!(IMPORT_BYTES).increment(bytes);
        self.job.next_offset = self.job.next_offset.max(step.next_offset);
        if step.state != state::RUNNING {
            counter!(IMPORTS_ENDED, "state" => step.state).increment(1);
        }
        Ok(())
    }

    async fn step(
        &mut self,
        batch: Batch,
        at: Position,
        outcomes: Outcomes,
        end: Option<End>,
    ) -> Result<ImportStep, Stopped> {
        let is_over = end.is_some();
        let (state, reason) = end.unwrap_or((state::RUNNING, String::new()));
        let counts = ImportCounts {
            lines: batch.lines,
            blank: batch.blank,
            ..outcomes.counts
        };
        self.records += outcomes.records();
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let mut refusals = outcomes.refusals;
        let cut = batch.cut.iter().map(super::step::cut);
        refusals.extend(cut);
        refusals.extend(batch.refused.iter().map(|(own, why)| refusal(own, why)));
        let mut step = ImportStep {
            key: self.job.key,
            sender: self.job.sender,
            step: self.job.step,
            next_offset: at.offset,
            checksum: at.checksum.to_row(),
            records: at.records,
            kept: batch.kept.filter(|_| !is_over),
            counts,
            seen: batch.seen,
            compression: batch.compression,
            records_per_second: self.records as f64 / seconds,
            bytes_per_second: self.bytes as f64 / seconds,
            length: self.job.length,
            state,
            reason,
            refusals,
            patience: self.parts.patience(),
        };
        self.leave_out_erased(&mut step).await?;
        Ok(step)
    }

    async fn leave_out_erased(&mut self, step: &mut ImportStep) -> Result<(), Stopped> {
        let store = &self.parts.store;
        let mut tries = Tries::begin();
        let (project_id, at) = (self.job.key.0, self.job.file_time);
        while let Err(error) = store
            .empty_older_lines(project_id, at, &mut step.refusals)
            .await
        {
            tracing::warn!(reason = %error.full_text(), "an import waits for the database");
            tries.again().await?;
        }
        Ok(())
    }

    /// Notes a step, if the job is still this sender's.
    async fn note(&mut self, step: &ImportStep) -> Result<(), Stopped> {
        let mut tries = Tries::begin();
        loop {
            match self.parts.store.advance_import(step).await {
                Ok(true) => break,
                Ok(false) => return Err(self.parts.why(self.job.key).await),
                Err(error) => {
                    tracing::warn!(reason = %error.full_text(), "an import waits for the database");
                    tries.again().await?;
                }
            }
        }
        self.job.step += 1;
        Ok(())
    }
}

/// Why a piece of a compressed file is refused.
pub fn in_one_piece() -> Unusable {
    let message = "a compressed file is sent in one piece, from its first byte to its last: set the client's chunk size to the \
                   size of the file, or send it unpacked";
    Unusable::of("compressed_parts", message)
}

/// The reason goes to the log, once.
pub(super) fn unavailable(error: &Error) -> Stopped {
    tracing::error!(reason = %error.full_text(), "an import can't reach the database");
    Stopped::Unavailable
}
