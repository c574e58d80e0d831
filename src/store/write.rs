//! The write path: what is known of names, claims of new ones, links, traits, events. `write_statements.rs` has the texts.

use super::event_row::{EventColumns, EventRow};
use super::params::{JsonParam, size_of_stored};
use super::write_statements::{
    CREATE_IDENTITIES, INSERT_EVENTS, LINK_IDENTITIES, RESOLVE_IDENTITIES, WRITE_TRAITS,
};
use super::{Error, Store};
use crate::domain::erasure::identity_hash;
use crate::domain::{Identity, IdentityKey, Json, ProfileId, ProfileKey, ProjectId, Timestamp};
use std::collections::HashSet;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Bytes of traits and stamps that one look-up brings, at least one profile: what does not fit is read when that is written.
const TRAITS_AT_ONCE: i64 = 4 << 20;

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
    hashes: Vec<Vec<u8>>,
}

impl<'a> IdentityColumns<'a> {
    fn of(identities: &'a [NewIdentity], salt: Uuid) -> Self {
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
            hashes: each()
                .map(|new| identity_hash(salt, new.project_id, &new.identity))
                .collect(),
        }
    }

    /// In the order in which both statements take them.
    fn params(&self) -> [&(dyn ToSql + Sync); 7] {
        [
            &self.projects,
            &self.kinds,
            &self.values,
            &self.owners,
            &self.first_seen,
            &self.not_before,
            &self.hashes,
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
        let (kinds, values) = &columns.seconds;
        let params = [&columns.params()[..], &[&earliest, kinds, values]].concat();
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

    /// Claims identities and makes the profiles of those won; returns the identities won, or `None` where one was erased at a time that is
    /// not in `not_before`, and nothing is written. `identities` must be sorted by key.
    pub async fn create_identities(
        &self,
        identities: &[NewIdentity],
        profiles: &[NewProfile],
    ) -> Result<Option<HashSet<IdentityKey>>, Error> {
        let columns = IdentityColumns::of(identities, self.salt().await?);
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
            let project_id: Option<i32> = row.get(0);
            let identity = || Identity {
                kind: crate::domain::IdentityKind::parse(row.get(1)),
                value: row.get(2),
            };
            project_id.map(|id| (ProjectId(id), identity()))
        };
        Ok(rows.iter().map(key).collect())
    }

    /// Links identities to profiles that are still at the version that was read. False where one was erased at a time that is not in
    /// `not_before`, and nothing is written. Both sorted by key.
    pub async fn link_identities(
        &self,
        held: &[HeldProfile],
        identities: &[NewIdentity],
    ) -> Result<bool, Error> {
        let held_projects: Vec<i32> = held.iter().map(|profile| profile.project_id.0).collect();
        let held_profiles: Vec<_> = held.iter().map(|profile| profile.profile_id.0).collect();
        let versions: Vec<i64> = held.iter().map(|profile| profile.version).collect();
        let updated: Vec<_> = held
            .iter()
            .map(|profile| profile.updated_at.instant())
            .collect();
        let columns = IdentityColumns::of(identities, self.salt().await?);
        let held: [&(dyn ToSql + Sync); 4] = [&held_projects, &held_profiles, &versions, &updated];
        let params = [&held[..], &columns.params()].concat();
        let barred = self.run(&LINK_IDENTITIES, &params).await?;
        Ok(barred.is_empty())
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
