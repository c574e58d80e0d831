//! Which fields the profiles of a project have.

use super::{Error, Statement, Store};
use crate::domain::ProjectId;
use tokio_postgres::Row;

/// Profiles that are looked at: ids are random, so those that come first are as good as any.
const SAMPLE: i64 = 1_000;
/// Fields told of; the original's projects have a thousand.
const MOST_FIELDS: i64 = 5_000;

/// Of each field the beginning of some value; nothing where all are empty, of which nobody can tell of what they are. Reads only.
pub(super) const SAMPLE_FIELDS: Statement = Statement {
    name: "sample_fields",
    sql: "-- sample_fields
SELECT k.key, min(CASE
    WHEN (k.traits -> k.key) IN ('[]'::JSONB, '\"\"'::JSONB, 'null'::JSONB) THEN NULL
    ELSE substr((k.traits -> k.key)::TEXT, 1, 64)
END)
FROM (
    SELECT s.traits, jsonb_object_keys(s.traits) AS key
    FROM unnest($1::INT4[]) AS t (project_id)
    CROSS JOIN LATERAL (
        SELECT own.traits FROM profile AS own WHERE own.project_id = t.project_id ORDER BY own.profile_id LIMIT $2::INT8
    ) AS s
) AS k
GROUP BY k.key ORDER BY k.key LIMIT $3::INT8",
};

impl Store {
    /// The fields of some profiles of a project, each with the beginning of some value that it has, as JSON; empty where all of its
    /// values are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sample_fields(
        &self,
        project_id: ProjectId,
    ) -> Result<Vec<(String, String)>, Error> {
        let projects = vec![project_id.0];
        let rows = self
            .run(&SAMPLE_FIELDS, &[&projects, &SAMPLE, &MOST_FIELDS])
            .await?;
        let field = |row: &Row| {
            let value: Option<String> = row.get(1);
            (row.get(0), value.unwrap_or_default())
        };
        Ok(rows.iter().map(field).collect())
    }
}
