//! Merging profiles of one person: the rare write that touches several rows, a SERIALIZABLE transaction for many pairs at once.
//!
//! Events stay where they are; the survivor's timeline reads the absorbed profiles too. Repeating a merge finds it done.

use super::marks::marked;
use super::merge_record::{MergeRecord, insert_records};
use super::params::{JsonParam, size_of_stored, stored_traits};
use super::run::{Body, query};
use super::{Error, Statement, Store};
use crate::domain::plan::{Merge, Names};
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
SELECT p.profile_id, p.version, p.merged_from,
    COALESCE(NULLIF(p.size_bytes, 0), (octet_length(p.traits::TEXT) + octet_length(p.stamps::TEXT))::INT4), p.absorbed_count
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
    (SELECT count(*) FROM identity AS i WHERE i.profile_id = p.profile_id AND i.kind = 'email')::INT8,
    EXISTS (SELECT 1 FROM identity AS i WHERE i.profile_id = p.profile_id AND i.kind = 'user_id')
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id",
};

/// Tells which of the names lead to somebody else than was seen, or to nobody.
pub(super) const FIND_OUTDATED: Statement = Statement {
    name: "find_outdated",
    sql: "-- find_outdated
SELECT t.place
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[], $5::UUID[]) AS t (place, project_id, kind, value, profile_id)
LEFT JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
WHERE i.profile_id IS DISTINCT FROM t.profile_id",
};

/// Writes the survivors; each has absorbed those that are listed with it.
pub(super) const UPDATE_SURVIVORS: Statement = Statement {
    name: "update_survivors",
    sql: concat!(
        "-- update_survivors
WITH updated AS (
    UPDATE profile AS p SET traits = t.traits, stamps = t.stamps, version = t.version, updated_at = t.updated_at, size_bytes = t.size_bytes, absorbed_count = t.absorbed_count,
        merged_from = p.merged_from || ARRAY(SELECT r.retired FROM unnest($8::UUID[], $9::UUID[]) AS r (retired, survivor) WHERE r.survivor = p.profile_id)
    FROM unnest($1::INT4[], $2::UUID[], $3::JSONB[], $4::JSONB[], $5::INT8[], $6::TIMESTAMPTZ[], $7::INT4[], $10::INT4[])
        AS t (project_id, profile_id, traits, stamps, version, updated_at, size_bytes, absorbed_count)
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
UPDATE profile AS p SET merged_into = t.survivor, traits = $5::JSONB, stamps = $6::JSONB, version = p.version + 1,
    merged_from = ARRAY[]::UUID[], updated_at = $4::TIMESTAMPTZ, size_bytes = $7::INT4
FROM unnest($1::INT4[], $2::UUID[], $3::UUID[]) AS t (project_id, retired, survivor)
WHERE p.project_id = t.project_id AND p.profile_id = t.retired",
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
    names: Names,
    /// What it has absorbed in this transaction.
    gained: Vec<Uuid>,
    /// What the undoing of that needs.
    records: Vec<MergeRecord>,
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
            by_project
                .entry(merge.project_id)
                .or_default()
                .push(merge.clone());
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
}

/// Does as many of the merges as fit; tells how many that were.
fn body<'a>(tx: &'a Transaction<'a>, task: &'a Task<'a>) -> Body<'a, (usize, Merged)> {
    Box::pin(async move {
        let mut profiles = lock(tx, task.merges).await?;
        let merges = fitting(task.merges, &profiles);
        load(tx, merges, &mut profiles).await?;
        let outdated = outdated(tx, merges).await?;
        let mut merged = Merged::default();
        for (place, merge) in merges.iter().enumerate() {
            if outdated.contains(&place) {
                continue;
            }
            if names_of_both(merge, &profiles) > task.room.names_by(merge.by) {
                merged.too_many_names.insert(merge.clone());
            } else if join(merge, &mut profiles, task.room) {
                merged.done.insert(merge.clone());
            }
        }
        for (id, profile) in &mut profiles {
            let dropped = if profile.gained.is_empty() {
                Vec::new()
            } else {
                shrink(profile, task.room)
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
        names: Names {
            absorbed: row.get::<_, i32>(4) as usize,
            ..Names::default()
        },
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
            profile.traits = stored_traits(row.get(1), row.get(2))?;
            profile.names.count = row.get::<_, i64>(3) as usize;
            profile.names.emails = row.get::<_, i64>(4) as usize;
            profile.names.has_user_id = row.get(5);
        }
    }
    Ok(())
}

/// The places of merges whose names lead to other profiles by now: one of them was taken out of a person.
async fn outdated(tx: &Transaction<'_>, merges: &[Merge]) -> Result<HashSet<usize>, Error> {
    let seen = merges.iter().enumerate();
    let seen = seen.flat_map(|(place, merge)| merge.seen.iter().map(move |name| (place, name)));
    let (mut places, mut kinds, mut values, mut owners) = (vec![], vec![], vec![], vec![]);
    for (place, (identity, owner)) in seen {
        places.push(place as i32);
        kinds.push(identity.kind.as_str());
        values.push(identity.value.as_str());
        owners.push(owner.0);
    }
    let projects = vec![merges[0].project_id.0; places.len()];
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&places, &projects, &kinds, &values, &owners];
    let rows = query(tx, &FIND_OUTDATED, &params).await?;
    Ok(rows
        .iter()
        .map(|row| row.get::<_, i32>(0) as usize)
        .collect())
}

/// Drops what a survivor has no room for; what was its own is kept with the last merge.
fn shrink(profile: &mut Locked, room: &Room) -> Vec<String> {
    let whole = profile.traits.clone();
    let dropped = profile.traits.shrink(room);
    if let Some((last, others)) = profile.records.split_last_mut() {
        let is_own = |name: &&String| {
            let mut absorbed = others.iter().chain([&*last]);
            !absorbed.any(|record| record.traits.says(name))
        };
        let own: Vec<&String> = dropped.iter().filter(is_own).collect();
        last.before.take_from(&whole, own);
    }
    dropped
}

fn names_of_both(merge: &Merge, profiles: &LockedById) -> usize {
    let both = [merge.survivor.0, merge.absorbed.0].map(|id| profiles.get(&id));
    both.into_iter()
        .flatten()
        .map(|profile| profile.names.count)
        .sum()
}

/// Joins two of the locked profiles; false where that can't be.
fn join(merge: &Merge, profiles: &mut LockedById, room: &Room) -> bool {
    let names = |id: ProfileId| profiles.get(&id.0).map(|profile| profile.names);
    let both = names(merge.survivor).zip(names(merge.absorbed));
    let may_join = both.is_some_and(|(one, other)| {
        let are_two = one.has_user_id && other.has_user_id;
        merge.is_explicit || !(are_two || one.is_hub_with(other, merge.is_by_user, room))
    });
    let absorbed = may_join
        .then(|| profiles.remove(&merge.absorbed.0))
        .flatten();
    let Some((survivor, absorbed)) = profiles.get_mut(&merge.survivor.0).zip(absorbed) else {
        return false;
    };
    survivor.records.extend(absorbed.records);
    survivor.records.push(MergeRecord {
        absorbed: merge.absorbed.0,
        survivor: merge.survivor.0,
        is_explicit: merge.is_explicit,
        members: absorbed
            .gained
            .iter()
            .copied()
            .chain([merge.absorbed.0])
            .collect(),
        before: survivor.traits.at_stake(&absorbed.traits),
        traits: absorbed.traits.clone(),
    });
    survivor.traits.absorb(&absorbed.traits);
    survivor.version = survivor.version.max(absorbed.version) + 1;
    // What somebody asks for counts against nobody.
    let is_free = merge.is_explicit || merge.is_by_user;
    survivor.names = survivor.names.joined(absorbed.names, is_free);
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
    let absorbed: Vec<i32> = survivors()
        .map(|(_, profile)| i32::try_from(profile.names.absorbed).unwrap_or(i32::MAX))
        .collect();
    let project = task.merges[0].project_id.0;
    let (projects, times) = (vec![project; ids.len()], vec![task.at.instant(); ids.len()]);
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 10] = [
        &projects, &ids, &traits, &stamps, &versions, &times, &sizes, &retired, &into, &absorbed,
    ];
    query(tx, &UPDATE_SURVIVORS, &params).await?;
    let records: Vec<&MergeRecord> = survivors()
        .flat_map(|(_, profile)| &profile.records)
        .collect();
    insert_records(tx, task.merges[0].project_id, &records, task.at).await?;
    query(tx, &MOVE_IDENTITIES, &[&retired, &into]).await?;
    let projects = vec![project; retired.len()];
    let at = task.at.instant();
    let (traits, stamps) = Traits::default().to_stored();
    let size = size_of_stored(&traits, &stamps);
    let (traits, stamps) = (JsonParam(&traits), JsonParam(&stamps));
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
        [&projects, &retired, &into, &at, &traits, &stamps, &size];
    query(tx, &RETIRE_PROFILES, &params).await.map(drop)
}
