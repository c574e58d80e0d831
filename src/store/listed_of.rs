//! What the lists of refused and mended items have of one person: found by the same hashes of names as an erasure finds it.

use super::profiles::timestamp;
use super::{Error, Statement, Store};
use crate::domain::erasure::identity_hash;
use crate::domain::{Identity, Json, ProjectId, Timestamp};
use std::collections::BTreeSet;
use tokio_postgres::Row;

/// A page of a list, in the order of keys: those of the page first, so that only its rows are read whole. A row that says several of the
/// names is one. A hash is of one project: with a condition on that beside it, PostgreSQL goes along all of the project's rows.
macro_rules! listed {
    ($name:literal, $table:literal, $key:literal, $primary:literal, $columns:literal) => {
        Statement {
            name: $name,
            sql: concat!(
                "-- ",
                $name,
                "\nWITH page AS (\n    SELECT DISTINCT ",
                $key,
                " AS key, ",
                $primary,
                "\n    FROM unnest($1::TEXT[]) AS t (hash)\n    JOIN ",
                $table,
                " ON name_hashes @> to_jsonb(t.hash)\n    WHERE (",
                $key,
                ") > $2::TEXT\n    ORDER BY 1 LIMIT $3::INT8\n)\nSELECT page.key, ",
                $columns,
                "\nFROM page JOIN ",
                $table,
                " AS r USING (",
                $primary,
                ")\nORDER BY page.key",
            ),
        }
    };
}

pub(super) const LOAD_CALLS_OF: Statement = listed!(
    "load_calls_of",
    "rejection",
    "rejection_id::TEXT",
    "project_id, received_at, rejection_id",
    "r.received_at, r.code, r.field, r.message, r.message_id, r.item::TEXT, r.warnings::TEXT, NULL::BYTEA, NULL::BYTEA"
);

pub(super) const LOAD_RECORDS_OF: Statement = listed!(
    "load_records_of",
    "backfill_rejection",
    "source || ' ' || topic || ' ' || partition::TEXT || ' ' || record_offset::TEXT",
    "project_id, source, topic, partition, record_offset",
    "r.rejected_at, r.code, r.field, r.message, NULL::TEXT, NULL::TEXT, NULL::TEXT, r.record_key, r.record"
);

pub(super) const LOAD_LINES_OF: Statement = listed!(
    "load_lines_of",
    "import_rejection",
    "job_id::TEXT || ' ' || number::TEXT",
    "project_id, job_id, number",
    "r.rejected_at, r.code, r.field, r.message, NULL::TEXT, NULL::TEXT, NULL::TEXT, NULL::BYTEA, r.record"
);

pub(super) const LOAD_SAMPLES_OF: Statement = listed!(
    "load_samples_of",
    "verification_sample",
    "verification_id::TEXT || ' ' || number::TEXT",
    "project_id, verification_id, number",
    "r.found_at, r.kind, r.field, 'a verification found a difference', r.document_id, jsonb_build_object('ours', r.ours, 'theirs', r.theirs)::TEXT, NULL::TEXT, NULL::BYTEA, NULL::BYTEA"
);

/// The lists in which something may stand about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOf {
    /// Calls that were refused or mended.
    Calls,
    /// Records of topics that could not be taken.
    Records,
    /// Records of files that could not be taken.
    Lines,
    /// Differences that verifications found.
    Samples,
}

/// What a list has of a person.
#[derive(Debug)]
pub struct Listed {
    /// Where it stands in its list.
    pub key: String,
    pub at: Timestamp,
    pub code: String,
    pub field: Option<String>,
    pub message: String,
    /// The message id of a call, the document's id of a difference.
    pub id: Option<String>,
    /// A call as it came, or both sides of a difference.
    pub item: Option<Json>,
    pub warnings: Option<Json>,
    /// A record's own key, and its text.
    pub record: (Option<Vec<u8>>, Option<Vec<u8>>),
}

impl ListOf {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Calls, Self::Records, Self::Lines, Self::Samples];

    /// Bytes that a row of it may have.
    pub const fn most_bytes(self) -> usize {
        match self {
            Self::Lines => 64 * 1024,
            Self::Calls | Self::Records | Self::Samples => 8 * 1024,
        }
    }

    fn statement(self) -> &'static Statement {
        match self {
            Self::Calls => &LOAD_CALLS_OF,
            Self::Records => &LOAD_RECORDS_OF,
            Self::Lines => &LOAD_LINES_OF,
            Self::Samples => &LOAD_SAMPLES_OF,
        }
    }
}

impl Store {
    /// A page of what a list has about whoever has these names; `after` is the key of the last row of the page before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_listed_of(
        &self,
        list: ListOf,
        (project_id, names): (ProjectId, &[Identity]),
        after: &str,
        limit: i64,
    ) -> Result<Vec<Listed>, Error> {
        let salt = self.salt().await?;
        let hash = |name: &Identity| super::rejections::hex(&identity_hash(salt, project_id, name));
        let hashes: BTreeSet<String> = names.iter().map(hash).collect();
        let hashes: Vec<String> = hashes.into_iter().collect();
        let rows = self
            .run(list.statement(), &[&hashes, &after, &limit])
            .await?;
        Ok(rows.iter().map(listed).collect())
    }
}

fn listed(row: &Row) -> Listed {
    let json = |column| {
        let text: Option<String> = row.get(column);
        text.map(Json::from_database)
    };
    Listed {
        key: row.get(0),
        at: timestamp(row, 1),
        code: row.get(2),
        field: row.get(3),
        message: row.get(4),
        id: row.get(5),
        item: json(6),
        warnings: json(7),
        record: (row.get(8), row.get(9)),
    }
}
