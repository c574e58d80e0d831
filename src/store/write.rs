//! The statements of the write path. Each is one implicit transaction over arrays and idempotent by itself.
//!
//! Every key column comes from `unnest`, never from a constant: with constants PostgreSQL's plan depends on statistics, and ran
//! a hundred times slower until the first ANALYZE. Rows are sorted by key, so that two batches lock them in the same order.

use super::event_row::{EventColumns, EventRow};
use super::marks::marked;
use super::params::{JsonParam, size_of_stored};
use super::{Error, Statement, Store};
use crate::domain::{Identity, IdentityKey, Json, ProfileId, ProfileKey, ProjectId, Timestamp};
use std::collections::HashSet;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Stores the events of people who are known. Idempotent: the key decides. People who were erased and are known again come
/// in only after a look-up, which tells who else they are: then the earliest times at which the events may have happened ($13) are
/// there, without one the list is empty.
pub(super) const INSERT_EVENTS: Statement = Statement {
    name: "insert_events",
    sql: "-- insert_events
INSERT INTO event (project_id, event_id, profile_id, type, name, message_id, occurred_at, received_at, properties, context, via)
SELECT t.project_id, t.event_id, i.profile_id, t.type, t.name, t.message_id, t.occurred_at, t.received_at, t.properties, t.context, t.via
FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TIMESTAMPTZ[], $9::TIMESTAMPTZ[], $10::JSONB[], $11::JSONB[], $12::INT8[], $13::TIMESTAMPTZ[])
    AS t (project_id, event_id, identity_kind, identity_value, type, name, message_id, occurred_at, received_at, properties, context, via, earliest)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.identity_kind AND i.value = t.identity_value
WHERE i.not_before IS NULL OR t.earliest > i.not_before
ON CONFLICT (project_id, event_id) DO NOTHING
RETURNING project_id, event_id",
};

/// Finds whose the identities are, with each profile's traits once where they are wanted, up to so many bytes ($9), and which
/// events are there already. A profile that was not written since sizes are kept (0) is measured. Reads only.
pub(super) const RESOLVE_IDENTITIES: Statement = Statement {
    name: "resolve_identities",
    sql: "-- resolve_identities
SELECT w.position, w.profile_id, w.version, w.not_before,
    CASE WHEN w.is_wanted AND w.held < $9::INT8 THEN w.traits::TEXT END, CASE WHEN w.is_wanted AND w.held < $9::INT8 THEN w.stamps::TEXT END
FROM (
    SELECT f.position, f.profile_id, f.version, f.not_before, f.traits, f.stamps, f.is_wanted,
        COALESCE(sum(CASE WHEN f.is_wanted THEN COALESCE(NULLIF(f.size_bytes, 0), (octet_length(f.traits::TEXT) + octet_length(f.stamps::TEXT))::INT4) END) OVER (ORDER BY f.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS held
    FROM (
        SELECT t.position, i.profile_id, i.not_before, p.version, p.traits, p.stamps, p.size_bytes,
            t.with_traits AND row_number() OVER (PARTITION BY i.profile_id, t.with_traits ORDER BY t.position) = 1 AS is_wanted
        FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[], $5::BOOL[])
            AS t (position, project_id, kind, value, with_traits)
        JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
        JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = i.profile_id
    ) AS f
) AS w
UNION ALL
SELECT s.position, NULL::UUID, NULL::INT8, NULL::TIMESTAMPTZ, NULL::TEXT, NULL::TEXT
FROM unnest($6::INT4[], $7::INT4[], $8::UUID[]) AS s (position, project_id, event_id)
JOIN event AS e ON e.project_id = s.project_id AND e.event_id = s.event_id",
};

/// Bytes of traits and stamps that one look-up brings, at least one profile: what does not fit is read when that is written.
const TRAITS_AT_ONCE: i64 = 4 << 20;

/// Claims identities, and makes the profiles of those that were won. Idempotent: who lost reads who won.
pub(super) const CREATE_IDENTITIES: Statement = Statement {
    name: "create_identities",
    sql: concat!(
        "-- create_identities
WITH won AS (
    INSERT INTO identity (project_id, kind, value, profile_id, first_seen, not_before)
    SELECT t.project_id, t.kind, t.value, t.profile_id, t.first_seen, t.not_before
    FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::UUID[], $5::TIMESTAMPTZ[], $6::TIMESTAMPTZ[])
        AS t (project_id, kind, value, profile_id, first_seen, not_before)
    ON CONFLICT (project_id, kind, value) DO NOTHING
    RETURNING project_id, kind, value, profile_id
), born AS (
    INSERT INTO profile (project_id, profile_id, traits, stamps, version, created_at, updated_at, size_bytes)
    SELECT n.project_id, n.profile_id, n.traits, n.stamps, 1, n.created_at, n.created_at, n.size_bytes
    FROM unnest($7::INT4[], $8::UUID[], $9::JSONB[], $10::JSONB[], $11::TIMESTAMPTZ[], $12::INT4[])
        AS n (project_id, profile_id, traits, stamps, created_at, size_bytes)
    WHERE EXISTS (SELECT 1 FROM won WHERE won.project_id = n.project_id AND won.profile_id = n.profile_id)
    ON CONFLICT (project_id, profile_id) DO NOTHING
    RETURNING project_id, profile_id
), ",
        marked!("born"),
        "
SELECT project_id, kind, value FROM won"
    ),
};

/// Links identities to profiles that exist, by compare-and-set on the profile: it is still there, and nobody gave it another
/// name meanwhile. Idempotent: a repeat finds a newer version, and the next look-up finds the links.
pub(super) const LINK_IDENTITIES: Statement = Statement {
    name: "link_identities",
    sql: concat!(
        "-- link_identities
WITH held AS (
    UPDATE profile AS p SET version = p.version + 1, updated_at = t.updated_at
    FROM unnest($1::INT4[], $2::UUID[], $3::INT8[], $4::TIMESTAMPTZ[]) AS t (project_id, profile_id, version, updated_at)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id AND p.version = t.version
    RETURNING p.project_id, p.profile_id
), ",
        marked!("held"),
        "
INSERT INTO identity (project_id, kind, value, profile_id, first_seen, not_before)
SELECT t.project_id, t.kind, t.value, t.profile_id, t.first_seen, t.not_before
FROM unnest($5::INT4[], $6::TEXT[], $7::TEXT[], $8::UUID[], $9::TIMESTAMPTZ[], $10::TIMESTAMPTZ[])
    AS t (project_id, kind, value, profile_id, first_seen, not_before)
WHERE EXISTS (SELECT 1 FROM held WHERE held.project_id = t.project_id AND held.profile_id = t.profile_id)
ON CONFLICT (project_id, kind, value) DO NOTHING"
    ),
};

/// Writes traits by compare-and-set: who does not come back lost a race and reads again. Idempotent: a repeat finds a newer
/// version, and the merge then has nothing to change.
pub(super) const WRITE_TRAITS: Statement = Statement {
    name: "write_traits",
    sql: concat!(
        "-- write_traits
WITH written AS (
    UPDATE profile AS p SET traits = t.traits, stamps = t.stamps, version = p.version + 1, updated_at = t.updated_at, size_bytes = t.size_bytes
    FROM unnest($1::INT4[], $2::UUID[], $3::INT8[], $4::JSONB[], $5::JSONB[], $6::TIMESTAMPTZ[], $7::INT4[])
        AS t (project_id, profile_id, version, traits, stamps, updated_at, size_bytes)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id AND p.version = t.version
    RETURNING p.project_id, p.profile_id
), ",
        marked!("written"),
        "
SELECT project_id, profile_id FROM written"
    ),
};

/// What is known of one identity.
#[derive(Clone, Debug)]
pub struct ResolvedIdentity {
    /// The place of the identity in the question.
    pub position: usize,
    pub profile_id: ProfileId,
    pub version: i64,
    /// When whoever had this name before was erased.
    pub not_before: Option<Timestamp>,
    /// Traits and stamps: once for each profile of which they were asked for, unless there was no room for more.
    pub stored: Option<(Json, Json)>,
}

/// What a look-up finds.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The identities that are known.
    pub identities: Vec<ResolvedIdentity>,
    /// The places of the events that are there already.
    pub events: Vec<usize>,
}

/// An identity to claim for a profile.
#[derive(Clone, Debug)]
pub struct NewIdentity {
    pub project_id: ProjectId,
    pub identity: Identity,
    pub profile_id: ProfileId,
    pub first_seen: Timestamp,
    /// When whoever had this name before was erased.
    pub not_before: Option<Timestamp>,
}

/// A profile to make if one of its identities is won.
#[derive(Clone, Debug)]
pub struct NewProfile {
    pub project_id: ProjectId,
    pub profile_id: ProfileId,
    pub traits: Json,
    pub stamps: Json,
    pub created_at: Timestamp,
}

/// A profile that is to stay as it was read while it gets new identities.
#[derive(Clone, Debug)]
pub struct HeldProfile {
    pub project_id: ProjectId,
    pub profile_id: ProfileId,
    pub version: i64,
    pub updated_at: Timestamp,
}

/// The columns of identities that are to be written.
struct IdentityColumns<'a> {
    projects: Vec<i32>,
    kinds: Vec<&'a str>,
    values: Vec<&'a str>,
    owners: Vec<Uuid>,
    first_seen: Vec<jiff::Timestamp>,
    not_before: Vec<Option<jiff::Timestamp>>,
}

impl<'a> IdentityColumns<'a> {
    fn of(identities: &'a [NewIdentity]) -> Self {
        let each = || identities.iter();
        Self {
            projects: each().map(|new| new.project_id.0).collect(),
            kinds: each().map(|new| new.identity.kind.as_str()).collect(),
            values: each().map(|new| new.identity.value.as_str()).collect(),
            owners: each().map(|new| new.profile_id.0).collect(),
            first_seen: each().map(|new| new.first_seen.instant()).collect(),
            not_before: each()
                .map(|new| new.not_before.map(Timestamp::instant))
                .collect(),
        }
    }

    /// In the order in which both statements take them.
    fn params(&self) -> [&(dyn ToSql + Sync); 6] {
        [
            &self.projects,
            &self.kinds,
            &self.values,
            &self.owners,
            &self.first_seen,
            &self.not_before,
        ]
    }
}

/// New traits of a profile that was read at `version`.
#[derive(Clone, Debug)]
pub struct TraitsChange {
    pub project_id: ProjectId,
    pub profile_id: ProfileId,
    pub version: i64,
    pub traits: Json,
    pub stamps: Json,
    pub updated_at: Timestamp,
}

impl Store {
    /// Stores the events whose people are known and which are not there yet; returns their keys. `looked_up` where it is known who
    /// else the people are.
    pub async fn insert_events(
        &self,
        rows: &mut [EventRow<'_>],
        looked_up: bool,
    ) -> Result<HashSet<(ProjectId, Uuid)>, Error> {
        rows.sort_unstable_by_key(|row| row.command.key());
        let columns = EventColumns::of(rows);
        let known = rows.iter().filter(|_| looked_up);
        let earliest: Vec<_> = known.map(|row| row.command.earliest().instant()).collect();
        let params = [&columns.params()[..], &[&earliest]].concat();
        let inserted = self.run(&INSERT_EVENTS, &params).await?;
        let key = |row: &tokio_postgres::Row| (ProjectId(row.get(0)), row.get(1));
        Ok(inserted.iter().map(key).collect())
    }

    /// Finds the profiles of identities, with traits where the flag says so, and which of the events are there; what is unknown
    /// is missing from the answer.
    pub async fn resolve_identities(
        &self,
        asked: &[(IdentityKey, bool)],
        events: &[(ProjectId, Uuid)],
    ) -> Result<Resolved, Error> {
        let positions: Vec<i32> = (0..).take(asked.len()).collect();
        let projects: Vec<i32> = asked
            .iter()
            .map(|((project_id, _), _)| project_id.0)
            .collect();
        let kinds: Vec<_> = asked
            .iter()
            .map(|((_, identity), _)| identity.kind.as_str())
            .collect();
        let values: Vec<_> = asked
            .iter()
            .map(|((_, identity), _)| identity.value.as_str())
            .collect();
        let with_traits: Vec<bool> = asked.iter().map(|(_, with_traits)| *with_traits).collect();
        let event_positions: Vec<i32> = (0..).take(events.len()).collect();
        let event_projects: Vec<i32> = events.iter().map(|(project_id, _)| project_id.0).collect();
        let event_ids: Vec<Uuid> = events.iter().map(|(_, event_id)| *event_id).collect();
        let rows = self
            .run(
                &RESOLVE_IDENTITIES,
                &[
                    &positions,
                    &projects,
                    &kinds,
                    &values,
                    &with_traits,
                    &event_positions,
                    &event_projects,
                    &event_ids,
                    &TRAITS_AT_ONCE,
                ],
            )
            .await?;
        let mut resolved = Resolved::default();
        for row in &rows {
            let position = row.get::<_, i32>(0) as usize;
            match row.get::<_, Option<Uuid>>(1) {
                Some(profile_id) => resolved.identities.push(resolved_identity(
                    row,
                    position,
                    ProfileId(profile_id),
                )),
                None => resolved.events.push(position),
            }
        }
        Ok(resolved)
    }

    /// Claims identities and makes the profiles of those won; returns the identities won. `identities` must be sorted by key.
    pub async fn create_identities(
        &self,
        identities: &[NewIdentity],
        profiles: &[NewProfile],
    ) -> Result<HashSet<IdentityKey>, Error> {
        let columns = IdentityColumns::of(identities);
        let born_projects: Vec<i32> = profiles.iter().map(|new| new.project_id.0).collect();
        let born: Vec<_> = profiles.iter().map(|new| new.profile_id.0).collect();
        let traits: Vec<_> = profiles.iter().map(|new| JsonParam(&new.traits)).collect();
        let stamps: Vec<_> = profiles.iter().map(|new| JsonParam(&new.stamps)).collect();
        let created: Vec<_> = profiles
            .iter()
            .map(|new| new.created_at.instant())
            .collect();
        let sizes: Vec<i32> = profiles
            .iter()
            .map(|new| size_of_stored(&new.traits, &new.stamps))
            .collect();
        let profiles: [&(dyn ToSql + Sync); 6] =
            [&born_projects, &born, &traits, &stamps, &created, &sizes];
        let params = [&columns.params()[..], &profiles].concat();
        let rows = self.run(&CREATE_IDENTITIES, &params).await?;
        let key = |row: &tokio_postgres::Row| {
            let identity = Identity {
                kind: crate::domain::IdentityKind::parse(row.get(1)),
                value: row.get(2),
            };
            (ProjectId(row.get(0)), identity)
        };
        Ok(rows.iter().map(key).collect())
    }

    /// Links identities to profiles that are still at the version that was read. Both sorted by key.
    pub async fn link_identities(
        &self,
        held: &[HeldProfile],
        identities: &[NewIdentity],
    ) -> Result<(), Error> {
        let held_projects: Vec<i32> = held.iter().map(|profile| profile.project_id.0).collect();
        let held_profiles: Vec<_> = held.iter().map(|profile| profile.profile_id.0).collect();
        let versions: Vec<i64> = held.iter().map(|profile| profile.version).collect();
        let updated: Vec<_> = held
            .iter()
            .map(|profile| profile.updated_at.instant())
            .collect();
        let columns = IdentityColumns::of(identities);
        let held: [&(dyn ToSql + Sync); 4] = [&held_projects, &held_profiles, &versions, &updated];
        let params = [&held[..], &columns.params()].concat();
        self.run(&LINK_IDENTITIES, &params).await.map(drop)
    }

    /// Writes traits where the version is still the one that was read; returns the profiles written. Sorted by key by the caller.
    pub async fn write_traits(
        &self,
        changes: &[TraitsChange],
    ) -> Result<HashSet<ProfileKey>, Error> {
        let projects: Vec<i32> = changes.iter().map(|change| change.project_id.0).collect();
        let profiles: Vec<_> = changes.iter().map(|change| change.profile_id.0).collect();
        let versions: Vec<i64> = changes.iter().map(|change| change.version).collect();
        let traits: Vec<_> = changes
            .iter()
            .map(|change| JsonParam(&change.traits))
            .collect();
        let stamps: Vec<_> = changes
            .iter()
            .map(|change| JsonParam(&change.stamps))
            .collect();
        let updated: Vec<_> = changes
            .iter()
            .map(|change| change.updated_at.instant())
            .collect();
        let sizes: Vec<i32> = changes
            .iter()
            .map(|change| size_of_stored(&change.traits, &change.stamps))
            .collect();
        let rows = self
            .run(
                &WRITE_TRAITS,
                &[
                    &projects, &profiles, &versions, &traits, &stamps, &updated, &sizes,
                ],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| (ProjectId(row.get(0)), ProfileId(row.get(1))))
            .collect())
    }
}

fn resolved_identity(
    row: &tokio_postgres::Row,
    position: usize,
    profile_id: ProfileId,
) -> ResolvedIdentity {
    let traits: Option<String> = row.get(4);
    let stored =
        traits.map(|traits| (Json::from_database(traits), Json::from_database(row.get(5))));
    ResolvedIdentity {
        position,
        profile_id,
        version: row.get(2),
        not_before: row.get::<_, Option<jiff::Timestamp>>(3).map(Timestamp::new),
        stored,
    }
}
