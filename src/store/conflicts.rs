//! Writing down names that stayed with somebody else.

use super::{Error, Statement, Store};
use crate::domain::Timestamp;
use crate::domain::plan::Conflict;
use uuid::Uuid;

/// Lists identities that stayed with somebody else. Idempotent: the id is made of who, what and whom.
pub(super) const INSERT_CONFLICTS: Statement = Statement {
    name: "insert_conflicts",
    sql: "-- insert_conflicts
INSERT INTO conflict (project_id, conflict_id, kind, value, owner_id, claimant_id, first_seen, reason)
SELECT t.project_id, t.conflict_id, t.kind, t.value, t.owner_id, t.claimant_id, t.first_seen, t.reason
FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::UUID[], $6::UUID[], $7::TIMESTAMPTZ[], $8::TEXT[])
    AS t (project_id, conflict_id, kind, value, owner_id, claimant_id, first_seen, reason)
ON CONFLICT (project_id, conflict_id) DO NOTHING",
};

impl Store {
    /// Lists identities that stayed with somebody else; sorted by the caller.
    pub async fn insert_conflicts(&self, conflicts: &[(Conflict, Timestamp)]) -> Result<(), Error> {
        let projects: Vec<i32> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.key.0.0)
            .collect();
        let ids: Vec<Uuid> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.id())
            .collect();
        let kinds: Vec<&str> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.key.1.kind.as_str())
            .collect();
        let values: Vec<&str> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.key.1.value.as_str())
            .collect();
        let owners: Vec<Uuid> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.owner.0)
            .collect();
        let claimants: Vec<Uuid> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.claimant.0)
            .collect();
        let seen: Vec<_> = conflicts.iter().map(|(_, at)| at.instant()).collect();
        let reasons: Vec<&str> = conflicts
            .iter()
            .map(|(conflict, _)| if conflict.is_hub { "hub" } else { "two_people" })
            .collect();
        self.run(
            &INSERT_CONFLICTS,
            &[
                &projects, &ids, &kinds, &values, &owners, &claimants, &seen, &reasons,
            ],
        )
        .await
        .map(drop)
    }
}
