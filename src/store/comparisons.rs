//! What comparing reads came to, on all nodes together. Each writes its own sums since its start, so that a repeat changes nothing.

use super::{Error, Statement, Store};
use crate::domain::migration_gates::CompareSeen;
use crate::domain::{ProfileId, ProjectId};
use serde::Serialize;
use std::collections::BTreeMap;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

pub(super) const SAVE_COMPARISONS: Statement = Statement {
    name: "save_comparisons",
    sql: "-- save_comparisons
WITH fields AS (
    INSERT INTO read_mismatch (project_id, since, node, field, mismatches, profile_id, path, ours, theirs, seen_at)
    SELECT t.project_id, t.since, $1::UUID, t.field, t.mismatches, t.profile_id, t.path, t.ours, t.theirs, now()
    FROM unnest($6::INT4[], $7::INT8[], $8::TEXT[], $9::INT8[], $10::UUID[], $11::TEXT[], $12::TEXT[], $13::TEXT[])
        AS t (project_id, since, field, mismatches, profile_id, path, ours, theirs)
    ON CONFLICT (project_id, since, node, field) DO UPDATE SET mismatches = excluded.mismatches, profile_id = excluded.profile_id,
        path = excluded.path, ours = excluded.ours, theirs = excluded.theirs, seen_at = excluded.seen_at
    RETURNING field
)
INSERT INTO read_comparison (project_id, since, node, reads, mismatches)
SELECT t.project_id, t.since, $1::UUID, t.reads, t.mismatches
FROM unnest($2::INT4[], $3::INT8[], $4::INT8[], $5::INT8[]) AS t (project_id, since, reads, mismatches)
ON CONFLICT (project_id, since, node) DO UPDATE SET reads = excluded.reads, mismatches = excluded.mismatches
RETURNING project_id",
};

pub(super) const LOAD_COMPARISON: Statement = Statement {
    name: "load_comparison",
    sql: "-- load_comparison
SELECT sum(c.reads)::INT8, sum(c.mismatches)::INT8
FROM unnest($1::INT4[], $2::INT8[]) AS t (project_id, since)
JOIN read_comparison AS c ON c.project_id = t.project_id AND c.since = t.since",
};

pub(super) const LOAD_MISMATCHES: Statement = Statement {
    name: "load_mismatches",
    sql: "-- load_mismatches
SELECT f.field, f.mismatches, f.profile_id, f.path, f.ours, f.theirs
FROM unnest($1::INT4[], $2::INT8[]) AS t (project_id, since)
JOIN read_mismatch AS f ON f.project_id = t.project_id AND f.since = t.since
ORDER BY f.seen_at DESC LIMIT 1000",
};

/// The sums of one node for one project since comparing began there.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    pub reads: i64,
    pub mismatches: i64,
    /// By the first name of the path.
    pub fields: BTreeMap<String, FieldMismatches>,
}

/// Reads that differed in one field, with the last one of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FieldMismatches {
    pub mismatches: i64,
    /// Who it was; `None` of somebody whom only the legacy store knows.
    pub profile_id: Option<Uuid>,
    pub path: String,
    /// What stands there, described and not repeated.
    pub ours: String,
    pub theirs: String,
}

/// Whose sums: a project, and the version of its migration by which comparing began.
pub type ComparedKey = (ProjectId, i64);

impl FieldMismatches {
    /// Nobody has differed here yet.
    pub fn of(profile: Option<ProfileId>, path: &str, ours: &str, theirs: &str) -> Self {
        Self {
            mismatches: 0,
            profile_id: profile.map(|id| id.0),
            path: path.to_owned(),
            ours: ours.to_owned(),
            theirs: theirs.to_owned(),
        }
    }
}

impl Store {
    /// Writes the sums of a node.
    pub async fn save_comparisons(
        &self,
        node: Uuid,
        sums: &BTreeMap<ComparedKey, Compared>,
    ) -> Result<(), Error> {
        let projects: Vec<i32> = sums.keys().map(|(project, _)| project.0).collect();
        let since: Vec<i64> = sums.keys().map(|(_, since)| *since).collect();
        let reads: Vec<i64> = sums.values().map(|own| own.reads).collect();
        let mismatches: Vec<i64> = sums.values().map(|own| own.mismatches).collect();
        let fields = Fields::of(sums);
        let params: [&(dyn ToSql + Sync); 13] = [
            &node,
            &projects,
            &since,
            &reads,
            &mismatches,
            &fields.projects,
            &fields.since,
            &fields.names,
            &fields.mismatches,
            &fields.profiles,
            &fields.paths,
            &fields.ours,
            &fields.theirs,
        ];
        self.run(&SAVE_COMPARISONS, &params).await.map(drop)
    }

    /// What all nodes have compared since then; `None` where nothing was.
    pub async fn load_comparison(
        &self,
        (project_id, since): ComparedKey,
    ) -> Result<Option<CompareSeen>, Error> {
        let (project, since) = ([project_id.0], [since]);
        let (project, since) = (project.as_slice(), since.as_slice());
        let rows = self.run(&LOAD_COMPARISON, &[&project, &since]).await?;
        Ok(rows.first().and_then(|row| {
            Some(CompareSeen {
                reads: row.get::<_, Option<i64>>(0)?,
                mismatches: row.get::<_, Option<i64>>(1)?,
            })
        }))
    }

    /// In what reads have differed since then, on all nodes together.
    pub async fn load_mismatches(
        &self,
        (project_id, since): ComparedKey,
    ) -> Result<BTreeMap<String, FieldMismatches>, Error> {
        let (project, since) = ([project_id.0], [since]);
        let (project, since) = (project.as_slice(), since.as_slice());
        let rows = self.run(&LOAD_MISMATCHES, &[&project, &since]).await?;
        let mut fields: BTreeMap<String, FieldMismatches> = BTreeMap::new();
        for row in &rows {
            let own = fields.entry(row.get(0)).or_insert_with(|| last(row));
            own.mismatches += row.get::<_, i64>(1);
        }
        Ok(fields)
    }
}

fn last(row: &Row) -> FieldMismatches {
    FieldMismatches {
        mismatches: 0,
        profile_id: row.get(2),
        path: row.get(3),
        ours: row.get(4),
        theirs: row.get(5),
    }
}

/// Fields as the statement takes them.
#[derive(Default)]
struct Fields<'a> {
    projects: Vec<i32>,
    since: Vec<i64>,
    names: Vec<&'a str>,
    mismatches: Vec<i64>,
    profiles: Vec<Option<Uuid>>,
    paths: Vec<&'a str>,
    ours: Vec<&'a str>,
    theirs: Vec<&'a str>,
}

impl<'a> Fields<'a> {
    fn of(sums: &'a BTreeMap<ComparedKey, Compared>) -> Self {
        let mut all = Self::default();
        for ((project, since), own) in sums {
            for (name, field) in &own.fields {
                all.projects.push(project.0);
                all.since.push(*since);
                all.names.push(name);
                all.mismatches.push(field.mismatches);
                all.profiles.push(field.profile_id);
                all.paths.push(&field.path);
                all.ours.push(&field.ours);
                all.theirs.push(&field.theirs);
            }
        }
        all
    }
}
