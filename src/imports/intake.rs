//! One file on its way in: bytes become records, records receipts, receipts a position.
//!
//! While records are written the next piece is read. What is under way then, and how far the job's row follows, is `under_way.rs`.

use super::checksum::Checksum;
use super::job::{Job, state};
use super::parts::Parts;
use super::reading::{Batch, Reading};
use super::slots::Slot;
use super::stopped::Stopped;
use super::under_way::{Position, UnderWay};
use super::write::check_types;
use crate::files::Unusable;
use crate::store::Error;
use bytes::Bytes;
use std::sync::Arc;

/// Bytes of an upload that are read at once: some hundred records, about a batch of the writer. A little more than what is gathered of a
/// body, so that no small rest is a piece of its own.
const PIECE: usize = 160 << 10;
/// More than this is read where nobody waits for the thread.
const LIGHT: usize = 16 << 10;

/// Why a job is incomplete.
pub(super) const ABANDONED: &str = "nobody went on with the upload";

/// A file that is being taken in, by the only sender that may.
pub struct Intake {
    parts: Arc<Parts>,
    job: Job,
    reading: Option<Box<Reading>>,
    at: Position,
    /// What was done before, of a file that is sent from its start again.
    known: Option<Position>,
    under_way: UnderWay,
    slot: Slot,
    is_whole: bool,
}

impl Intake {
    pub(super) fn new(
        parts: Arc<Parts>,
        mut job: Job,
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
        let at = if is_again { start } else { done };
        // The reader has it.
        job.kept = None;
        Self {
            at,
            known: is_again.then_some(done),
            reading: Some(Box::new(reading)),
            under_way: UnderWay::new(parts.clone(), job.clone(), at.offset),
            parts,
            job,
            slot,
            is_whole,
        }
    }

    /// The byte of the upload with which the next bytes have to begin.
    pub fn offset(&self) -> u64 {
        self.at.offset
    }

    /// The checksum of the bytes before that.
    pub fn checksum(&self) -> Checksum {
        self.at.checksum
    }

    /// Bytes of the whole upload, where that is known.
    pub fn length(&self) -> Option<u64> {
        self.job.length
    }

    /// True where the bytes are those of a compressed file.
    pub fn is_compressed(&self) -> bool {
        self.job.compression.is_some()
    }

    /// Lets what is under way go on. Returns where it does not, when somebody else on this node sends the same file, or when the job is
    /// paused or ended by it, or when the service stops.
    pub async fn cut(&mut self) -> Stopped {
        tokio::select! {
            stopped = cut_off(&mut self.slot) => stopped,
            () = self.parts.stopped() => Stopped::Draining,
            stopped = self.under_way.run() => stopped,
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

    /// Takes the bytes that follow. When it returns they are read, and the last of them under way: `settle` waits for these. Waits for the
    /// database, for room, and for live traffic.
    ///
    /// # Errors
    /// Why it goes no further; what was done stays.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let most = self.job.length.unwrap_or(u64::MAX);
        if self.at.offset + bytes.len() as u64 > most {
            return Err(Stopped::OtherLength(most));
        }
        // All of a size: the last is no small rest.
        let count = bytes.len().div_ceil(PIECE).max(1);
        let size = bytes.len().div_ceil(count).max(1);
        for piece in bytes.chunks(size) {
            self.pass(piece)?;
            self.take_in(Bytes::copy_from_slice(piece)).await?;
        }
        Ok(())
    }

    /// Reads bytes, and begins to write what they say, in as many turns as that takes.
    async fn take_in(&mut self, bytes: Bytes) -> Result<(), Stopped> {
        let (size, mut rest) = (bytes.len(), Some(bytes));
        while let Some(bytes) = rest.take() {
            let mut batch = self.read(size, |reading| reading.read(bytes)).await?;
            rest = batch.rest.take();
            self.begin(batch).await?;
        }
        Ok(())
    }

    /// Reads what is held still, each turn changed before it is begun.
    async fn take_held(
        &mut self,
        read: fn(&mut Reading) -> Batch,
        change: impl Fn(&mut Batch),
    ) -> Result<(), Stopped> {
        let mut has_more = true;
        while has_more {
            let mut batch = self.read(usize::MAX, read).await?;
            has_more = batch.rest.take().is_some();
            change(&mut batch);
            self.begin(batch).await?;
        }
        Ok(())
    }

    /// Waits until all that was taken is done, but for an open last record, which is kept with the job.
    ///
    /// # Errors
    /// As `take`.
    pub async fn settle(&mut self) -> Result<(), Stopped> {
        self.under_way.settle(None).await
    }

    /// The file ends here.
    ///
    /// # Errors
    /// As `take`; `Elsewhere` where the upload is said to be longer; `Changed` where more was done of it before.
    pub async fn end(mut self) -> Result<Job, Stopped> {
        let length = self.job.length.unwrap_or(self.at.offset);
        if length != self.at.offset {
            return Err(Stopped::Elsewhere(self.at.offset));
        }
        if let Some(known) = self.known.filter(|known| known.offset > length) {
            return Err(Stopped::Changed(known.offset));
        }
        self.under_way.set_length(length);
        self.take_held(Reading::end, |_| {}).await?;
        let end = (state::DONE, String::new());
        self.under_way.settle(Some(end)).await?;
        self.job().await
    }

    /// Nobody goes on: the open last record is listed, and the job is over.
    pub(super) async fn give_up(mut self) -> Result<(), Stopped> {
        self.take_held(Reading::leave, |batch| batch.failure = None)
            .await?;
        self.take_held(Reading::end, |batch| {
            batch.cut = batch.places.drain(..).zip(batch.items.drain(..)).collect();
            batch.failure = None;
        })
        .await?;
        let end = (state::INCOMPLETE, ABANDONED.to_owned());
        self.under_way.settle(Some(end)).await
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
        Ok(())
    }

    /// Reads where nobody waits for the thread, unless it is a moment's work. What is under way goes on meanwhile.
    async fn read(
        &mut self,
        size: usize,
        work: impl FnOnce(&mut Reading) -> Batch + Send + 'static,
    ) -> Result<Batch, Stopped> {
        // It is gone where an earlier call was given up in the middle.
        let mut reading = self.reading.take().ok_or(Stopped::TakenOver)?;
        if size <= LIGHT {
            let batch = work(&mut reading);
            self.reading = Some(reading);
            return Ok(batch);
        }
        let readers = self.parts.readers.clone();
        let done = async move {
            let permit = readers.acquire_owned().await.ok()?;
            let done = tokio::task::spawn_blocking(move || {
                let batch = work(&mut reading);
                drop(permit);
                (reading, batch)
            });
            done.await.ok()
        };
        let (reading, batch) = tokio::select! {
            biased;
            done = done => done.ok_or(Stopped::Draining)?,
            stopped = self.under_way.run() => return Err(stopped),
        };
        self.reading = Some(reading);
        Ok(batch)
    }

    /// Begins to write what was read. Where the file is refused from there on, that is its end.
    async fn begin(&mut self, mut batch: Batch) -> Result<(), Stopped> {
        self.job.compression = batch.compression.map(str::to_owned);
        let is_part = batch.compression.is_some() && !self.is_whole;
        let failure = batch.failure.take().or_else(|| is_part.then(in_one_piece));
        self.at.records = batch.records.unwrap_or(0).max(self.at.records);
        let project_id = self.job.key.0;
        // In the order of the file, so that its first value of a field fixes the type.
        batch.warned += check_types(&self.parts, project_id, &mut batch.items).await?;
        self.under_way.push(batch, self.at).await?;
        let Some(failure) = failure else {
            return Ok(());
        };
        let reason = format!("{}: {failure}", failure.code);
        self.under_way.settle(Some((state::FAILED, reason))).await?;
        Err(Stopped::Refused(failure))
    }
}

/// Returns when this sender is cut off: why.
async fn cut_off(slot: &mut Slot) -> Stopped {
    // It ends only with the place.
    let told = slot.cut.wait_for(Option::is_some).await;
    let why = told.ok().and_then(|why| why.clone());
    why.unwrap_or(Stopped::TakenOver)
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
