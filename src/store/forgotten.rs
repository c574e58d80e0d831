//! The names that a project has forgotten for good, as far as it wants them shown (docs/decisions/0018).

use super::rejections::hex;
use super::{Error, Statement, Store};
use crate::domain::{Identity, IdentityKind, ProjectId};
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Rows looked at by one statement.
const PAGE: i64 = 5_000;

/// By the names' salted hashes; a row without anything to show is passed over by whoever reads it.
pub(super) const LOAD_FORGOTTEN: Statement = Statement {
    name: "load_forgotten",
    sql: "-- load_forgotten
SELECT f.identity_hash, CASE WHEN f.is_forgotten THEN f.shown_hash END
FROM unnest($1::INT4[], $2::BYTEA[]) AS t (project_id, after)
CROSS JOIN LATERAL (
    SELECT e.identity_hash, e.is_forgotten, e.shown_hash FROM erasure AS e
    WHERE e.project_id = t.project_id AND e.identity_hash > t.after
    ORDER BY e.identity_hash LIMIT $3::INT8
) AS f
ORDER BY f.identity_hash",
};

/// What may be shown of a forgotten name: the kind, and the SHA-256 of its trimmed lower case. `None` of names that nobody asks for.
pub(super) fn shown_hash(name: &Identity) -> Option<String> {
    let is_asked_for = matches!(name.kind, IdentityKind::Email | IdentityKind::UserId);
    is_asked_for.then(|| {
        let digest = Sha256::digest(name.value.trim().to_lowercase());
        format!("{}:{}", name.kind.as_str(), hex(&digest))
    })
}

impl Store {
    /// The hashes of the next forgotten names of a kind behind a place, and where to go on; the last page has no such place.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_forgotten(
        &self,
        project_id: ProjectId,
        kind: &IdentityKind,
        after: &[u8],
    ) -> Result<(Vec<String>, Option<Vec<u8>>), Error> {
        let (projects, after) = ([project_id.0], [after]);
        let params: [&(dyn ToSql + Sync); 3] = [&projects.as_slice(), &after.as_slice(), &PAGE];
        let rows = self.run(&LOAD_FORGOTTEN, &params).await?;
        let is_full = rows.len() as i64 == PAGE;
        let next = rows.last().filter(|_| is_full).map(|row| row.get(0));
        let hash = |row: &Row| {
            let shown: Option<String> = row.get(1);
            let shown = shown?;
            let (own, digits) = shown.split_once(':')?;
            (own == kind.as_str()).then(|| digits.to_owned())
        };
        Ok((rows.iter().filter_map(hash).collect(), next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_any_spelling_has_the_hash_that_others_make_of_it() {
        let name = Identity::new(IdentityKind::Email, " Ada@Example.com");
        // printf ada@example.com | sha256sum
        let digits = "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72";
        assert_eq!(shown_hash(&name), Some(format!("email:{digits}")));
        let device = Identity::new(IdentityKind::AnonymousId, "a1");
        assert_eq!(shown_hash(&device), None);
    }
}
