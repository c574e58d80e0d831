//! What was refused, or stored and mended: recording it, and reading it.

use super::params::JsonParam;
use super::profiles::timestamp;
use super::{Error, Statement, Store};
use crate::domain::erasure::identity_hash;
use crate::domain::{Identity, Json, ProjectId, Rejected, Timestamp};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Records what was refused. Idempotent: ids are drawn on receipt.
pub(super) const INSERT_REJECTIONS: Statement = Statement {
    name: "insert_rejections",
    sql: "-- insert_rejections
INSERT INTO rejection (project_id, received_at, rejection_id, code, field, message, message_id, item, warnings, name_hashes)
SELECT t.project_id, t.received_at, t.rejection_id, t.code, t.field, t.message, t.message_id, t.item, t.warnings, t.name_hashes
FROM unnest($1::INT4[], $2::TIMESTAMPTZ[], $3::UUID[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::JSONB[], $9::JSONB[], $10::JSONB[])
    AS t (project_id, received_at, rejection_id, code, field, message, message_id, item, warnings, name_hashes)
ON CONFLICT (project_id, received_at, rejection_id) DO NOTHING",
};

pub(super) const LOAD_REJECTIONS: Statement = Statement {
    name: "load_rejections",
    sql: "-- load_rejections
SELECT rejection_id, received_at, code, field, message, message_id, item::TEXT, warnings::TEXT
FROM rejection
WHERE project_id = $1::INT4 AND (received_at, rejection_id) < ($2::TIMESTAMPTZ, $3::UUID)
ORDER BY received_at DESC, rejection_id DESC
LIMIT $4::INT8",
};

/// An item as it is read back.
#[derive(Debug)]
pub struct StoredRejection {
    pub id: Uuid,
    pub received_at: Timestamp,
    pub code: String,
    pub field: Option<String>,
    pub message: String,
    pub message_id: Option<String>,
    pub item: Json,
    /// What was mended of an item that is stored; `None` of one that was refused.
    pub warnings: Option<Json>,
}

/// Of one item no more names are kept than its person may be expected to be erased by; the strongest come first.
const MOST_NAMES: usize = 32;

/// Bytes as digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Store {
    /// Records refused items.
    pub async fn insert_rejections(&self, refused: &[Rejected]) -> Result<(), Error> {
        let projects: Vec<i32> = refused.iter().map(|item| item.project_id.0).collect();
        let received: Vec<_> = refused
            .iter()
            .map(|item| item.received_at.instant())
            .collect();
        let ids: Vec<_> = refused.iter().map(|item| item.id).collect();
        let codes: Vec<_> = refused
            .iter()
            .map(|item| item.rejection.code.as_str())
            .collect();
        let fields: Vec<_> = refused
            .iter()
            .map(|item| item.rejection.field.as_deref())
            .collect();
        let messages: Vec<_> = refused
            .iter()
            .map(|item| item.rejection.message.as_str())
            .collect();
        let message_ids: Vec<_> = refused
            .iter()
            .map(|item| item.message_id.as_deref())
            .collect();
        let items: Vec<_> = refused.iter().map(|item| JsonParam(&item.item)).collect();
        let warnings = refused.iter();
        let warnings: Vec<_> = warnings
            .map(|item| item.warnings.as_ref().map(JsonParam))
            .collect();
        let hashes = refused
            .iter()
            .map(|item| (item.project_id, &item.names[..]));
        let hashes = self.name_hashes(hashes).await?;
        let hashes: Vec<_> = hashes
            .iter()
            .map(|one| one.as_ref().map(JsonParam))
            .collect();
        self.run(
            &INSERT_REJECTIONS,
            &[
                &projects,
                &received,
                &ids,
                &codes,
                &fields,
                &messages,
                &message_ids,
                &items,
                &warnings,
                &hashes,
            ],
        )
        .await
        .map(drop)
    }

    /// The names in each of some lists as an erasure will know them, as JSON; `None` for a list without any.
    pub(super) async fn name_hashes(
        &self,
        lists: impl Iterator<Item = (ProjectId, &[Identity])>,
    ) -> Result<Vec<Option<Json>>, Error> {
        let salt = self.salt().await?;
        let one = |(project_id, names): (ProjectId, &[Identity])| {
            let names = names.iter().take(MOST_NAMES);
            let hash = |name: &Identity| hex(&identity_hash(salt, project_id, name));
            let hashes: BTreeSet<String> = names.map(hash).collect();
            (!hashes.is_empty()).then(|| Json::of(&hashes))
        };
        Ok(lists.map(one).collect())
    }

    /// A page of a project's refusals, newest first; `after` is the last row of the page before.
    pub async fn load_rejections(
        &self,
        project_id: ProjectId,
        after: Option<(Timestamp, Uuid)>,
        limit: i64,
    ) -> Result<Vec<StoredRejection>, Error> {
        let (time, id) = after.unwrap_or((Timestamp::MAX, Uuid::max()));
        let rows = self
            .run(
                &LOAD_REJECTIONS,
                &[&project_id.0, &time.instant(), &id, &limit],
            )
            .await?;
        let stored = |row: &tokio_postgres::Row| StoredRejection {
            id: row.get(0),
            received_at: timestamp(row, 1),
            code: row.get(2),
            field: row.get(3),
            message: row.get(4),
            message_id: row.get(5),
            item: Json::from_database(row.get(6)),
            warnings: row.get::<_, Option<String>>(7).map(Json::from_database),
        };
        Ok(rows.iter().map(stored).collect())
    }
}
