//! Reading profiles: any number of references in one statement.

use super::profiles::timestamp;
use super::{Error, Statement, Store};
use crate::domain::{Identity, IdentityKind, Json, ProfileId, ProjectId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

/// Names first, then ids; an id that was merged away leads to the profile that lives on. When somebody was first and last seen
/// is read at the ends of the timeline: a column for it would be a write for each event.
pub(super) const LOAD_PROFILES: Statement = Statement {
    name: "load_profiles",
    sql: "-- load_profiles
SELECT r.position, p.profile_id, p.traits::TEXT, p.version, p.created_at, p.updated_at,
    ARRAY(SELECT i.kind FROM identity AS i WHERE i.profile_id = p.profile_id ORDER BY i.kind, i.value),
    ARRAY(SELECT i.value FROM identity AS i WHERE i.profile_id = p.profile_id ORDER BY i.kind, i.value),
    ARRAY(SELECT i.first_seen FROM identity AS i WHERE i.profile_id = p.profile_id ORDER BY i.kind, i.value),
    (
        SELECT min(e.occurred_at) FROM unnest(p.merged_from || p.profile_id) AS t (id)
        CROSS JOIN LATERAL (SELECT own.occurred_at FROM event AS own WHERE own.profile_id = t.id ORDER BY own.occurred_at LIMIT 1) AS e
    ),
    (
        SELECT max(e.occurred_at) FROM unnest(p.merged_from || p.profile_id) AS t (id)
        CROSS JOIN LATERAL (SELECT own.occurred_at FROM event AS own WHERE own.profile_id = t.id ORDER BY own.occurred_at DESC LIMIT 1) AS e
    ),
    ARRAY(
        SELECT DISTINCT i.value FROM unnest(p.merged_from || p.profile_id) AS t (id)
        JOIN membership AS m ON m.profile_id = t.id
        JOIN profile AS g ON g.project_id = m.project_id AND g.profile_id = m.group_id
        JOIN identity AS i ON i.profile_id = COALESCE(g.merged_into, g.profile_id) AND i.kind = 'group_id'
        ORDER BY i.value
    )
FROM (
    SELECT t.position, i.project_id, i.profile_id
    FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
    JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
    UNION ALL
    SELECT s.position, q.project_id, COALESCE(q.merged_into, q.profile_id)
    FROM unnest($5::INT4[], $6::INT4[], $7::UUID[]) AS s (position, project_id, profile_id)
    JOIN profile AS q ON q.project_id = s.project_id AND q.profile_id = s.profile_id
) AS r
JOIN profile AS p ON p.project_id = r.project_id AND p.profile_id = r.profile_id",
};

/// How callers refer to a person.
#[derive(Clone, Debug)]
pub enum Reference {
    Id(ProfileId),
    Name(Identity),
}

/// A profile as it is read.
#[derive(Clone, Debug)]
pub struct Profile {
    pub id: ProfileId,
    pub traits: Json,
    pub identities: Vec<KnownIdentity>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When its first event happened; `None` where it has none.
    pub first_seen: Option<Timestamp>,
    /// When its last event happened.
    pub last_seen: Option<Timestamp>,
    /// The ids of the groups it belongs to.
    pub groups: Vec<String>,
}

/// A name of a profile, and since when it is known.
#[derive(Clone, Debug)]
pub struct KnownIdentity {
    pub identity: Identity,
    pub first_seen: Timestamp,
}

impl Store {
    /// The profiles that references lead to, in their order; `None` where one leads nowhere.
    pub async fn load_profiles(
        &self,
        project_id: ProjectId,
        references: &[Reference],
    ) -> Result<Vec<Option<Profile>>, Error> {
        let (mut name_places, mut kinds, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let (mut id_places, mut ids) = (Vec::<i32>::new(), Vec::<Uuid>::new());
        for (place, reference) in (0_i32..).zip(references) {
            match reference {
                Reference::Id(id) => {
                    id_places.push(place);
                    ids.push(id.0);
                }
                Reference::Name(name) => {
                    name_places.push(place);
                    kinds.push(name.kind.as_str());
                    values.push(name.value.as_str());
                }
            }
        }
        let name_projects = vec![project_id.0; name_places.len()];
        let id_projects = vec![project_id.0; id_places.len()];
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 7] = [
            &name_places,
            &name_projects,
            &kinds,
            &values,
            &id_places,
            &id_projects,
            &ids,
        ];
        let mut profiles = vec![None; references.len()];
        for row in &self.run(&LOAD_PROFILES, &params).await? {
            profiles[row.get::<_, i32>(0) as usize] = Some(profile(row));
        }
        Ok(profiles)
    }

    /// The profile that one reference leads to.
    pub async fn load_profile(
        &self,
        project_id: ProjectId,
        reference: &Reference,
    ) -> Result<Option<Profile>, Error> {
        let found = self
            .load_profiles(project_id, std::slice::from_ref(reference))
            .await?;
        Ok(found.into_iter().next().flatten())
    }
}

fn profile(row: &Row) -> Profile {
    let seen = |column| {
        let seen: Option<jiff::Timestamp> = row.get(column);
        seen.map(Timestamp::new)
    };
    Profile {
        id: ProfileId(row.get(1)),
        traits: Json::from_database(row.get(2)),
        identities: identities(row),
        version: row.get(3),
        created_at: timestamp(row, 4),
        updated_at: timestamp(row, 5),
        first_seen: seen(9),
        last_seen: seen(10),
        groups: row.get(11),
    }
}

fn identities(row: &Row) -> Vec<KnownIdentity> {
    let (kinds, values): (Vec<&str>, Vec<String>) = (row.get(6), row.get(7));
    let first_seen: Vec<jiff::Timestamp> = row.get(8);
    let known = |((kind, value), first_seen): ((&str, String), jiff::Timestamp)| KnownIdentity {
        identity: Identity {
            kind: IdentityKind::parse(kind),
            value,
        },
        first_seen: Timestamp::new(first_seen),
    };
    kinds
        .into_iter()
        .zip(values)
        .zip(first_seen)
        .map(known)
        .collect()
}
