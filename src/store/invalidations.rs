//! Tokens of people that count no more: which names, and from when on they count again.
//!
//! Names are kept as the salted hashes that erased names are known by, so that nobody finds a person in the table.

use super::profiles::timestamp;
use super::{Error, Statement, Store};
use crate::domain::erasure::identity_hash;
use crate::domain::{IdentityKey, Timestamp};
use tokio_postgres::Row;

/// Idempotent: what has been said stays, whatever is said later of an earlier time.
pub(super) const INVALIDATE_TOKENS: Statement = Statement {
    name: "invalidate_tokens",
    sql: "-- invalidate_tokens
INSERT INTO token_invalidation AS i (project_id, name_hash, issued_before, changed_at)
SELECT t.project_id, t.name_hash, $3::TIMESTAMPTZ, now() FROM unnest($1::INT4[], $2::BYTEA[]) AS t (project_id, name_hash)
ON CONFLICT (project_id, name_hash) DO UPDATE SET issued_before = GREATEST(i.issued_before, excluded.issued_before), changed_at = now()
RETURNING i.name_hash, i.issued_before",
};

pub(super) const FIND_INVALIDATION: Statement = Statement {
    name: "find_invalidation",
    sql: "-- find_invalidation
SELECT i.name_hash, i.issued_before
FROM unnest($1::INT4[], $2::BYTEA[]) AS t (project_id, name_hash)
JOIN token_invalidation AS i ON i.project_id = t.project_id AND i.name_hash = t.name_hash",
};

/// By when they were written, the oldest first; a page begins behind the last of the page before it.
pub(super) const LATEST_INVALIDATIONS: Statement = Statement {
    name: "latest_invalidations",
    sql: "-- latest_invalidations
SELECT name_hash, issued_before, changed_at, project_id FROM token_invalidation
WHERE (changed_at, project_id, name_hash) > ($1::TIMESTAMPTZ, $2::INT4, $3::BYTEA)
ORDER BY changed_at, project_id, name_hash LIMIT $4::INT8",
};

/// No token lives longer than a year, and none is invalidated before it is issued.
pub(super) const FORGET_INVALIDATIONS: Statement = Statement {
    name: "forget_invalidations",
    sql: "-- forget_invalidations
DELETE FROM token_invalidation WHERE (project_id, name_hash) IN (
    SELECT project_id, name_hash FROM token_invalidation WHERE changed_at < now() - '400 days'::INTERVAL ORDER BY changed_at LIMIT $1::INT8
)",
};

/// Rows of one page.
const PAGE: i64 = 5_000;

/// A name's hash: what is compared.
pub type NameHash = [u8; 32];

/// Tokens of a name that were issued before a time count no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalidation {
    pub name_hash: NameHash,
    pub issued_before: Timestamp,
}

/// Up to where the invalidations have been read.
#[derive(Clone, Debug)]
pub struct InvalidationPlace {
    changed_at: Timestamp,
    project_id: i32,
    name_hash: Vec<u8>,
}

impl InvalidationPlace {
    /// Before all that were written after a time.
    pub fn after(changed_at: Timestamp) -> Self {
        Self {
            changed_at,
            project_id: i32::MAX,
            name_hash: Vec::new(),
        }
    }

    /// When the last that was read was written.
    pub fn changed_at(&self) -> Timestamp {
        self.changed_at
    }
}

impl Store {
    /// The hash by which a name's invalidation is known.
    ///
    /// # Errors
    /// When the database does not tell the salt, which is asked for once.
    pub async fn name_hash(&self, name: &IdentityKey) -> Result<NameHash, Error> {
        let hash = identity_hash(self.salt().await?, name.0, &name.1);
        Ok(hash.try_into().unwrap_or_default())
    }

    /// Lets no token of these names count that was issued before a time; what holds of them now.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn invalidate_tokens(
        &self,
        names: &[IdentityKey],
        issued_before: Timestamp,
    ) -> Result<Vec<Invalidation>, Error> {
        let (projects, hashes) = self.columns_of(names).await?;
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&projects, &hashes, &issued_before.instant()];
        let rows = self.run(&INVALIDATE_TOKENS, &params).await?;
        Ok(rows.iter().filter_map(invalidation).collect())
    }

    async fn columns_of(&self, names: &[IdentityKey]) -> Result<(Vec<i32>, Vec<Vec<u8>>), Error> {
        let salt = self.salt().await?;
        let mut keys: Vec<(i32, Vec<u8>)> = names
            .iter()
            .map(|name| (name.0.0, identity_hash(salt, name.0, &name.1)))
            .collect();
        keys.sort();
        keys.dedup();
        Ok(keys.into_iter().unzip())
    }

    /// What holds of a name's tokens, where anything does.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_invalidation(
        &self,
        name: &IdentityKey,
    ) -> Result<Option<Invalidation>, Error> {
        let (projects, hashes) = self.columns_of(std::slice::from_ref(name)).await?;
        let rows = self.run(&FIND_INVALIDATION, &[&projects, &hashes]).await?;
        Ok(rows.first().and_then(invalidation))
    }

    /// The next invalidations behind a place, and where they end; the last page is not full.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn latest_invalidations(
        &self,
        place: &mut InvalidationPlace,
    ) -> Result<(Vec<Invalidation>, bool), Error> {
        let changed_at = place.changed_at.instant();
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&changed_at, &place.project_id, &place.name_hash, &PAGE];
        let rows = self.run(&LATEST_INVALIDATIONS, &params).await?;
        if let Some(last) = rows.last() {
            *place = InvalidationPlace {
                changed_at: timestamp(last, 2),
                project_id: last.get(3),
                name_hash: last.get(0),
            };
        }
        let is_last = (rows.len() as i64) < PAGE;
        Ok((rows.iter().filter_map(invalidation).collect(), is_last))
    }

    /// Forgets invalidations of which every token has expired by now.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn forget_invalidations(&self) -> Result<(), Error> {
        self.run(&FORGET_INVALIDATIONS, &[&PAGE]).await.map(drop)
    }
}

fn invalidation(row: &Row) -> Option<Invalidation> {
    Some(Invalidation {
        name_hash: row.get::<_, Vec<u8>>(0).try_into().ok()?,
        issued_before: timestamp(row, 1),
    })
}
