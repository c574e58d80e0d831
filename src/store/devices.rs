//! Who has a device, by its token.
//!
//! That somebody has it is a trait of theirs, kept by token, so that it converges, merges and is erased as all traits are. The table of
//! holders only tells where to look, as that of a list's members does (`lists`): the trait of whom a row leads to decides.

use super::params::profile_columns;
use super::worker::{held, holds_turn};
use super::{Error, Statement, Store};
use crate::domain::elements::MOST_DEVICES;
use crate::domain::{Identity, IdentityKind, Json, ProfileKey, ProjectId};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Profiles that are looked at by one statement: a device is as large as a trait may be.
const HOLDERS_AT_ONCE: i64 = 10;

/// Notes where the devices that profiles have now are to be looked for: as many as Iterable's API lets somebody have, since anybody may send
/// a trait of this name with a hundred thousand keys. Idempotent.
pub(super) const NOTE_HOLDERS: Statement = Statement {
    name: "note_holders",
    sql: "-- note_holders
INSERT INTO device_holder (project_id, token_hash, profile_id)
SELECT DISTINCT t.project_id, md5(d.token), t.profile_id
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
CROSS JOIN LATERAL (
    SELECT e.key AS token
    FROM jsonb_each(CASE WHEN jsonb_typeof(p.traits -> 'devices') = 'object' THEN p.traits -> 'devices' ELSE '{}'::JSONB END) AS e (key, value)
    WHERE jsonb_typeof(e.value) = 'object'
    LIMIT $3::INT8
) AS d
ORDER BY 1, 2, 3
ON CONFLICT (project_id, token_hash, profile_id) DO NOTHING",
};

/// Of an erased person.
pub(super) const LEAVE_DEVICES: Statement = Statement {
    name: "leave_devices",
    sql: concat!(
        "-- leave_devices\nWITH ",
        held!("$2", "$3"),
        "\nDELETE FROM device_holder WHERE profile_id = ANY($1::UUID[]) AND ",
        holds_turn!("$2")
    ),
};

/// Reads only. Who of the next profiles behind one has a device that is on, with a name: whoever was merged into another is that one.
pub(super) const FIND_HOLDERS: Statement = Statement {
    name: "find_holders",
    sql: "-- find_holders
SELECT h.profile_id, n.kind, n.value, CASE
    WHEN s.traits -> 'devices' -> t.token -> 'endpointEnabled' IS DISTINCT FROM 'false'::JSONB
        AND jsonb_typeof(s.traits -> 'devices' -> t.token) = 'object' THEN (s.traits -> 'devices' -> t.token)::TEXT
    END
FROM unnest($1::INT4[], $2::TEXT[], $3::UUID[]) AS t (project_id, token, after)
CROSS JOIN LATERAL (
    SELECT c.profile_id FROM device_holder AS c
    WHERE c.project_id = t.project_id AND c.token_hash = md5(t.token) AND c.profile_id > t.after
    ORDER BY c.profile_id LIMIT $5::INT8
) AS h
LEFT JOIN LATERAL (
    SELECT w.profile_id, w.merged_into FROM profile AS w WHERE w.project_id = t.project_id AND w.profile_id = h.profile_id LIMIT 1
) AS p ON TRUE
LEFT JOIN LATERAL (
    SELECT w.profile_id, w.traits FROM profile AS w
    WHERE w.project_id = t.project_id AND w.profile_id = COALESCE(p.merged_into, p.profile_id) LIMIT 1
) AS s ON TRUE
LEFT JOIN LATERAL (
    SELECT i.kind, i.value FROM identity AS i WHERE i.profile_id = s.profile_id AND i.kind = ANY($4::TEXT[])
    ORDER BY i.kind DESC, i.first_seen, i.value LIMIT 1
) AS n ON TRUE
ORDER BY h.profile_id",
};

/// Somebody who has a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// A name that leads to them.
    pub name: Identity,
    /// What is known of the device.
    pub device: Json,
}

impl Store {
    /// Notes of profiles which devices they have.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn note_holders(&self, profiles: &[ProfileKey]) -> Result<(), Error> {
        let (projects, ids) = profile_columns(profiles);
        let most = MOST_DEVICES as i64;
        self.run(&NOTE_HOLDERS, &[&projects, &ids, &most])
            .await
            .map(drop)
    }

    /// Who of the next profiles behind one has a device that is on, as far as they have a user id or an email, and behind whom to go on;
    /// the last page has nobody to go on behind.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_holders(
        &self,
        project_id: ProjectId,
        token: &str,
        after: Uuid,
    ) -> Result<(Vec<Holder>, Option<Uuid>), Error> {
        let kinds = [IdentityKind::UserId, IdentityKind::Email];
        let kinds: Vec<&str> = kinds.iter().map(IdentityKind::as_str).collect();
        let (projects, tokens, places) = ([project_id.0], [token], [after]);
        let params: [&(dyn ToSql + Sync); 5] = [
            &projects.as_slice(),
            &tokens.as_slice(),
            &places.as_slice(),
            &kinds,
            &HOLDERS_AT_ONCE,
        ];
        let rows = self.run(&FIND_HOLDERS, &params).await?;
        let is_full = rows.len() as i64 == HOLDERS_AT_ONCE;
        let next = rows.last().filter(|_| is_full).map(|row| row.get(0));
        Ok((rows.iter().filter_map(holder).collect(), next))
    }
}

fn holder(row: &Row) -> Option<Holder> {
    let kind: Option<&str> = row.get(1);
    let (value, device): (Option<String>, Option<String>) = (row.get(2), row.get(3));
    Some(Holder {
        name: Identity {
            kind: IdentityKind::parse(kind?),
            value: value?,
        },
        device: Json::from_database(device?),
    })
}
