//! How far backfills have got, as people and programs look at it.

use super::backfill::{BackfillSource, Counts, Partition, StoredPartition};
use super::{Error, Store};
use crate::domain::ProjectId;
use serde::Serialize;
use std::collections::HashMap;

/// A source.
#[derive(Clone, Debug, Serialize)]
pub struct SourceStatus {
    pub source: String,
    /// `running` or `paused`.
    pub state: &'static str,
    /// Why it is paused; empty while it runs.
    pub reason: String,
    /// The time of records that have none of their own.
    pub started_at: String,
    /// Records still to come.
    pub lag: i64,
    /// Seconds since one of its partitions moved on, or was heard to end elsewhere.
    #[serde(skip)]
    pub idle_seconds: f64,
    pub records_per_second: f64,
    /// Seconds until there are none, at this rate; `None` where nothing moves.
    pub eta_seconds: Option<u64>,
    #[serde(flatten)]
    pub counts: CountsShown,
    pub partitions: Vec<PartitionStatus>,
}

/// A partition of it. `position` less where it began is stored + unchanged + rejected of all projects + control + gaps.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionStatus {
    pub topic: String,
    pub partition: i32,
    /// Where it began; `None` before its first record.
    pub began_at: Option<i64>,
    pub position: Option<i64>,
    /// `None` while unknown.
    pub end: Option<i64>,
    pub lag: i64,
    #[serde(flatten)]
    pub counts: CountsShown,
    /// Records that say nothing about anybody.
    pub control: i64,
    /// Offsets without a record.
    pub gaps: i64,
    pub bytes: i64,
    pub records_per_second: f64,
    /// What holds it; empty where nothing does.
    pub held_by: String,
    pub updated_at: String,
    /// Since when deletions may have been missed: a compacted topic had dropped them before they were read.
    pub deletions_missed_since: Option<String>,
}

impl PartitionStatus {
    /// True where the end is known and nothing lies before it.
    pub fn is_known_to_be_at_end(&self) -> bool {
        self.end.is_some() && self.lag == 0
    }
}

/// What became of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CountsShown {
    pub stored: i64,
    pub unchanged: i64,
    pub rejected: i64,
    /// Of the rejected those of people who were erased: as it should be.
    pub erased: i64,
}

impl CountsShown {
    fn add(&mut self, counts: Counts) {
        self.stored += counts.stored;
        self.unchanged += counts.unchanged;
        self.rejected += counts.rejected;
        self.erased += counts.erased;
    }
}

impl Store {
    /// All sources with all that they did; of one project only sources that had something of it, and what that was.
    pub async fn backfill_status(
        &self,
        project: Option<ProjectId>,
    ) -> Result<Vec<SourceStatus>, Error> {
        let mut all = Vec::new();
        for source in self.load_sources().await? {
            let counts = self.load_counts(&source.name, project).await?;
            if project.is_some() && counts.is_empty() {
                continue;
            }
            let partitions = self.load_partitions(&source.name).await?;
            all.push(status(source, &partitions, &counts));
        }
        Ok(all)
    }
}

fn status(
    source: BackfillSource,
    partitions: &[StoredPartition],
    counts: &[(Partition, ProjectId, Counts)],
) -> SourceStatus {
    let mut by_partition = HashMap::<&Partition, CountsShown>::new();
    let mut total = CountsShown::default();
    let idle_seconds = partitions.iter().map(|one| one.idle_seconds);
    let idle_seconds = idle_seconds.reduce(f64::min).unwrap_or_default();
    for (partition, _, counts) in counts {
        by_partition.entry(partition).or_default().add(*counts);
        total.add(*counts);
    }
    let partitions: Vec<PartitionStatus> = partitions
        .iter()
        .map(|one| {
            let counts = by_partition.get(&one.partition).copied();
            partition_status(one, counts.unwrap_or_default())
        })
        .collect();
    let lag = partitions.iter().map(|one| one.lag).sum::<i64>();
    let rate = partitions.iter().map(|one| one.records_per_second);
    let records_per_second: f64 = rate.sum();
    let moves = !source.is_paused && records_per_second > 0.0;
    SourceStatus {
        source: source.name,
        state: if source.is_paused {
            "paused"
        } else {
            "running"
        },
        reason: source.reason,
        started_at: source.started_at.to_string(),
        lag,
        idle_seconds,
        records_per_second,
        eta_seconds: moves.then(|| (lag as f64 / records_per_second).ceil() as u64),
        counts: total,
        partitions,
    }
}

fn partition_status(one: &StoredPartition, counts: CountsShown) -> PartitionStatus {
    let known = |offset: i64| (offset >= 0).then_some(offset);
    let (topic, partition) = one.partition.clone();
    PartitionStatus {
        topic,
        partition,
        began_at: known(one.first_offset),
        position: known(one.next_offset),
        end: known(one.end_offset),
        lag: (one.end_offset - one.next_offset.max(0)).max(0),
        counts,
        control: one.control,
        gaps: one.gaps,
        bytes: one.bytes,
        records_per_second: one.records_per_second,
        held_by: one.pace.clone(),
        updated_at: one.updated_at.to_string(),
        deletions_missed_since: one.missed_since.map(|at| at.to_string()),
    }
}
