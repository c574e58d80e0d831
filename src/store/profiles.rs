//! Who people are: whom a name leads to, how somebody is named, and who claims whose name.

use super::{Error, Statement, Store};
use crate::domain::plan::Names;
use crate::domain::{Identity, IdentityKind, ProfileId, ProfileKey, ProjectId, Timestamp};
use std::collections::HashMap;
use tokio_postgres::Row;
use uuid::Uuid;

/// One reference as an array of one: with constants the planner joins by the project alone and reads all of it.
pub(super) const FIND_PERSON: Statement = Statement {
    name: "find_person",
    sql: "-- find_person
SELECT p.profile_id, p.merged_from
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = i.profile_id",
};

/// An id that was merged away leads to the profile that lives on.
pub(super) const FIND_PERSON_BY_ID: Statement = Statement {
    name: "find_person_by_id",
    sql: "-- find_person_by_id
SELECT s.profile_id, s.merged_from
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
JOIN profile AS s ON s.project_id = t.project_id AND s.profile_id = COALESCE(p.merged_into, p.profile_id)",
};

/// Tells how many names profiles have, and whether one is a user id. Reads only.
pub(super) const LOAD_NAMES: Statement = Statement {
    name: "load_names",
    sql: "-- load_names
SELECT i.profile_id, count(*)::INT8, bool_or(i.kind = 'user_id'), sum(CASE WHEN i.kind = 'email' THEN 1 ELSE 0 END)::INT8, max(p.absorbed_count)::INT4
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
JOIN identity AS i ON i.profile_id = t.profile_id
GROUP BY i.profile_id",
};

pub(super) const LOAD_CONFLICTS: Statement = Statement {
    name: "load_conflicts",
    sql: "-- load_conflicts
SELECT conflict_id, kind, value, owner_id, claimant_id, first_seen, reason
FROM conflict
WHERE project_id = $1::INT4 AND (first_seen, conflict_id) < ($2::TIMESTAMPTZ, $3::UUID)
ORDER BY first_seen DESC, conflict_id DESC
LIMIT $4::INT8",
};

/// The profiles are known to be the project's. Two halves, since CockroachDB scans for an OR over two columns.
pub(super) const LOAD_CONFLICTS_OF: Statement = Statement {
    name: "load_conflicts_of",
    sql: "-- load_conflicts_of
SELECT conflict_id, kind, value, owner_id, claimant_id, first_seen, reason
FROM conflict WHERE owner_id = ANY($1::UUID[]) AND conflict_id > $2::UUID
UNION
SELECT conflict_id, kind, value, owner_id, claimant_id, first_seen, reason
FROM conflict WHERE claimant_id = ANY($1::UUID[]) AND conflict_id > $2::UUID
ORDER BY conflict_id
LIMIT $3::INT8",
};

/// The profile is known to be the project's: naming the project here too would make PostgreSQL read all of its identities.
pub(super) const LOAD_IDENTITIES: Statement = Statement {
    name: "load_identities",
    sql: "-- load_identities
SELECT kind, value FROM identity WHERE profile_id = $1::UUID ORDER BY kind, value",
};

/// Who a reference leads to.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: ProfileId,
    /// Profiles whose events belong to this person's timeline too.
    pub merged_from: Vec<Uuid>,
}

impl Person {
    /// All profiles whose events are this person's.
    pub fn profiles(&self) -> Vec<Uuid> {
        std::iter::once(self.id.0)
            .chain(self.merged_from.iter().copied())
            .collect()
    }
}

/// An identity that a call gave to one profile while it belongs to another.
#[derive(Debug)]
pub struct StoredConflict {
    pub id: Uuid,
    pub kind: String,
    pub value: String,
    pub owner_id: Uuid,
    pub claimant_id: Uuid,
    pub first_seen: Timestamp,
    /// `two_people` or `hub`.
    pub reason: String,
}

impl Store {
    /// Tells how profiles are named.
    pub async fn load_names(
        &self,
        asked: &[ProfileKey],
    ) -> Result<HashMap<ProfileId, Names>, Error> {
        let profiles: Vec<Uuid> = asked.iter().map(|(_, profile_id)| profile_id.0).collect();
        let projects: Vec<i32> = asked.iter().map(|(project_id, _)| project_id.0).collect();
        let rows = self.run(&LOAD_NAMES, &[&projects, &profiles]).await?;
        let names = |row: &tokio_postgres::Row| Names {
            count: row.get::<_, i64>(1) as usize,
            has_user_id: row.get(2),
            emails: row.get::<_, i64>(3) as usize,
            absorbed: row.get::<_, i32>(4) as usize,
        };
        Ok(rows
            .iter()
            .map(|row| (ProfileId(row.get(0)), names(row)))
            .collect())
    }

    /// Whose identity this is.
    pub async fn find_person(
        &self,
        project_id: ProjectId,
        identity: &Identity,
    ) -> Result<Option<Person>, Error> {
        let rows = self
            .run(
                &FIND_PERSON,
                &[
                    &[project_id.0].as_slice(),
                    &[identity.kind.as_str()].as_slice(),
                    &[identity.value.as_str()].as_slice(),
                ],
            )
            .await?;
        Ok(rows.first().map(person))
    }

    /// Whose profile this is, or was before it was merged.
    pub async fn find_person_by_id(
        &self,
        project_id: ProjectId,
        id: ProfileId,
    ) -> Result<Option<Person>, Error> {
        let rows = self
            .run(
                &FIND_PERSON_BY_ID,
                &[&[project_id.0].as_slice(), &[id.0].as_slice()],
            )
            .await?;
        Ok(rows.first().map(person))
    }

    /// A page of a project's conflicts, newest first; `after` is the last row of the page before.
    pub async fn load_conflicts(
        &self,
        project_id: ProjectId,
        after: Option<(Timestamp, Uuid)>,
        limit: i64,
    ) -> Result<Vec<StoredConflict>, Error> {
        let (time, id) = after.unwrap_or((Timestamp::MAX, Uuid::max()));
        let rows = self
            .run(
                &LOAD_CONFLICTS,
                &[&project_id.0, &time.instant(), &id, &limit],
            )
            .await?;
        Ok(rows.iter().map(stored_conflict).collect())
    }

    /// A page of the conflicts in which a person takes part, by id; `after` is the last id of the page before.
    pub async fn load_conflicts_of(
        &self,
        person: &Person,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<StoredConflict>, Error> {
        let profiles = person.profiles();
        let rows = self
            .run(&LOAD_CONFLICTS_OF, &[&profiles, &after, &limit])
            .await?;
        Ok(rows.iter().map(stored_conflict).collect())
    }

    /// The names of a profile.
    pub async fn load_identities(&self, id: ProfileId) -> Result<Vec<Identity>, Error> {
        let rows = self.run(&LOAD_IDENTITIES, &[&id.0]).await?;
        Ok(rows.iter().map(identity).collect())
    }
}

fn stored_conflict(row: &Row) -> StoredConflict {
    StoredConflict {
        id: row.get(0),
        kind: row.get(1),
        value: row.get(2),
        owner_id: row.get(3),
        claimant_id: row.get(4),
        first_seen: timestamp(row, 5),
        reason: row.get(6),
    }
}

/// Reads a kind and a value, the first columns of a row.
pub(super) fn identity(row: &Row) -> Identity {
    Identity {
        kind: IdentityKind::parse(row.get(0)),
        value: row.get(1),
    }
}

fn person(row: &Row) -> Person {
    Person {
        id: ProfileId(row.get(0)),
        merged_from: row.get(1),
    }
}

/// Reads a time column.
pub(super) fn timestamp(row: &Row, column: usize) -> Timestamp {
    Timestamp::new(row.get(column))
}
