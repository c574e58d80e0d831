//! From the bytes of an upload to commands: unpacked, cut into records, read by the mapping and judged at the gate.
//!
//! All of it is work for a processor alone, so that it can be done where nobody waits for the thread.

use super::mended::{self, Mended};
use super::unpack::Unpack;
use crate::domain::{Class, Gate, Item, KeyKind, Kinds, Limits, ProjectId, Rejection, Timestamp};
use crate::files::{FileLimits, FileReader, FileRecord, Layout, Place, Unusable, unclear};
use crate::mapping::{Calls, FromFile, Mapping, Reading as Read, Record};
use crate::store::StoredImport;
use bytes::Bytes;

/// Records that hold more than so many times their text weigh more than it: of short lines there are many.
const HELD_FOR_A_BYTE: usize = 4;

/// Records that are read before it is looked what they hold, where the mapping may make a megabyte of each.
const STEP: usize = 16;

/// Records of one turn.
const TURN: usize = 1_000;

/// Bytes that the records of one turn hold: with so many it ends, however few they are.
const HELD: usize = 4 << 20;

/// What a refused record holds beside its text until it is listed.
const REFUSED: usize = 1_024;

/// What all records of a file are read with.
pub(super) struct Means {
    pub project_id: ProjectId,
    pub kinds: Kinds,
    pub limits: Limits,
    pub calls: Calls,
    pub mapping: Mapping,
    pub name: String,
    /// The time of records that have none.
    pub file_time: Timestamp,
    /// A row of a table, whose members are its columns.
    pub is_table: bool,
    /// No record is later than its job.
    pub received_at: Timestamp,
}

impl Means {
    fn gate(&self) -> Gate<'_> {
        Gate {
            project_id: self.project_id,
            class: Class::Import,
            by: KeyKind::Server,
            kinds: &self.kinds,
            limits: &self.limits,
            received_at: self.received_at,
            is_measured: false,
        }
    }

    /// Records that are read before it is looked what they hold.
    fn step(&self) -> usize {
        match self.mapping.may_multiply() {
            true => STEP,
            false => TURN,
        }
    }
}

/// A file that is being read.
pub(super) struct Reading {
    means: Means,
    unpack: Unpack,
    reader: FileReader,
    /// Records that are done already: a compressed file is read again from its start.
    done: u64,
    /// What was mended in those, and in the ones that were read since.
    mended: Vec<Mended>,
    /// Records that are whole wait in the reader for their turn.
    leaves_some: bool,
    /// Why no more can be unpacked, once these have had their turn.
    broken: Option<Unusable>,
}

/// Records that were read together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub items: Vec<Item>,
    /// Of each item, where it stands.
    pub places: Vec<Standing>,
    pub refused: Vec<(Standing, Rejection)>,
    /// The last records, where nobody knows whether they are whole.
    pub cut: Vec<(Standing, Item)>,
    /// Records with nothing about anybody: they count as unchanged.
    pub empty: u64,
    pub warned: u64,
    /// How many were judged, and what became of them holds.
    judged: usize,
    held: usize,
    /// The number of the last record.
    pub records: Option<u64>,
    pub lines: u64,
    pub blank: u64,
    pub seen: String,
    pub kept: Option<Vec<u8>>,
    pub compression: Option<&'static str>,
    /// What it takes of the window: bytes of the file that it was made of, or a part of what its records hold where that is more.
    pub weight: usize,
    /// Bytes of the upload that were not looked at yet; none of them where records are left.
    pub rest: Option<Bytes>,
    /// The file is refused from here on.
    pub failure: Option<Unusable>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.judged >= TURN || self.held >= HELD
    }
}

/// A record in its file.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub number: u64,
    pub place: Place,
    /// As it was, for the list of what was refused.
    pub text: Bytes,
    /// Bytes of all of it, where `text` is only its beginning.
    pub bytes: u64,
}

/// How much of a file may be held.
pub(super) fn file_limits(record_bytes: usize) -> FileLimits {
    FileLimits {
        record_bytes,
        ..FileLimits::default()
    }
}

impl Reading {
    /// Goes on where a job is; of a compressed one from the start.
    ///
    /// # Errors
    /// What can't be in its layout, or was kept by another version.
    pub fn resumed(
        job: &StoredImport,
        layout: &Layout,
        limits: FileLimits,
        means: Means,
    ) -> Result<Self, Unusable> {
        let limits = FileLimits {
            records: means.step(),
            ..limits
        };
        let kept = job.kept.as_deref().unwrap_or_default();
        let (unpack, kept) = Unpack::resumed(kept);
        let reader = match kept {
            Some(kept) => FileReader::resumed(layout, limits, kept)?,
            None => FileReader::new(layout, limits)?,
        };
        Ok(Self {
            means,
            unpack,
            reader,
            done: job.records,
            mended: mended::of_row(job.seen.as_deref()),
            leaves_some: false,
            broken: None,
        })
    }

    /// Takes the next bytes of the upload, or as many of them as are unpacked at once. Where records are many they come out in turns: then
    /// the next bytes are left, if only none.
    pub fn read(&mut self, bytes: Bytes) -> Batch {
        let mut batch = Batch::default();
        if self.leaves_some {
            batch.rest = Some(bytes);
            let failure = self.feed(&[], &mut batch);
            return self.finish(batch, failure);
        }
        let unpacked = self.unpack.take(bytes);
        (batch.rest, self.broken) = (unpacked.rest, unpacked.failure);
        let failure = self.feed(&unpacked.bytes, &mut batch);
        self.finish(batch, failure)
    }

    /// Nobody goes on with the upload: the records that are whole come out, and the open last one stays. Bytes are left, if only none, where
    /// this has to be said again.
    pub fn leave(&mut self) -> Batch {
        let mut batch = Batch::default();
        let first = self.unpack.end();
        let mut failure = self.feed(&first.bytes, &mut batch);
        if failure.is_none() && !self.leaves_some {
            failure = self.turn(&mut batch, FileReader::leave_some);
        }
        self.finish(batch, failure)
    }

    /// The file ends here; it has not yet where bytes are left, if only none, and this has to be said again.
    pub fn end(&mut self) -> Batch {
        let mut batch = Batch::default();
        let unpacked = self.unpack.end();
        self.broken = self.broken.take().or(unpacked.failure);
        let failure = self.feed(&unpacked.bytes, &mut batch);
        let failure = match failure {
            // Of a file that is cut nobody knows whether its last record is whole.
            None if !self.leaves_some && self.broken.is_none() => {
                let failure = self.turn(&mut batch, FileReader::end_some);
                // In a wrong encoding a whole table may be its header.
                failure.or_else(|| self.who_is_unclear())
            }
            failure => failure,
        };
        self.finish(batch, failure)
    }

    fn feed(&mut self, bytes: &[u8], batch: &mut Batch) -> Option<Unusable> {
        batch.weight += bytes.len();
        let mut bytes = Some(bytes);
        self.turn(batch, |reader, records| {
            reader.feed_some(bytes.take().unwrap_or_default(), records)
        })
    }

    /// Reads in steps until nothing whole is left, or the records are enough for one turn.
    fn turn(
        &mut self,
        batch: &mut Batch,
        mut step: impl FnMut(&mut FileReader, &mut Vec<FileRecord>) -> Result<bool, Unusable>,
    ) -> Option<Unusable> {
        loop {
            let mut records = Vec::new();
            let taken = step(&mut self.reader, &mut records);
            if self.means.step() < TURN {
                records.iter_mut().for_each(FileRecord::stand_alone);
            }
            let failure = self.judged(records, taken, batch);
            if failure.is_some() || !self.leaves_some || batch.is_full() {
                return failure;
            }
        }
    }

    /// Judges what came out; why the file is refused, if it is.
    fn judged(
        &mut self,
        records: Vec<FileRecord>,
        taken: Result<bool, Unusable>,
        batch: &mut Batch,
    ) -> Option<Unusable> {
        self.leaves_some = matches!(taken, Ok(true));
        self.judge(records, batch).or(taken.err())
    }

    fn finish(&mut self, mut batch: Batch, failure: Option<Unusable>) -> Batch {
        let broken = self.broken.take_if(|_| !self.leaves_some);
        batch.weight = batch.weight.max(batch.held / HELD_FOR_A_BYTE);
        if self.leaves_some {
            batch.rest.get_or_insert_default();
        }
        let seen = self.reader.seen();
        (batch.lines, batch.blank) = (seen.lines, seen.blank);
        batch.seen = mended::to_row(seen, &self.mended);
        batch.compression = self.unpack.compression();
        batch.kept = self.unpack.kept(|| self.reader.kept());
        batch.failure = failure.or(broken);
        batch
    }

    fn judge(&mut self, records: Vec<FileRecord>, batch: &mut Batch) -> Option<Unusable> {
        let refused = (!records.is_empty())
            .then(|| self.who_is_unclear())
            .flatten();
        if refused.is_some() {
            return refused;
        }
        for record in records {
            batch.records = Some(record.number);
            if record.number > self.done {
                self.judge_one(record, batch);
            }
        }
        None
    }

    /// Why nobody could say whom the records are about.
    fn who_is_unclear(&self) -> Option<Unusable> {
        let columns = self.reader.seen().columns.as_deref();
        let is_told = self.means.is_table && self.means.mapping.is_by_columns();
        columns
            .filter(|_| is_told)
            .and_then(|columns| unclear(columns, &self.means.gate()))
    }

    fn judge_one(&mut self, record: FileRecord, batch: &mut Batch) {
        batch.judged += 1;
        let standing = Standing {
            number: record.number,
            place: record.place,
            text: record.text,
            bytes: record.bytes,
        };
        let mut mended = record.warnings;
        let read = record
            .read
            .and_then(|object| self.command(&object, &standing));
        match read {
            Ok(Read::Command { command, warnings }) => {
                mended.extend(warnings);
                batch.warned += u64::from(!mended.is_empty());
                mended::count(&mut self.mended, &mended, standing.place);
                let item = Item::Command(*command);
                batch.held += item.bytes();
                batch.items.push(item);
                batch.places.push(standing);
            }
            Ok(Read::Control(_) | Read::Truncated) => batch.empty += 1,
            Err(rejection) => {
                batch.held += REFUSED;
                batch.refused.push((standing, rejection));
            }
        }
    }

    fn command(&self, object: &Bytes, standing: &Standing) -> Result<Read, Rejection> {
        let means = &self.means;
        let gate = means.gate();
        let from = FromFile {
            name: &means.name,
            number: standing.number,
            line: standing.place.line,
            part: standing.place.part,
            is_row: means.is_table,
        };
        let record = Record::of_file(Some(object), from);
        let calls = &*means.calls;
        means.mapping.read(&record, &gate, means.file_time, calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Code, NameByPlace};
    use std::sync::Arc;

    fn reading(mapping: &str) -> Reading {
        let at = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
        let means = Means {
            project_id: ProjectId(1),
            kinds: Kinds::default(),
            limits: Limits::wide(),
            calls: Arc::new(|_: &Bytes, _: &Gate<'_>, _: Option<NameByPlace<'_>>| {
                panic!("no messages")
            }),
            mapping: Mapping::parse(mapping).expect("a mapping"),
            name: "file".to_owned(),
            file_time: at,
            is_table: false,
            received_at: at,
        };
        let limits = FileLimits {
            records: means.step(),
            ..file_limits(1 << 20)
        };
        Reading {
            means,
            unpack: Unpack::resumed(&[]).0,
            reader: FileReader::new(&Layout::default(), limits).expect("a layout"),
            done: 0,
            mended: Vec::new(),
            leaves_some: false,
            broken: None,
        }
    }

    #[test]
    fn a_turn_ends_when_its_records_hold_enough_and_no_record_is_lost() {
        let large = "x".repeat(40_000);
        let defaults: String = ["a", "b", "c"]
            .map(|name| format!("{name} = \"{large}\"\n"))
            .concat();
        let mapping = format!("[identities]\nuser_id = \"/id\"\n[traits.defaults]\n{defaults}");
        let mut reading = reading(&mapping);
        let lines: String = (1..=200)
            .map(|number| format!("{{\"id\":{number}}}\n"))
            .collect();
        let (mut count, mut rest) = (0, Some(Bytes::from(lines)));
        while let Some(bytes) = rest {
            let batch = reading.read(bytes);
            assert!(
                batch.failure.is_none() && batch.items.len() < 64,
                "{:?}",
                batch.failure
            );
            count += batch.items.len();
            rest = batch.rest;
        }
        assert_eq!(count, 200);
    }

    #[test]
    fn a_record_of_very_many_keys_is_refused_before_it_is_a_tree() {
        let mut reading = reading("[identities]\nuser_id = \"/id\"\n");
        let list = "{\"\":0},".repeat(1 << 16);
        let line = format!("{{\"id\":1,\"x\":[{list}0]}}\n");
        let batch = reading.read(Bytes::from(line));
        assert_eq!(batch.refused[0].1.code, Code::RecordTooLarge);
    }
}
