//! Who belongs to which group.

use super::worker::{held, holds_turn};
use super::{Error, Statement, Store};
use crate::domain::{ProfileId, ProjectId, Timestamp};
use uuid::Uuid;

/// Idempotent: whoever belongs already stays.
pub(super) const INSERT_MEMBERSHIPS: Statement = Statement {
    name: "insert_memberships",
    sql: "-- insert_memberships
INSERT INTO membership (project_id, profile_id, group_id, first_seen)
SELECT t.project_id, t.profile_id, t.group_id, t.first_seen
FROM unnest($1::INT4[], $2::UUID[], $3::UUID[], $4::TIMESTAMPTZ[]) AS t (project_id, profile_id, group_id, first_seen)
ON CONFLICT (profile_id, group_id) DO NOTHING",
};

/// Of an erased person.
pub(super) const DELETE_MEMBERSHIPS: Statement = Statement {
    name: "delete_memberships",
    sql: concat!(
        "-- delete_memberships\nWITH ",
        held!("$2", "$3"),
        "\nDELETE FROM membership WHERE profile_id = ANY($1::UUID[]) AND ",
        holds_turn!("$2")
    ),
};

/// Of an erased group. Two statements, since CockroachDB scans for an OR over two columns.
pub(super) const DELETE_MEMBERS: Statement = Statement {
    name: "delete_members",
    sql: concat!(
        "-- delete_members\nWITH ",
        held!("$2", "$3"),
        "\nDELETE FROM membership WHERE group_id = ANY($1::UUID[]) AND ",
        holds_turn!("$2")
    ),
};

/// A person who belongs to a group from some time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    pub project_id: ProjectId,
    pub profile_id: ProfileId,
    pub group_id: ProfileId,
    pub first_seen: Timestamp,
}

impl Store {
    /// Lets people belong to groups; sorted by the caller.
    pub async fn insert_memberships(&self, new: &[Membership]) -> Result<(), Error> {
        let projects: Vec<i32> = new.iter().map(|one| one.project_id.0).collect();
        let people: Vec<Uuid> = new.iter().map(|one| one.profile_id.0).collect();
        let groups: Vec<Uuid> = new.iter().map(|one| one.group_id.0).collect();
        let seen: Vec<_> = new.iter().map(|one| one.first_seen.instant()).collect();
        self.run(&INSERT_MEMBERSHIPS, &[&projects, &people, &groups, &seen])
            .await
            .map(drop)
    }
}
