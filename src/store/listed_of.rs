//! What the lists of refused and mended items have of one person: found by the same hashes of names as an erasure finds it.

use super::profiles::timestamp;
use super::{Error, Statement, Store};
use crate::domain::erasure::identity_hash;
use crate::domain::{Identity, Json, ProjectId, Timestamp};
use std::collections::BTreeSet;
use tokio_postgres::Row;

/// A page of a list, in the order of keys. A row that says several of the names is one. A hash is of one project: with a condition on that
/// beside it, PostgreSQL goes along all of the project's rows.
macro_rules! listed {
    ($name:literal, $table:literal, $key:literal, $columns:literal) => {
        Statement {
            name: $name,
            sql: concat!(
                "-- ",
                $name,
                "\nSELECT DISTINCT ON (",
                $key,
                ") ",
                $key,
                ", ",
                $columns,
                "\nFROM unnest($1::TEXT[]) AS t (hash)\nJOIN ",
                $table,
                " AS r ON r.name_hashes @> to_jsonb(t.hash)\nWHERE (",
                $key,
                ") > $2::TEXT\nORDER BY ",
                $key,
                "\nLIMIT $3::INT8",
            ),
        }
    };
}

pub(super) const LOAD_CALLS_OF: Statement = listed!(
    "load_calls_of",
    "rejection",
    "r.rejection_id::TEXT",
    "r.received_at, r.code, r.field, r.message, r.message_id, r.item::TEXT, r.warnings::TEXT, NULL::BYTEA, NULL::BYTEA"
);

pub(super) const LOAD_RECORDS_OF: Statement = listed!(
    "load_records_of",
    "backfill_rejection",
    "r.source || ' ' || r.topic || ' ' || r.partition::TEXT || ' ' || r.record_offset::TEXT",
    "r.rejected_at, r.code, r.field, r.message, NULL::TEXT, NULL::TEXT, NULL::TEXT, r.record_key, r.record"
);

pub(super) const LOAD_LINES_OF: Statement = listed!(
    "load_lines_of",
    "import_rejection",
    "r.job_id::TEXT || ' ' || r.number::TEXT",
    "r.rejected_at, r.code, r.field, r.message, NULL::TEXT, NULL::TEXT, NULL::TEXT, NULL::BYTEA, r.record"
);

pub(super) const LOAD_SAMPLES_OF: Statement = listed!(
    "load_samples_of",
    "verification_sample",
    "r.verification_id::TEXT || ' ' || r.number::TEXT",
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
