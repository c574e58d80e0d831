//! How far the topics of legacy profiles have got.
//!
//! A partition belongs to one assignment at a time, and only that one moves it on, together with its counts: so the counts always
//! add up to the offsets that were passed, whoever was killed.

use super::backfill_statements::{
    FIND_PARTITIONS, FORGET_COUNTS, FORGET_PARTITIONS, LOAD_COUNTS, LOAD_PARTITIONS, LOAD_SOURCE,
    LOAD_SOURCES, MOVE_PARTITIONS, NOTE_MISSED, OPEN_SOURCE, SET_SOURCE, TAKE_PARTITIONS,
};
use super::profiles::timestamp;
use super::{Error, Store};
use crate::domain::{ProjectId, Timestamp};
use std::collections::HashMap;
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

/// A partition of a topic.
pub type Partition = (String, i32);

/// A topic that is taken in, as operators see it.
#[derive(Clone, Debug)]
pub struct BackfillSource {
    pub name: String,
    pub is_paused: bool,
    /// Why it is paused.
    pub reason: String,
    pub started_at: Timestamp,
    pub changed_at: Timestamp,
}

/// A partition as it was taken over.
#[derive(Clone, Debug)]
pub struct TakenPartition {
    pub partition: Partition,
    /// `None` before the first record.
    pub next_offset: Option<i64>,
    pub last_at: Option<Timestamp>,
    pub last_digest: Option<Vec<u8>>,
    /// Since it was last known to be read to its end, or to move on; `None` where nobody has noted that.
    pub away: Option<Duration>,
}

/// A step of one partition.
#[derive(Clone, Debug, Default)]
pub struct PartitionMove {
    pub partition: Partition,
    /// Where it was left; -1 before the first record.
    pub from_offset: i64,
    /// The first record of all, where this is the first step.
    pub first_offset: i64,
    pub next_offset: i64,
    pub end_offset: i64,
    pub control: i64,
    pub gaps: i64,
    pub bytes: i64,
    pub last_at: Option<Timestamp>,
    pub last_digest: Option<Vec<u8>>,
    pub records_per_second: f64,
    pub pace: String,
    /// It has moved on, or is read to its end.
    pub is_read: bool,
    /// By project.
    pub counts: HashMap<ProjectId, Counts>,
}

/// What became of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub stored: i64,
    pub unchanged: i64,
    pub rejected: i64,
    /// Of the rejected those of people who were erased.
    pub erased: i64,
}

/// How far a partition has got, as operators see it.
#[derive(Clone, Debug)]
pub struct StoredPartition {
    pub partition: Partition,
    pub first_offset: i64,
    pub next_offset: i64,
    pub end_offset: i64,
    pub control: i64,
    pub gaps: i64,
    pub bytes: i64,
    pub records_per_second: f64,
    pub pace: String,
    pub updated_at: Timestamp,
    /// Since then.
    pub idle_seconds: f64,
    pub last_at: Option<Timestamp>,
    /// Since when deletions may have been missed.
    pub missed_since: Option<Timestamp>,
}

impl Store {
    /// Makes a source known; where it is already, its start stays as it is.
    pub async fn open_source(
        &self,
        source: &str,
        start: Option<Timestamp>,
    ) -> Result<BackfillSource, Error> {
        let start = start.map(Timestamp::instant);
        self.run(&OPEN_SOURCE, &[&source, &start]).await?;
        let found = self.load_source(source).await?;
        found.ok_or_else(|| Error::Inconsistent {
            table: "backfill_source",
            column: "source",
            reason: "it was made and is not there".to_owned(),
        })
    }

    /// One source.
    pub async fn load_source(&self, source: &str) -> Result<Option<BackfillSource>, Error> {
        let rows = self.run(&LOAD_SOURCE, &[&source]).await?;
        Ok(rows.first().map(source_of))
    }

    /// All sources.
    pub async fn load_sources(&self) -> Result<Vec<BackfillSource>, Error> {
        let rows = self.run(&LOAD_SOURCES, &[]).await?;
        Ok(rows.iter().map(source_of).collect())
    }

    /// Pauses a source for a reason, or lets it go on (`None`); false where there is no such source.
    pub async fn set_source(&self, source: &str, paused: Option<&str>) -> Result<bool, Error> {
        let state = paused.map_or("running", |_| "paused");
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&source, &state, &paused.unwrap_or_default()];
        let rows = self.run(&SET_SOURCE, &params).await?;
        Ok(!rows.is_empty())
    }

    /// Forgets how far a source has got: it begins anew, with the same start.
    pub async fn restart_source(&self, source: &str) -> Result<(), Error> {
        self.run(&FORGET_COUNTS, &[&source]).await?;
        self.run(&FORGET_PARTITIONS, &[&source]).await.map(drop)
    }

    /// Takes partitions over: from now on only `owner` moves them.
    pub async fn take_partitions(
        &self,
        source: &str,
        partitions: &[Partition],
        owner: Uuid,
    ) -> Result<Vec<TakenPartition>, Error> {
        let (sources, topics, numbers) = columns(source, partitions.iter());
        let rows = self
            .run(&TAKE_PARTITIONS, &[&sources, &topics, &numbers, &owner])
            .await?;
        Ok(rows.iter().map(taken).collect())
    }

    /// Moves partitions on; tells which are still this owner's and where they should be.
    pub async fn move_partitions(
        &self,
        source: &str,
        owner: Uuid,
        moves: &[PartitionMove],
    ) -> Result<Vec<Partition>, Error> {
        let each = || moves.iter();
        let (sources, topics, numbers) = columns(source, each().map(|one| &one.partition));
        let from: Vec<i64> = each().map(|one| one.from_offset).collect();
        let first: Vec<i64> = each().map(|one| one.first_offset).collect();
        let next: Vec<i64> = each().map(|one| one.next_offset).collect();
        let end: Vec<i64> = each().map(|one| one.end_offset).collect();
        let control: Vec<i64> = each().map(|one| one.control).collect();
        let gaps: Vec<i64> = each().map(|one| one.gaps).collect();
        let bytes: Vec<i64> = each().map(|one| one.bytes).collect();
        let last_at: Vec<_> = each()
            .map(|one| one.last_at.map(Timestamp::instant))
            .collect();
        let digests: Vec<_> = each().map(|one| one.last_digest.as_deref()).collect();
        let rates: Vec<f64> = each().map(|one| one.records_per_second).collect();
        let paces: Vec<&str> = each().map(|one| one.pace.as_str()).collect();
        let counts: Vec<(&Partition, ProjectId, Counts)> = each()
            .flat_map(|one| {
                let counts = one.counts.iter();
                counts.map(|(project_id, counts)| (&one.partition, *project_id, *counts))
            })
            .collect();
        let (count_sources, count_topics, count_numbers) =
            columns(source, counts.iter().map(|count| count.0));
        let projects: Vec<i32> = counts.iter().map(|count| count.1.0).collect();
        let stored: Vec<i64> = counts.iter().map(|count| count.2.stored).collect();
        let unchanged: Vec<i64> = counts.iter().map(|count| count.2.unchanged).collect();
        let rejected: Vec<i64> = counts.iter().map(|count| count.2.rejected).collect();
        let erased: Vec<i64> = counts.iter().map(|count| count.2.erased).collect();
        let are_read: Vec<bool> = each().map(|one| one.is_read).collect();
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 24] = [
            &sources,
            &topics,
            &numbers,
            &owner,
            &from,
            &first,
            &next,
            &end,
            &control,
            &gaps,
            &bytes,
            &last_at,
            &digests,
            &rates,
            &paces,
            &count_sources,
            &count_topics,
            &count_numbers,
            &projects,
            &stored,
            &unchanged,
            &rejected,
            &erased,
            &are_read,
        ];
        let rows = self.run(&MOVE_PARTITIONS, &params).await?;
        let moved: Vec<Partition> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        if moved.len() == moves.len() {
            return Ok(moved);
        }
        // A first try whose answer was lost has moved them.
        let rows = self
            .run(&FIND_PARTITIONS, &[&sources, &topics, &numbers, &owner])
            .await?;
        let is_there = |row: &&Row| {
            let place: (Partition, i64) = ((row.get(0), row.get(1)), row.get(2));
            each().any(|one| (&one.partition, one.next_offset) == (&place.0, place.1))
        };
        let there = rows.iter().filter(is_there);
        Ok(there.map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Notes of this owner's partitions that deletions may have been missed since they were last read.
    pub async fn note_missed(
        &self,
        source: &str,
        partitions: &[Partition],
        owner: Uuid,
    ) -> Result<(), Error> {
        let (sources, topics, numbers) = columns(source, partitions.iter());
        self.run(&NOTE_MISSED, &[&sources, &topics, &numbers, &owner])
            .await
            .map(drop)
    }

    /// How far the partitions of a source have got.
    pub async fn load_partitions(&self, source: &str) -> Result<Vec<StoredPartition>, Error> {
        let rows = self.run(&LOAD_PARTITIONS, &[&source]).await?;
        Ok(rows.iter().map(stored_partition).collect())
    }

    /// What became of a source's records, of one project's or of all.
    pub async fn load_counts(
        &self,
        source: &str,
        project: Option<ProjectId>,
    ) -> Result<Vec<(Partition, ProjectId, Counts)>, Error> {
        let project = project.map(|project| project.0);
        let rows = self.run(&LOAD_COUNTS, &[&source, &project]).await?;
        let count = |row: &Row| {
            let counts = Counts {
                stored: row.get(3),
                unchanged: row.get(4),
                rejected: row.get(5),
                erased: row.get(6),
            };
            ((row.get(0), row.get(1)), ProjectId(row.get(2)), counts)
        };
        Ok(rows.iter().map(count).collect())
    }
}

fn columns<'a>(
    source: &'a str,
    partitions: impl Iterator<Item = &'a Partition>,
) -> (Vec<&'a str>, Vec<&'a str>, Vec<i32>) {
    let (mut sources, mut topics, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for (topic, number) in partitions {
        sources.push(source);
        topics.push(topic.as_str());
        numbers.push(*number);
    }
    (sources, topics, numbers)
}

pub(super) fn optional_time(row: &Row, column: usize) -> Option<Timestamp> {
    row.get::<_, Option<jiff::Timestamp>>(column)
        .map(Timestamp::new)
}

fn source_of(row: &Row) -> BackfillSource {
    BackfillSource {
        name: row.get(0),
        is_paused: row.get::<_, &str>(1) == "paused",
        reason: row.get(2),
        started_at: timestamp(row, 3),
        changed_at: timestamp(row, 4),
    }
}

fn taken(row: &Row) -> TakenPartition {
    let (next, seconds): (i64, Option<f64>) = (row.get(2), row.get(5));
    TakenPartition {
        partition: (row.get(0), row.get(1)),
        next_offset: (next >= 0).then_some(next),
        last_at: optional_time(row, 3),
        last_digest: row.get(4),
        away: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    }
}

fn stored_partition(row: &Row) -> StoredPartition {
    StoredPartition {
        partition: (row.get(0), row.get(1)),
        first_offset: row.get(2),
        next_offset: row.get(3),
        end_offset: row.get(4),
        control: row.get(5),
        gaps: row.get(6),
        bytes: row.get(7),
        records_per_second: row.get(8),
        pace: row.get(9),
        updated_at: timestamp(row, 10),
        idle_seconds: row.get(13),
        last_at: optional_time(row, 11),
        missed_since: optional_time(row, 12),
    }
}
