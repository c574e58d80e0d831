//! Reading profiles: any number of references in one statement.

use super::profiles::timestamp;
use super::{Error, Statement, Store};
use crate::domain::{Identity, IdentityKind, Json, ProfileId, ProjectId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

/// Names first, then ids; an id that was merged away leads to the profile that lives on. When somebody was first and last seen
/// is read at the ends of the timeline: a column for it would be a write for each event. Of the groups there are the first thousand. What
/// comes back ends with the profile that reaches the bytes asked for; the last column tells how many it took up to there.
pub(super) const LOAD_PROFILES: Statement = Statement {
    name: "load_profiles",
    sql: "-- load_profiles
SELECT p.position, p.profile_id, p.traits, p.version, p.created_at, p.updated_at,
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
    p.group_ids,
    p.taken::INT8
FROM (
    SELECT w.*, sum(w.size) OVER (ORDER BY w.position ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS taken
    FROM (
        SELECT t.*, (octet_length(t.traits) + octet_length(array_to_string(t.group_ids, '')) + (
            SELECT COALESCE(sum(octet_length(i.value)), 0) FROM identity AS i WHERE i.profile_id = t.profile_id
        ))::INT8 AS size
        FROM (
            SELECT r.position, q.profile_id, q.merged_from, q.traits::TEXT AS traits, q.version, q.created_at, q.updated_at,
                ARRAY(
                    SELECT DISTINCT i.value FROM unnest(q.merged_from || q.profile_id) AS t (id)
                    JOIN membership AS m ON m.profile_id = t.id
                    JOIN profile AS g ON g.project_id = m.project_id AND g.profile_id = m.group_id
                    JOIN identity AS i ON i.profile_id = COALESCE(g.merged_into, g.profile_id) AND i.kind = 'group_id'
                    ORDER BY i.value LIMIT 1000
                ) AS group_ids
            FROM (
                SELECT t.position, i.project_id, i.profile_id
                FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
                JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
                UNION ALL
                SELECT s.position, q.project_id, COALESCE(q.merged_into, q.profile_id)
                FROM unnest($5::INT4[], $6::INT4[], $7::UUID[]) AS s (position, project_id, profile_id)
                JOIN profile AS q ON q.project_id = s.project_id AND q.profile_id = s.profile_id
            ) AS r
            JOIN profile AS q ON q.project_id = r.project_id AND q.profile_id = r.profile_id
            OFFSET 0
        ) AS t
        OFFSET 0
    ) AS w
) AS p
WHERE p.taken - p.size < $8::INT8",
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
    /// The ids of the groups it belongs to, the first thousand of them.
    pub groups: Vec<String>,
}

/// A name of a profile, and since when it is known.
#[derive(Clone, Debug)]
pub struct KnownIdentity {
    pub identity: Identity,
    pub first_seen: Timestamp,
}

impl Store {
    /// The profiles that references lead to, in their order; `None` where one leads nowhere. Those behind the profile that
    /// reaches `most_bytes` are left out: the answer is shorter than the question then.
    pub async fn load_profiles(
        &self,
        project_id: ProjectId,
        references: &[Reference],
        most_bytes: usize,
    ) -> Result<Vec<Option<Profile>>, Error> {
        let asked = Asked::of(references);
        let name_projects = vec![project_id.0; asked.name_places.len()];
        let id_projects = vec![project_id.0; asked.id_places.len()];
        let most_bytes = most_bytes as i64;
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 8] = [
            &asked.name_places,
            &name_projects,
            &asked.kinds,
            &asked.values,
            &asked.id_places,
            &id_projects,
            &asked.ids,
            &most_bytes,
        ];
        let mut profiles = vec![None; references.len()];
        let (mut last, mut taken) = (0, 0);
        for row in &self.run(&LOAD_PROFILES, &params).await? {
            let place = row.get::<_, i32>(0) as usize;
            profiles[place] = Some(profile(row));
            (last, taken) = (last.max(place), taken.max(row.get::<_, i64>(12)));
        }
        if taken >= most_bytes {
            profiles.truncate(last + 1);
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
            .load_profiles(project_id, std::slice::from_ref(reference), 1)
            .await?;
        Ok(found.into_iter().next().flatten())
    }
}

/// References as a statement takes them, each with its place.
#[derive(Default)]
struct Asked<'a> {
    name_places: Vec<i32>,
    kinds: Vec<&'a str>,
    values: Vec<&'a str>,
    id_places: Vec<i32>,
    ids: Vec<Uuid>,
}

impl<'a> Asked<'a> {
    fn of(references: &'a [Reference]) -> Self {
        let mut asked = Self::default();
        for (place, reference) in (0_i32..).zip(references) {
            match reference {
                Reference::Id(id) => {
                    asked.id_places.push(place);
                    asked.ids.push(id.0);
                }
                // The answer to what is not asked for is that nobody is there.
                Reference::Name(name) if !name.can_be_held() => {}
                Reference::Name(name) => {
                    asked.name_places.push(place);
                    asked.kinds.push(name.kind.as_str());
                    asked.values.push(name.value.as_str());
                }
            }
        }
        asked
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
