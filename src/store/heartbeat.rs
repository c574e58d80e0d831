//! The proof that this database takes writes and has the tables: what the health check asks for.

use super::profiles::timestamp;
use super::{Error, Statement, Store};
use crate::domain::Timestamp;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Rows that all nodes share. So few need no tidying; so many keep nodes from waiting for each other.
const SLOTS: i32 = 64;

pub(super) const HEARTBEAT: Statement = Statement {
    name: "heartbeat",
    sql: "-- heartbeat
INSERT INTO heartbeat AS h (slot, node, beaten_at, marking_node, in_flight_ms) VALUES ($1::INT4, $2::UUID, now(), $2::UUID, $3::INT8)
ON CONFLICT (slot) DO UPDATE SET node = excluded.node, beaten_at = excluded.beaten_at, marking_node = excluded.marking_node,
    in_flight_ms = excluded.in_flight_ms
RETURNING beaten_at",
};

/// Reads nothing, but fails where a table is missing or may not be read.
pub(super) const CHECK_TABLES: Statement = Statement {
    name: "check_tables",
    sql: "-- check_tables
SELECT 1::INT4 FROM project WHERE FALSE UNION ALL SELECT 1::INT4 FROM api_key WHERE FALSE
UNION ALL SELECT 1::INT4 FROM profile WHERE FALSE UNION ALL SELECT 1::INT4 FROM identity WHERE FALSE
UNION ALL SELECT 1::INT4 FROM event WHERE FALSE UNION ALL SELECT 1::INT4 FROM rejection WHERE FALSE
UNION ALL SELECT 1::INT4 FROM conflict WHERE FALSE UNION ALL SELECT 1::INT4 FROM membership WHERE FALSE
UNION ALL SELECT 1::INT4 FROM erasure WHERE FALSE UNION ALL SELECT 1::INT4 FROM erasure_request WHERE FALSE
UNION ALL SELECT 1::INT4 FROM merge_record WHERE FALSE UNION ALL SELECT 1::INT4 FROM split WHERE FALSE
UNION ALL SELECT 1::INT4 FROM blocked_name WHERE FALSE
UNION ALL SELECT 1::INT4 FROM erasure_salt WHERE FALSE UNION ALL SELECT 1::INT4 FROM event_walk WHERE FALSE
UNION ALL SELECT 1::INT4 FROM backfill_source WHERE FALSE UNION ALL SELECT 1::INT4 FROM backfill_partition WHERE FALSE
UNION ALL SELECT 1::INT4 FROM backfill_count WHERE FALSE UNION ALL SELECT 1::INT4 FROM backfill_rejection WHERE FALSE
UNION ALL SELECT 1::INT4 FROM migration WHERE FALSE UNION ALL SELECT 1::INT4 FROM migration_step WHERE FALSE
UNION ALL SELECT 1::INT4 FROM outbox WHERE FALSE UNION ALL SELECT 1::INT4 FROM outbox_gone WHERE FALSE
UNION ALL SELECT 1::INT4 FROM mirror WHERE FALSE UNION ALL SELECT 1::INT4 FROM mirror_refusal WHERE FALSE
UNION ALL SELECT 1::INT4 FROM verification WHERE FALSE UNION ALL SELECT 1::INT4 FROM verification_sample WHERE FALSE
UNION ALL SELECT 1::INT4 FROM read_comparison WHERE FALSE UNION ALL SELECT 1::INT4 FROM read_mismatch WHERE FALSE
UNION ALL SELECT 1::INT4 FROM import_job WHERE FALSE UNION ALL SELECT 1::INT4 FROM import_rejection WHERE FALSE
UNION ALL SELECT 1::INT4 FROM import_pull WHERE FALSE UNION ALL SELECT 1::INT4 FROM import_schedule WHERE FALSE
UNION ALL SELECT 1::INT4 FROM import_fetched WHERE FALSE UNION ALL SELECT 1::INT4 FROM token_invalidation WHERE FALSE
UNION ALL SELECT 1::INT4 FROM static_list WHERE FALSE UNION ALL SELECT 1::INT4 FROM static_list_member WHERE FALSE
UNION ALL SELECT 1::INT4 FROM device_holder WHERE FALSE
UNION ALL SELECT 1::INT4 FROM field_type WHERE FALSE
UNION ALL SELECT 1::INT4 FROM worker WHERE FALSE UNION ALL SELECT 1::INT4 FROM schema_step WHERE FALSE",
};

impl Store {
    /// Writes a row, and looks whether the tables are there; returns what the database's clock says. Tried once: whoever asks does
    /// so again soon.
    pub async fn beat(&self, node: Uuid) -> Result<Timestamp, Error> {
        let slot = node.as_u128() as i32 & (SLOTS - 1);
        self.run_once(&CHECK_TABLES, &[]).await?;
        let in_flight = i64::try_from(self.in_flight().as_millis()).unwrap_or(i64::MAX);
        let params: [&(dyn ToSql + Sync); 3] = [&slot, &node, &in_flight];
        let rows = self.run_once(&HEARTBEAT, &params).await?;
        Ok(timestamp(&rows[0], 0))
    }
}
