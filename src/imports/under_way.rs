//! Pieces of a file whose records are being written, and the job's row, which follows them in their order.
//!
//! Several pieces are written side by side, so that the database never waits for the row. The row moves past a piece once all that stands
//! before its end is written; so a crash repeats no more than what is under way, which is `WINDOW` bytes of the file at most, or one piece.

use super::checksum::Checksum;
use super::job::{Job, state};
use super::note::note;
use super::parts::Parts;
use super::reading::Batch;
use super::step::Outcomes;
use super::stopped::Stopped;
use super::write::write;
use crate::domain::{Item, Receipt};
use crate::metric_names::{IMPORT_BYTES, IMPORTS_ENDED};
use crate::store::{ImportCounts, ImportStep};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{StreamExt, poll};
use metrics::counter;
use std::future::pending;
use std::sync::Arc;
use std::task::Poll;
use tokio::time::Instant;

/// Bytes of a file, as it is unpacked, that are written and not noted at once; fewer of short records, by their weight. As many pieces
/// as the writer has batches in flight, as many again that are ready when one of these ends, and what waits to be noted. So much is
/// written again after a crash.
const WINDOW: usize = 1_280 << 10;

/// How far the bytes have been looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub offset: u64,
    pub checksum: Checksum,
    pub records: u64,
}

/// How a job ends.
pub(super) type End = (&'static str, String);

/// A piece that is written: what became of its records.
struct Written {
    receipts: Vec<Receipt>,
    items: Arc<Vec<Item>>,
    batch: Batch,
    at: Position,
}

/// Pieces that are written and not noted, as one.
struct Passed {
    outcomes: Outcomes,
    /// Of the last of them: lines, and what a successor needs.
    last: Batch,
    at: Position,
    weight: usize,
}

/// A note on its way into the job's row.
struct Note {
    work: BoxFuture<'static, Result<ImportStep, Stopped>>,
    weight: usize,
}

/// What is under way of a file.
pub(super) struct UnderWay {
    parts: Arc<Parts>,
    job: Row,
    writing: FuturesOrdered<BoxFuture<'static, Result<Written, Stopped>>>,
    passed: Option<Passed>,
    note: Option<Note>,
    end: Option<End>,
    /// Of what is not noted.
    weight: usize,
}

/// The row of a job as its sender left it.
struct Row {
    job: Job,
    begun: Instant,
    /// Where this sender began.
    start: u64,
    records: u64,
}

impl UnderWay {
    /// Nothing yet; `start` is the first byte that is sent.
    pub fn new(parts: Arc<Parts>, job: Job, start: u64) -> Self {
        let begun = Instant::now();
        let records = 0;
        Self {
            parts,
            job: Row {
                job,
                begun,
                start,
                records,
            },
            writing: FuturesOrdered::new(),
            passed: None,
            note: None,
            end: None,
            weight: 0,
        }
    }

    /// The upload has so many bytes.
    pub fn set_length(&mut self, length: u64) {
        self.job.job.length = Some(length);
    }

    /// Begins to write a piece, once there is room for it.
    ///
    /// # Errors
    /// Why what is before it goes no further.
    pub async fn push(&mut self, mut batch: Batch, at: Position) -> Result<(), Stopped> {
        while self.weight > 0 && self.weight + batch.weight > WINDOW {
            self.advance().await?;
        }
        self.weight += batch.weight;
        let items = Arc::new(std::mem::take(&mut batch.items));
        let (parts, project_id) = (self.parts.clone(), self.job.job.key.0);
        self.writing.push_back(Box::pin(async move {
            let receipts = write(parts, project_id, items.clone()).await?;
            Ok(Written {
                receipts,
                items,
                batch,
                at,
            })
        }));
        // Looked at once, it is on its way while the next piece is read.
        match poll!(self.writing.next()) {
            Poll::Ready(Some(written)) => self.pass(written),
            Poll::Ready(None) | Poll::Pending => Ok(()),
        }
    }

    /// Lets what is under way go on. Returns only where it does not.
    pub async fn run(&mut self) -> Stopped {
        loop {
            if let Err(stopped) = self.advance().await {
                return stopped;
            }
        }
    }

    /// Waits until all is written and noted; with the end of the job, where it is over.
    ///
    /// # Errors
    /// Why it goes no further.
    pub async fn settle(&mut self, end: Option<End>) -> Result<(), Stopped> {
        self.end = end;
        while !self.writing.is_empty() || self.passed.is_some() || self.note.is_some() {
            self.advance().await?;
        }
        Ok(())
    }

    /// Lets what is under way go on until something of it is written or noted. It may be given up at any time.
    async fn advance(&mut self) -> Result<(), Stopped> {
        self.begin_note();
        tokio::select! {
            biased;
            step = noted(self.note.as_mut()) => {
                let note = self.note.take();
                self.weight -= note.map_or(0, |note| note.weight);
                self.job.moved(&step?);
                Ok(())
            }
            Some(written) = self.writing.next() => self.pass(written),
        }
    }

    /// Takes a piece to those that are to be noted.
    fn pass(&mut self, written: Result<Written, Stopped>) -> Result<(), Stopped> {
        let Written {
            receipts,
            items,
            batch,
            at,
        } = written?;
        let outcomes = Outcomes::of(&items, receipts, &batch);
        let weight = batch.weight;
        self.passed = Some(match self.passed.take() {
            Some(before) => Passed {
                outcomes: before.outcomes.and(outcomes),
                weight: before.weight + weight,
                last: batch,
                at,
            },
            None => Passed {
                outcomes,
                last: batch,
                at,
                weight,
            },
        });
        Ok(())
    }

    /// One note at a time. It waits for a good part of what is under way, since a note costs as much as some records; and where the job
    /// is over, for the rest.
    fn begin_note(&mut self) {
        let is_last = self.writing.is_empty();
        let is_due = |passed: &mut Passed| passed.weight >= WINDOW / 2;
        let is_held = self.note.is_some() || (self.end.is_some() && !is_last);
        let passed = match is_held {
            true => None,
            false => self.passed.take_if(|passed| is_last || is_due(passed)),
        };
        let Some(passed) = passed else {
            return;
        };
        fail::fail_point!("import-written");
        let weight = passed.weight;
        let step = self.job.step(passed, self.end.take(), &self.parts);
        let work = Box::pin(note(self.parts.clone(), self.job.job.file_time, step));
        self.note = Some(Note { work, weight });
    }
}

/// What became of a note; never where there is none.
async fn noted(note: Option<&mut Note>) -> Result<ImportStep, Stopped> {
    match note {
        Some(note) => (&mut note.work).await,
        None => pending().await,
    }
}

impl Row {
    /// What is to be noted: the last pieces as one step.
    fn step(&mut self, passed: Passed, end: Option<End>, parts: &Parts) -> ImportStep {
        let Passed {
            outcomes, last, at, ..
        } = passed;
        let is_over = end.is_some();
        let (state, reason) = end.unwrap_or((state::RUNNING, String::new()));
        self.records += outcomes.records();
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        ImportStep {
            key: self.job.key,
            sender: self.job.sender,
            step: self.job.step,
            next_offset: at.offset,
            checksum: at.checksum.to_row(),
            records: at.records,
            kept: last.kept.filter(|_| !is_over),
            counts: ImportCounts {
                lines: last.lines,
                blank: last.blank,
                ..outcomes.counts
            },
            seen: last.seen,
            compression: last.compression,
            records_per_second: self.records as f64 / seconds,
            bytes_per_second: (at.offset - self.start) as f64 / seconds,
            length: self.job.length,
            state,
            reason,
            refusals: outcomes.refusals,
            patience: parts.patience(),
        }
    }

    fn moved(&mut self, step: &ImportStep) {
        self.job.step += 1;
        let bytes = step.next_offset.saturating_sub(self.job.next_offset);
        counter!(IMPORT_BYTES).increment(bytes);
        self.job.next_offset = self.job.next_offset.max(step.next_offset);
        if step.state != state::RUNNING {
            counter!(IMPORTS_ENDED, "state" => step.state).increment(1);
        }
    }
}
