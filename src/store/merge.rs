//! Merging profiles of one person: the rare write that touches several rows, a SERIALIZABLE transaction for many pairs at once.
//!
//! Events stay where they are; the survivor's timeline reads the absorbed profiles too. Repeating a merge finds it done.

use super::marks::marked;
use super::params::{JsonParam, size_of_stored};
use super::run::{Body, query};
use super::{Error, Statement, Store};
use crate::domain::plan::{Conflict, Merge};
use crate::domain::profile::{Room, Traits};
use crate::domain::{Json, ProfileId, ProfileKey, ProjectId, Timestamp};
use deadpool_postgres::Transaction;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use tokio_postgres::Row;
use uuid::Uuid;

/// Pairs of one transaction: enough that round trips do not matter, few enough that nobody waits long for a lock.
const PAIRS_AT_ONCE: usize = 100;
/// Bytes of traits and stamps that one transaction reads, at least one pair.
const BYTES_AT_ONCE: usize = 4 << 20;

/// Locks profiles in the order of their ids, so that two merges of the same people queue instead of deadlocking; tells how large
/// they are before anybody reads them.
pub(super) const LOCK_PROFILES: Statement = Statement {
    name: "lock_profiles",
    sql: "-- lock_profiles
SELECT p.profile_id, p.version, p.merged_from, p.size_bytes
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
WHERE p.merged_into IS NULL
ORDER BY p.profile_id FOR UPDATE OF p",
};

pub(super) const LOAD_LOCKED: Statement = Statement {
    name: "load_locked",
    sql: "-- load_locked
SELECT p.profile_id, p.traits::TEXT, p.stamps::TEXT,
    (SELECT count(*) FROM identity AS i WHERE i.profile_id = p.profile_id)::INT8,
    EXISTS (SELECT 1 FROM identity AS i WHERE i.profile_id = p.profile_id AND i.kind = 'user_id')
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id",
};

/// Writes the survivors; each has absorbed those that are listed with it.
pub(super) const UPDATE_SURVIVORS: Statement = Statement {
    name: "update_survivors",
    sql: concat!(
        "-- update_survivors
WITH updated AS (
    UPDATE profile AS p SET traits = t.traits, stamps = t.stamps, version = t.version, updated_at = t.updated_at, size_bytes = t.size_bytes,
        merged_from = p.merged_from || ARRAY(SELECT r.retired FROM unnest($8::UUID[], $9::UUID[]) AS r (retired, survivor) WHERE r.survivor = p.profile_id)
    FROM unnest($1::INT4[], $2::UUID[], $3::JSONB[], $4::JSONB[], $5::INT8[], $6::TIMESTAMPTZ[], $7::INT4[])
        AS t (project_id, profile_id, traits, stamps, version, updated_at, size_bytes)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id
    RETURNING p.project_id, p.profile_id
), ",
        marked!("updated"),
        "
SELECT count(*)::INT8 FROM updated"
    ),
};

pub(super) const MOVE_IDENTITIES: Statement = Statement {
    name: "move_identities",
    sql: "-- move_identities
UPDATE identity AS i SET profile_id = t.survivor
FROM unnest($1::UUID[], $2::UUID[]) AS t (retired, survivor)
WHERE i.profile_id = t.retired",
};

/// The absorbed ones and all that they had absorbed point at the survivor directly, so that no reader follows a chain.
pub(super) const RETIRE_PROFILES: Statement = Statement {
    name: "retire_profiles",
    sql: "-- retire_profiles
UPDATE profile AS p SET merged_into = t.survivor, traits = '{}'::JSONB, stamps = '{\"base\":0}'::JSONB, version = p.version + 1,
    merged_from = ARRAY[]::UUID[], updated_at = $4::TIMESTAMPTZ, size_bytes = 12
FROM unnest($1::INT4[], $2::UUID[], $3::UUID[]) AS t (project_id, retired, survivor)
WHERE p.project_id = t.project_id AND p.profile_id = t.retired",
};

/// Lists identities that stayed with somebody else. Idempotent: the id is made of who, what and whom.
pub(super) const INSERT_CONFLICTS: Statement = Statement {
    name: "insert_conflicts",
    sql: "-- insert_conflicts
INSERT INTO conflict (project_id, conflict_id, kind, value, owner_id, claimant_id, first_seen)
SELECT t.project_id, t.conflict_id, t.kind, t.value, t.owner_id, t.claimant_id, t.first_seen
FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::UUID[], $6::UUID[], $7::TIMESTAMPTZ[])
    AS t (project_id, conflict_id, kind, value, owner_id, claimant_id, first_seen)
ON CONFLICT (project_id, conflict_id) DO NOTHING",
};

/// What became of some merges.
#[derive(Debug, Default)]
pub struct Merged {
    /// Those that joined two profiles.
    pub done: HashSet<Merge>,
    /// Those whose person would have more identities than a profile may have.
    pub too_many_names: HashSet<Merge>,
    /// Traits that a survivor had no room for, the oldest.
    pub dropped: Vec<(ProfileKey, Vec<String>)>,
}

/// Merges of one project, and the time that their rows get.
struct Task<'a> {
    merges: &'a [Merge],
    room: &'a Room,
    at: Timestamp,
}

/// A profile that stands for itself and is locked.
#[derive(Debug, Default)]
struct Locked {
    traits: Traits,
    version: i64,
    merged_from: Vec<Uuid>,
    bytes: usize,
    names: usize,
    has_user_id: bool,
    /// What it has absorbed in this transaction.
    gained: Vec<Uuid>,
}

type LockedById = BTreeMap<Uuid, Locked>;

impl Store {
    /// Merges each absorbed profile into its survivor, in their order. Leaves a pair alone where one of them is gone or merged
    /// already, or where both have user ids and nobody asked for it: who planned it looks again.
    pub async fn merge_profiles(
        &self,
        merges: &[Merge],
        room: &Room,
        at: Timestamp,
    ) -> Result<Merged, Error> {
        let mut by_project = BTreeMap::<ProjectId, Vec<Merge>>::new();
        for merge in merges {
            by_project.entry(merge.project_id).or_default().push(*merge);
        }
        let mut merged = Merged::default();
        for mut rest in by_project.into_values() {
            while !rest.is_empty() {
                let merges = &rest[..rest.len().min(PAIRS_AT_ONCE)];
                let task = Task { merges, room, at };
                let (tried, more) = self
                    .run_tx("merge_profiles", &task, |tx, task| body(tx, task))
                    .await?;
                merged.done.extend(more.done);
                merged.too_many_names.extend(more.too_many_names);
                merged.dropped.extend(more.dropped);
                rest.drain(..tried);
            }
        }
        Ok(merged)
    }

    /// Lists identities that stayed with somebody else; sorted by the caller.
    pub async fn insert_conflicts(&self, conflicts: &[(Conflict, Timestamp)]) -> Result<(), Error> {
        let projects: Vec<i32> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.key.0.0)
            .collect();
        let ids: Vec<Uuid> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.id())
            .collect();
        let kinds: Vec<&str> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.key.1.kind.as_str())
            .collect();
        let values: Vec<&str> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.key.1.value.as_str())
            .collect();
        let owners: Vec<Uuid> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.owner.0)
            .collect();
        let claimants: Vec<Uuid> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.claimant.0)
            .collect();
        let seen: Vec<_> = conflicts.iter().map(|(_, at)| at.instant()).collect();
        self.run(
            &INSERT_CONFLICTS,
            &[&projects, &ids, &kinds, &values, &owners, &claimants, &seen],
        )
        .await
        .map(drop)
    }
}

/// Does as many of the merges as fit; tells how many that were.
fn body<'a>(tx: &'a Transaction<'a>, task: &'a Task<'a>) -> Body<'a, (usize, Merged)> {
    Box::pin(async move {
        let mut profiles = lock(tx, task.merges).await?;
        let merges = fitting(task.merges, &profiles);
        load(tx, merges, &mut profiles).await?;
        let mut merged = Merged::default();
        for merge in merges {
            if names_of_both(merge, &profiles) > task.room.identities {
                merged.too_many_names.insert(*merge);
            } else if join(merge, &mut profiles) {
                merged.done.insert(*merge);
            }
        }
        for (id, profile) in &mut profiles {
            let dropped = if profile.gained.is_empty() {
                Vec::new()
            } else {
                profile.traits.shrink(task.room)
            };
            if !dropped.is_empty() {
                let key = (merges[0].project_id, ProfileId(*id));
                merged.dropped.push((key, dropped));
            }
        }
        write(tx, task, &profiles).await?;
        Ok((merges.len(), merged))
    })
}

fn ids<'a>(merges: impl IntoIterator<Item = &'a Merge>) -> Vec<Uuid> {
    let both = |merge: &Merge| [merge.survivor.0, merge.absorbed.0];
    let ids: BTreeSet<Uuid> = merges.into_iter().flat_map(both).collect();
    ids.into_iter().collect()
}

/// The keys of all profiles of some merges of one project, as columns.
fn keys(merges: &[Merge]) -> (Vec<i32>, Vec<Uuid>) {
    let ids = ids(merges);
    (vec![merges[0].project_id.0; ids.len()], ids)
}

async fn lock(tx: &Transaction<'_>, merges: &[Merge]) -> Result<LockedById, Error> {
    let (projects, ids) = keys(merges);
    let rows = query(tx, &LOCK_PROFILES, &[&projects, &ids]).await?;
    let locked = |row: &Row| Locked {
        version: row.get(1),
        merged_from: row.get(2),
        bytes: row.get::<_, i32>(3) as usize,
        ..Locked::default()
    };
    Ok(rows.iter().map(|row| (row.get(0), locked(row))).collect())
}

/// The first merges, up to the bytes of one transaction and at least one.
fn fitting<'a>(merges: &'a [Merge], profiles: &LockedById) -> &'a [Merge] {
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    let is_over = |merge: &Merge| {
        for id in ids([merge]) {
            let profile = profiles.get(&id).filter(|_| seen.insert(id));
            bytes += profile.map_or(0, |profile| profile.bytes);
        }
        bytes > BYTES_AT_ONCE
    };
    let count = merges.iter().position(is_over).unwrap_or(merges.len());
    &merges[..count.max(1)]
}

async fn load(
    tx: &Transaction<'_>,
    merges: &[Merge],
    profiles: &mut LockedById,
) -> Result<(), Error> {
    let (projects, ids) = keys(merges);
    let rows = query(tx, &LOAD_LOCKED, &[&projects, &ids]).await?;
    for row in &rows {
        if let Some(profile) = profiles.get_mut(&row.get(0)) {
            profile.traits = traits(row)?;
            profile.names = row.get::<_, i64>(3) as usize;
            profile.has_user_id = row.get(4);
        }
    }
    Ok(())
}

fn names_of_both(merge: &Merge, profiles: &LockedById) -> usize {
    let both = [merge.survivor.0, merge.absorbed.0].map(|id| profiles.get(&id));
    both.into_iter()
        .flatten()
        .map(|profile| profile.names)
        .sum()
}

/// Joins two of the locked profiles; false where that can't be.
fn join(merge: &Merge, profiles: &mut LockedById) -> bool {
    let has_user_id = |id: ProfileId| profiles.get(&id.0).map(|profile| profile.has_user_id);
    let both = has_user_id(merge.survivor).zip(has_user_id(merge.absorbed));
    let may_join = both.is_some_and(|(one, other)| merge.is_explicit || !(one && other));
    let absorbed = may_join
        .then(|| profiles.remove(&merge.absorbed.0))
        .flatten();
    let Some((survivor, absorbed)) = profiles.get_mut(&merge.survivor.0).zip(absorbed) else {
        return false;
    };
    survivor.traits.absorb(&absorbed.traits);
    survivor.version = survivor.version.max(absorbed.version) + 1;
    survivor.names += absorbed.names;
    survivor.has_user_id |= absorbed.has_user_id;
    survivor.gained.push(merge.absorbed.0);
    survivor.gained.extend(absorbed.merged_from);
    survivor.gained.extend(absorbed.gained);
    true
}

async fn write(tx: &Transaction<'_>, task: &Task<'_>, profiles: &LockedById) -> Result<(), Error> {
    let survivors = || {
        profiles
            .iter()
            .filter(|(_, profile)| !profile.gained.is_empty())
    };
    let ids: Vec<Uuid> = survivors().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let stored: Vec<(Json, Json)> = survivors()
        .map(|(_, profile)| profile.traits.to_stored())
        .collect();
    let traits: Vec<_> = stored.iter().map(|(traits, _)| JsonParam(traits)).collect();
    let stamps: Vec<_> = stored.iter().map(|(_, stamps)| JsonParam(stamps)).collect();
    let sizes: Vec<i32> = stored
        .iter()
        .map(|(traits, stamps)| size_of_stored(traits, stamps))
        .collect();
    let versions: Vec<i64> = survivors().map(|(_, profile)| profile.version).collect();
    let pairs: Vec<(Uuid, Uuid)> = survivors()
        .flat_map(|(id, profile)| profile.gained.iter().map(|gained| (*gained, *id)))
        .collect();
    let (retired, into): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    let project = task.merges[0].project_id.0;
    let (projects, times) = (vec![project; ids.len()], vec![task.at.instant(); ids.len()]);
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
        &projects, &ids, &traits, &stamps, &versions, &times, &sizes, &retired, &into,
    ];
    query(tx, &UPDATE_SURVIVORS, &params).await?;
    query(tx, &MOVE_IDENTITIES, &[&retired, &into]).await?;
    let projects = vec![project; retired.len()];
    let at = task.at.instant();
    query(tx, &RETIRE_PROFILES, &[&projects, &retired, &into, &at])
        .await
        .map(drop)
}

fn traits(row: &Row) -> Result<Traits, Error> {
    let (traits, stamps) = (
        Json::from_database(row.get(1)),
        Json::from_database(row.get(2)),
    );
    Traits::from_stored(&traits, &stamps).map_err(|reason| Error::Inconsistent {
        table: "profile",
        column: "stamps",
        reason: reason.to_string(),
    })
}
