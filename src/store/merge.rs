//! Merging two profiles of one person: the rare write that touches several rows, one SERIALIZABLE transaction.
//!
//! Events stay where they are; the survivor's timeline reads the absorbed profiles too. Repeating a merge finds it done.

use super::run::{Body, query};
use super::{Error, Statement, Store};
use crate::domain::identity::{Conflict, Merge};
use crate::domain::profile::Traits;
use crate::domain::{Json, ProfileId, Timestamp};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use uuid::Uuid;

/// Locks both, in the order of their ids, so that two merges of the same people queue instead of deadlocking.
pub(super) const LOCK_PROFILES: Statement = Statement {
    name: "lock_profiles",
    sql: "-- lock_profiles
SELECT profile_id, traits::TEXT, stamps::TEXT, version, merged_into IS NOT NULL, merged_from
FROM profile WHERE project_id = $1::INT4 AND profile_id = ANY($2::UUID[])
ORDER BY profile_id FOR UPDATE",
};

pub(super) const COUNT_USER_IDS: Statement = Statement {
    name: "count_user_ids",
    sql: "-- count_user_ids
SELECT count(DISTINCT profile_id)::INT8 FROM identity WHERE profile_id = ANY($1::UUID[]) AND kind = 'user_id'",
};

pub(super) const UPDATE_SURVIVOR: Statement = Statement {
    name: "update_survivor",
    sql: "-- update_survivor
UPDATE profile SET traits = $3::JSONB, stamps = $4::JSONB, version = $5::INT8, merged_from = $6::UUID[], updated_at = $7::TIMESTAMPTZ
WHERE project_id = $1::INT4 AND profile_id = $2::UUID",
};

pub(super) const MOVE_IDENTITIES: Statement = Statement {
    name: "move_identities",
    sql: "-- move_identities
UPDATE identity SET profile_id = $1::UUID WHERE profile_id = $2::UUID",
};

/// The absorbed one and all that it had absorbed point at the survivor directly, so that no reader follows a chain.
pub(super) const RETIRE_PROFILES: Statement = Statement {
    name: "retire_profiles",
    sql: "-- retire_profiles
UPDATE profile SET merged_into = $2::UUID, traits = '{}'::JSONB, stamps = '{\"base\":0}'::JSONB, version = version + 1, merged_from = ARRAY[]::UUID[], updated_at = $4::TIMESTAMPTZ
WHERE project_id = $1::INT4 AND profile_id = ANY($3::UUID[])",
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

struct Locked {
    id: Uuid,
    traits: Traits,
    version: i64,
    is_merged: bool,
    merged_from: Vec<Uuid>,
}

impl Store {
    /// Merges the absorbed profile into the survivor. Does nothing where one of them is gone or merged already, or where both
    /// have user ids and nobody asked for it: who planned it looks again.
    pub async fn merge_profiles(&self, merge: Merge, at: Timestamp) -> Result<(), Error> {
        self.run_tx("merge_profiles", &(merge, at), |tx, (merge, at)| {
            body(tx, *merge, *at)
        })
        .await
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

fn body<'a>(tx: &'a Transaction<'a>, merge: Merge, at: Timestamp) -> Body<'a, ()> {
    Box::pin(async move {
        let Some((survivor, absorbed)) = lock_both(tx, merge).await? else {
            return Ok(());
        };
        if !merge.is_explicit && both_have_user_ids(tx, merge).await? {
            return Ok(());
        }
        let retired: Vec<Uuid> = std::iter::once(absorbed.id)
            .chain(absorbed.merged_from.iter().copied())
            .collect();
        let merged_from: Vec<Uuid> = survivor
            .merged_from
            .iter()
            .chain(&retired)
            .copied()
            .collect();
        let version = survivor.version.max(absorbed.version) + 1;
        let mut traits = survivor.traits;
        traits.absorb(&absorbed.traits);
        let (traits, stamps) = traits.to_stored();
        let project = merge.project_id.0;
        let (traits, stamps) = (
            super::params::JsonParam(&traits),
            super::params::JsonParam(&stamps),
        );
        query(
            tx,
            &UPDATE_SURVIVOR,
            &[
                &project,
                &survivor.id,
                &traits,
                &stamps,
                &version,
                &merged_from,
                &at.instant(),
            ],
        )
        .await?;
        query(tx, &MOVE_IDENTITIES, &[&survivor.id, &absorbed.id]).await?;
        query(
            tx,
            &RETIRE_PROFILES,
            &[&project, &survivor.id, &retired, &at.instant()],
        )
        .await
        .map(drop)
    })
}

/// Both profiles, locked, where both still stand for themselves.
async fn lock_both(tx: &Transaction<'_>, merge: Merge) -> Result<Option<(Locked, Locked)>, Error> {
    let ids = vec![merge.survivor.0, merge.absorbed.0];
    let rows = query(tx, &LOCK_PROFILES, &[&merge.project_id.0, &ids]).await?;
    let mut found = Vec::new();
    for row in &rows {
        found.push(locked(row)?);
    }
    found.retain(|profile| !profile.is_merged);
    found.sort_by_key(|profile| ProfileId(profile.id) != merge.survivor);
    let mut found = found.into_iter();
    Ok(found.next().zip(found.next()))
}

async fn both_have_user_ids(tx: &Transaction<'_>, merge: Merge) -> Result<bool, Error> {
    let ids = vec![merge.survivor.0, merge.absorbed.0];
    let rows = query(tx, &COUNT_USER_IDS, &[&ids]).await?;
    Ok(rows.first().is_some_and(|row| row.get::<_, i64>(0) > 1))
}

fn locked(row: &Row) -> Result<Locked, Error> {
    let (traits, stamps) = (
        Json::from_database(row.get(1)),
        Json::from_database(row.get(2)),
    );
    let traits = Traits::from_stored(&traits, &stamps).map_err(|reason| Error::Inconsistent {
        table: "profile",
        column: "stamps",
        reason: reason.to_string(),
    })?;
    Ok(Locked {
        id: row.get(0),
        traits,
        version: row.get(3),
        is_merged: row.get(4),
        merged_from: row.get(5),
    })
}
