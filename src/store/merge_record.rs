//! What is kept of a merge, so that it can be undone: written with it, read by a split, gone with the person or by age.

use super::params::{JsonParam, stored_traits};
use super::profiles::timestamp;
use super::run::query;
use super::{Error, Person, Statement, Store};
use crate::domain::profile::Traits;
use crate::domain::{Identity, IdentityKind, Json, ProjectId, Timestamp};
use deadpool_postgres::Transaction;
use std::collections::BTreeSet;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Bytes of records that one reader holds, the newest first, at least one record: what is older counts as not kept.
const BYTES_AT_ONCE: i64 = 4 << 20;

/// The names are those that the members still have, so this runs before they are moved.
pub(super) const INSERT_MERGE_RECORDS: Statement = Statement {
    name: "insert_merge_records",
    sql: "-- insert_merge_records
INSERT INTO merge_record (absorbed_id, project_id, survivor_id, merged_at, is_explicit, identities, traits, stamps, before_traits, before_stamps)
SELECT t.absorbed_id, t.project_id, t.survivor_id, $11::TIMESTAMPTZ, t.is_explicit, COALESCE((
    SELECT jsonb_agg(jsonb_build_array(i.kind, i.value))
    FROM unnest($9::UUID[], $10::UUID[]) AS m (absorbed_id, member_id)
    JOIN identity AS i ON i.profile_id = m.member_id
    WHERE m.absorbed_id = t.absorbed_id
), '[]'::JSONB), t.traits, t.stamps, t.before_traits, t.before_stamps
FROM unnest($1::INT4[], $2::UUID[], $3::UUID[], $4::BOOL[], $5::JSONB[], $6::JSONB[], $7::JSONB[], $8::JSONB[])
    AS t (project_id, absorbed_id, survivor_id, is_explicit, traits, stamps, before_traits, before_stamps)
ON CONFLICT (absorbed_id) DO NOTHING",
};

/// Of profiles that were absorbed. Reads only.
pub(super) const LOAD_MERGE_RECORDS: Statement = Statement {
    name: "load_merge_records",
    sql: "-- load_merge_records
SELECT w.absorbed_id, w.survivor_id, w.merged_at, w.is_explicit, w.identities, w.traits, w.stamps, w.before_traits, w.before_stamps, w.total
FROM (
    SELECT s.*, count(*) OVER () AS total, COALESCE(sum(s.size) OVER (ORDER BY s.merged_at DESC, s.absorbed_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS held
    FROM (
        SELECT k.*, (octet_length(k.identities) + octet_length(k.traits) + octet_length(k.stamps)
            + COALESCE(octet_length(k.before_traits) + octet_length(k.before_stamps), 0))::INT8 AS size
        FROM (
            SELECT r.absorbed_id, r.survivor_id, r.merged_at, r.is_explicit, r.identities::TEXT AS identities, r.traits::TEXT AS traits,
                r.stamps::TEXT AS stamps, r.before_traits::TEXT AS before_traits, r.before_stamps::TEXT AS before_stamps
            FROM unnest($1::UUID[]) AS t (absorbed_id)
            JOIN merge_record AS r ON r.absorbed_id = t.absorbed_id
            OFFSET 0
        ) AS k
        OFFSET 0
    ) AS s
) AS w
WHERE w.held < $2::INT8
ORDER BY w.merged_at DESC, w.absorbed_id",
};

/// Of somebody who is erased.
pub(super) const DELETE_MERGE_RECORDS: Statement = Statement {
    name: "delete_merge_records",
    sql: "-- delete_merge_records
DELETE FROM merge_record WHERE absorbed_id = ANY($1::UUID[])",
};

/// A merge on its way into the table.
#[derive(Debug)]
pub(super) struct MergeRecord {
    pub absorbed: Uuid,
    pub survivor: Uuid,
    pub is_explicit: bool,
    /// Profiles whose names the absorbed one had: its own, and what it had absorbed just before.
    pub members: Vec<Uuid>,
    pub traits: Traits,
    /// Of the survivor, what the merge may replace.
    pub before: Traits,
}

/// A merge as it was kept.
#[derive(Debug)]
pub struct KeptMerge {
    pub absorbed: Uuid,
    pub survivor: Uuid,
    pub merged_at: Timestamp,
    pub is_explicit: bool,
    pub identities: BTreeSet<Identity>,
    pub traits: Traits,
    /// Of the survivor; `None` where that is somebody else now.
    pub before: Option<Traits>,
}

/// What is kept of a person's merges, as far as one reader holds it.
#[derive(Debug, Default)]
pub struct KeptMerges {
    /// The newest first.
    pub newest: Vec<KeptMerge>,
    /// So many older ones are kept besides.
    pub left_out: usize,
}

/// Keeps what the undoing of some merges of a project needs.
pub(super) async fn insert_records(
    tx: &Transaction<'_>,
    project_id: ProjectId,
    records: &[&MergeRecord],
    at: Timestamp,
) -> Result<(), Error> {
    let each = || records.iter();
    let stored: Vec<(Json, Json)> = each().map(|one| one.traits.to_stored()).collect();
    let before: Vec<(Json, Json)> = each().map(|one| one.before.to_stored()).collect();
    let firsts = |pairs: &[(Json, Json)]| -> Vec<Json> {
        pairs.iter().map(|(traits, _)| traits.clone()).collect()
    };
    let seconds = |pairs: &[(Json, Json)]| -> Vec<Json> {
        pairs.iter().map(|(_, stamps)| stamps.clone()).collect()
    };
    let columns = [
        firsts(&stored),
        seconds(&stored),
        firsts(&before),
        seconds(&before),
    ];
    let columns: Vec<Vec<JsonParam>> = columns
        .iter()
        .map(|column| column.iter().map(JsonParam).collect())
        .collect();
    let pairs = each().flat_map(|one| one.members.iter().map(|member| (one.absorbed, *member)));
    let (of, members): (Vec<Uuid>, Vec<Uuid>) = pairs.unzip();
    let absorbed: Vec<Uuid> = each().map(|one| one.absorbed).collect();
    let survivors: Vec<Uuid> = each().map(|one| one.survivor).collect();
    let explicit: Vec<bool> = each().map(|one| one.is_explicit).collect();
    let (projects, at) = (vec![project_id.0; records.len()], at.instant());
    let params: [&(dyn ToSql + Sync); 11] = [
        &projects,
        &absorbed,
        &survivors,
        &explicit,
        &columns[0],
        &columns[1],
        &columns[2],
        &columns[3],
        &of,
        &members,
        &at,
    ];
    query(tx, &INSERT_MERGE_RECORDS, &params).await.map(drop)
}

/// What is kept of the merges of some absorbed profiles, within a transaction.
pub(super) async fn load_records(
    tx: &Transaction<'_>,
    absorbed: &[Uuid],
) -> Result<Vec<KeptMerge>, Error> {
    let rows = query(tx, &LOAD_MERGE_RECORDS, &[&absorbed, &BYTES_AT_ONCE]).await?;
    rows.iter().map(kept_merge).collect()
}

impl Store {
    /// What is kept of a person's merges.
    pub async fn load_merges(&self, person: &Person) -> Result<KeptMerges, Error> {
        let params: [&(dyn ToSql + Sync); 2] = [&person.merged_from, &BYTES_AT_ONCE];
        let rows = self.run(&LOAD_MERGE_RECORDS, &params).await?;
        let total = rows.first().map_or(0, |row| row.get::<_, i64>(9) as usize);
        let newest: Vec<KeptMerge> = rows.iter().map(kept_merge).collect::<Result<_, _>>()?;
        let left_out = total - newest.len();
        Ok(KeptMerges { newest, left_out })
    }
}

fn kept_merge(row: &Row) -> Result<KeptMerge, Error> {
    let pairs: Vec<(String, String)> =
        serde_json::from_str(row.get(4)).map_err(|error| Error::Inconsistent {
            table: "merge_record",
            column: "identities",
            reason: error.to_string(),
        })?;
    let identity = |(kind, value): (String, String)| Identity {
        kind: IdentityKind::parse(&kind),
        value,
    };
    let before: Option<String> = row.get(7);
    let before = before.map(|traits| stored_traits(traits, row.get(8)));
    Ok(KeptMerge {
        absorbed: row.get(0),
        survivor: row.get(1),
        merged_at: timestamp(row, 2),
        is_explicit: row.get(3),
        identities: pairs.into_iter().map(identity).collect(),
        traits: stored_traits(row.get(5), row.get(6))?,
        before: before.transpose()?,
    })
}
