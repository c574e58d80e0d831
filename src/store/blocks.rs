//! Names that stand for nobody in a project, because somebody said so.

use super::{Error, Statement, Store};
use crate::domain::IdentityKey;

/// Names that one project may block: they are read with its keys.
pub const MOST_BLOCKED: i64 = 200;

/// Idempotent; no row comes back where the project has no room for more.
pub(super) const BLOCK_NAME: Statement = Statement {
    name: "block_name",
    sql: "-- block_name
INSERT INTO blocked_name AS b (project_id, kind, value)
SELECT t.project_id, t.kind, t.value FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
WHERE (SELECT count(*) FROM blocked_name AS o WHERE o.project_id = t.project_id AND (o.kind, o.value) <> (t.kind, t.value)) < $4::INT8
ON CONFLICT (project_id, kind, value) DO UPDATE SET blocked_at = b.blocked_at
RETURNING kind",
};

pub(super) const UNBLOCK_NAME: Statement = Statement {
    name: "unblock_name",
    sql: "-- unblock_name
DELETE FROM blocked_name WHERE project_id = $1::INT4 AND kind = $2::TEXT AND value = $3::TEXT",
};

impl Store {
    /// Lets a name stand for nobody from now on; false where the project has blocked as many as it may.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn block_name(&self, (project_id, name): &IdentityKey) -> Result<bool, Error> {
        let (projects, kinds) = (vec![project_id.0], vec![name.kind.as_str()]);
        let values = vec![name.value.as_str()];
        let rows = self
            .run(&BLOCK_NAME, &[&projects, &kinds, &values, &MOST_BLOCKED])
            .await?;
        Ok(!rows.is_empty())
    }

    /// Lets a name stand for somebody again.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn unblock_name(&self, (project_id, name): &IdentityKey) -> Result<(), Error> {
        let kind = name.kind.as_str();
        self.run(&UNBLOCK_NAME, &[&project_id.0, &kind, &name.value])
            .await
            .map(drop)
    }
}
