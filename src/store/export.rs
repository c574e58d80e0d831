//! How far exports have got. One process at a time moves an export on: it holds the lease of the export's name, and saves under it.

use super::{Error, Statement, Store};
use serde_json::Value;
use uuid::Uuid;

pub(super) const LOAD_EXPORT: Statement = Statement {
    name: "load_export",
    sql: "-- load_export\nSELECT state FROM backfill_export WHERE name = $1::TEXT",
};

pub(super) const SAVE_EXPORT: Statement = Statement {
    name: "save_export",
    sql: "-- save_export
INSERT INTO backfill_export (name, state, updated_at)
SELECT $1::TEXT, $2::JSONB, now() FROM lease WHERE name = $3::TEXT AND owner = $4::UUID
ON CONFLICT (name) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at
RETURNING name",
};

impl Store {
    /// What was saved last.
    pub async fn load_export(&self, name: &str) -> Result<Option<Value>, Error> {
        let rows = self.run(&LOAD_EXPORT, &[&name]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Saves how far an export has got; false where `owner` does not hold the lease any more.
    pub async fn save_export(
        &self,
        name: &str,
        state: &Value,
        lease: &str,
        owner: Uuid,
    ) -> Result<bool, Error> {
        let rows = self
            .run(&SAVE_EXPORT, &[&name, &state, &lease, &owner])
            .await?;
        Ok(!rows.is_empty())
    }
}
