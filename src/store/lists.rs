//! Static lists: which there are, and who is in them.
//!
//! Whether somebody is in a list is a trait of theirs, so that it converges, merges and is erased as all traits are. The table of members
//! only tells where to look: a row for each profile that was ever written with the list, by whatever road. Who left has a row still, and
//! so has a profile that was merged into another; the trait of whom it leads to decides.

use super::params::profile_columns;
use super::profiles::timestamp;
use super::worker::{held, holds_turn};
use super::{Error, Statement, Store};
use crate::domain::{ProfileKey, ProjectId, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Lists that one project may have: they are shown whole.
pub const MOST_LISTS: i64 = 10_000;
/// The largest number of a list: of as many digits as any that is looked for (`note_members`).
pub const LARGEST_LIST_ID: i32 = 999_999_999;
/// Profiles that are looked at by one statement.
const MEMBERS_AT_ONCE: i64 = 2_000;
const MAX_RACES: usize = 20;

/// Draws the next number, or takes the one that is said; no row comes back where that is taken, or the project has no room for more. The
/// largest number ($5), which somebody may have brought along, does not end the drawing. A repeat finds what it made ($6).
pub(super) const CREATE_LIST: Statement = Statement {
    name: "create_list",
    sql: "-- create_list
WITH before AS (
    SELECT l.list_id FROM static_list AS l WHERE l.project_id = ANY($1::INT4[]) AND l.made_by = $6::UUID
), made AS (
    INSERT INTO static_list (project_id, list_id, name, made_by)
    SELECT t.project_id, COALESCE(t.list_id, (SELECT COALESCE(max(l.list_id), 0) + 1 FROM static_list AS l WHERE l.project_id = t.project_id AND l.list_id < $5::INT4))::INT4, t.name, $6::UUID
    FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[]) AS t (project_id, list_id, name)
    WHERE (SELECT count(*) FROM static_list AS l WHERE l.project_id = t.project_id AND l.deleted_at IS NULL) < $4::INT8
        AND NOT EXISTS (SELECT 1 FROM before)
    ON CONFLICT (project_id, list_id) DO NOTHING
    RETURNING list_id
)
SELECT list_id FROM before UNION ALL SELECT list_id FROM made",
};

pub(super) const LOAD_LISTS: Statement = Statement {
    name: "load_lists",
    sql: "-- load_lists
SELECT l.list_id, l.name, l.created_at
FROM unnest($1::INT4[]) AS t (project_id)
JOIN static_list AS l ON l.project_id = t.project_id
WHERE l.deleted_at IS NULL ORDER BY l.list_id LIMIT $2::INT8",
};

pub(super) const FIND_LIST: Statement = Statement {
    name: "find_list",
    sql: "-- find_list
SELECT l.list_id
FROM unnest($1::INT4[], $2::INT4[]) AS t (project_id, list_id)
JOIN static_list AS l ON l.project_id = t.project_id AND l.list_id = t.list_id
WHERE l.deleted_at IS NULL",
};

pub(super) const DELETE_LIST: Statement = Statement {
    name: "delete_list",
    sql: "-- delete_list
UPDATE static_list AS l SET deleted_at = now()
FROM unnest($1::INT4[], $2::INT4[]) AS t (project_id, list_id)
WHERE l.project_id = t.project_id AND l.list_id = t.list_id AND l.deleted_at IS NULL
RETURNING l.list_id",
};

/// Notes where the lists that profiles have now are to be looked for. Idempotent.
pub(super) const NOTE_MEMBERS: Statement = Statement {
    name: "note_members",
    sql: "-- note_members
INSERT INTO static_list_member (project_id, list_id, profile_id)
SELECT DISTINCT t.project_id, CASE WHEN e.list_id ~ '^[0-9]{1,9}$' THEN e.list_id::INT4 END, t.profile_id
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
CROSS JOIN LATERAL jsonb_array_elements_text(
    CASE WHEN jsonb_typeof(p.traits -> 'emailListIds') = 'array' THEN p.traits -> 'emailListIds' ELSE '[]'::JSONB END
) AS e (list_id)
WHERE e.list_id ~ '^[0-9]{1,9}$'
ORDER BY 1, 2, 3
ON CONFLICT (project_id, list_id, profile_id) DO NOTHING",
};

/// Of an erased person.
pub(super) const LEAVE_LISTS: Statement = Statement {
    name: "leave_lists",
    sql: concat!(
        "-- leave_lists\nWITH ",
        held!("$2", "$3"),
        "\nDELETE FROM static_list_member WHERE profile_id = ANY($1::UUID[]) AND ",
        holds_turn!("$2")
    ),
};

/// The profiles that may be in a list, in the order of their ids, and whether they are. Of several that became one person only the
/// first counts.
macro_rules! looked_at {
    () => {
        "SELECT m.profile_id, s.profile_id AS person_id, s.traits,
        COALESCE(s.traits -> 'emailListIds', '[]'::JSONB) @> jsonb_build_array(t.list_id) AND CASE
            WHEN s.profile_id = m.profile_id AND s.merged_from = ARRAY[]::UUID[] THEN TRUE
            ELSE NOT EXISTS (
                SELECT 1 FROM unnest(array_append(s.merged_from, s.profile_id)) AS o (profile_id)
                CROSS JOIN LATERAL (
                    SELECT 1 FROM static_list_member AS x
                    WHERE x.project_id = t.project_id AND x.list_id = t.list_id AND x.profile_id = o.profile_id LIMIT 1
                ) AS noted
                WHERE o.profile_id < m.profile_id
            )
        END AS is_in
    FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (project_id, list_id, after)
    CROSS JOIN LATERAL (
        SELECT c.profile_id FROM static_list_member AS c
        WHERE c.project_id = t.project_id AND c.list_id = t.list_id AND c.profile_id > t.after
        ORDER BY c.profile_id LIMIT $4::INT8
    ) AS m
    LEFT JOIN LATERAL (
        SELECT w.profile_id, w.merged_into FROM profile AS w WHERE w.project_id = t.project_id AND w.profile_id = m.profile_id LIMIT 1
    ) AS p ON TRUE
    LEFT JOIN LATERAL (
        SELECT w.profile_id, w.traits, w.merged_from FROM profile AS w
        WHERE w.project_id = t.project_id AND w.profile_id = COALESCE(p.merged_into, p.profile_id) LIMIT 1
    ) AS s ON TRUE"
    };
}

/// The name that was stated last, else the first; an address that stands for none comes after all others.
pub(super) const LIST_MEMBERS: Statement = Statement {
    name: "list_members",
    sql: concat!(
        "-- list_members
SELECT l.profile_id, l.is_in,
    CASE WHEN l.is_in THEN (
        SELECT i.value FROM identity AS i WHERE i.profile_id = l.person_id AND i.kind = 'email'
        ORDER BY i.value <> lower(btrim(COALESCE(l.traits ->> 'email', ''))), i.value LIKE '%@placeholder.email', i.first_seen, i.value LIMIT 1
    ) END,
    CASE WHEN l.is_in THEN (
        SELECT i.value FROM identity AS i WHERE i.profile_id = l.person_id AND i.kind = 'user_id'
        ORDER BY i.value <> btrim(COALESCE(l.traits ->> 'userId', '')), i.first_seen, i.value LIMIT 1
    ) END
FROM (
    ",
        looked_at!(),
        "
) AS l ORDER BY l.profile_id"
    ),
};

pub(super) const COUNT_MEMBERS: Statement = Statement {
    name: "count_members",
    sql: concat!(
        "-- count_members
SELECT count(*)::INT8, COALESCE(sum(CASE WHEN l.is_in THEN 1 ELSE 0 END), 0)::INT8,
    (array_agg(l.profile_id ORDER BY l.profile_id DESC))[1]
FROM (
    ",
        looked_at!(),
        "
) AS l"
    ),
};

/// A list as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticList {
    pub id: i32,
    pub name: String,
    pub created_at: Timestamp,
}

/// Somebody in a list, by the names that are shown of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListMember {
    pub email: Option<String>,
    pub user_id: Option<String>,
}

/// A list of a project.
pub type ListKey = (ProjectId, i32);

impl Store {
    /// Makes a list, under a number of one's own or the next; `None` where the number is taken or the project has no room for more.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn create_list(
        &self,
        project_id: ProjectId,
        id: Option<i32>,
        name: &str,
    ) -> Result<Option<i32>, Error> {
        let tries = if id.is_some() { 1 } else { MAX_RACES };
        let made_by = Uuid::new_v4();
        for _ in 0..tries {
            let (projects, ids, names) = ([project_id.0], [id], [name]);
            let params: [&(dyn ToSql + Sync); 6] = [
                &projects.as_slice(),
                &ids.as_slice(),
                &names.as_slice(),
                &MOST_LISTS,
                &LARGEST_LIST_ID,
                &made_by,
            ];
            let rows = self.run(&CREATE_LIST, &params).await?;
            if let Some(row) = rows.first() {
                return Ok(Some(row.get(0)));
            }
        }
        Ok(None)
    }

    /// The lists of a project that are there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_lists(&self, project_id: ProjectId) -> Result<Vec<StaticList>, Error> {
        let projects = [project_id.0];
        let rows = self
            .run(&LOAD_LISTS, &[&projects.as_slice(), &MOST_LISTS])
            .await?;
        let list = |row: &Row| StaticList {
            id: row.get(0),
            name: row.get(1),
            created_at: timestamp(row, 2),
        };
        Ok(rows.iter().map(list).collect())
    }

    /// True of a list that is there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_list(&self, key: ListKey) -> Result<bool, Error> {
        let (projects, ids) = ([key.0.0], [key.1]);
        let params: [&(dyn ToSql + Sync); 2] = [&projects.as_slice(), &ids.as_slice()];
        Ok(!self.run(&FIND_LIST, &params).await?.is_empty())
    }

    /// Deletes a list; false where there is none. Its number stays on the profiles that have it.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_list(&self, key: ListKey) -> Result<bool, Error> {
        let (projects, ids) = ([key.0.0], [key.1]);
        let params: [&(dyn ToSql + Sync); 2] = [&projects.as_slice(), &ids.as_slice()];
        Ok(!self.run(&DELETE_LIST, &params).await?.is_empty())
    }

    /// Notes of profiles in which lists they are to be looked for.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn note_members(&self, profiles: &[ProfileKey]) -> Result<(), Error> {
        let (projects, ids) = profile_columns(profiles);
        self.run(&NOTE_MEMBERS, &[&projects, &ids]).await.map(drop)
    }

    /// Who of the next profiles behind one is in a list, and behind whom to go on; the last page has nobody to go on behind.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_members(
        &self,
        key: ListKey,
        after: Uuid,
    ) -> Result<(Vec<ListMember>, Option<Uuid>), Error> {
        let rows = self.look(&LIST_MEMBERS, key, after).await?;
        let is_full = rows.len() as i64 == MEMBERS_AT_ONCE;
        let next = rows.last().filter(|_| is_full).map(|row| row.get(0));
        let is_in = |row: &&Row| row.get::<_, Option<bool>>(1) == Some(true);
        let member = |row: &Row| ListMember {
            email: row.get(2),
            user_id: row.get(3),
        };
        Ok((rows.iter().filter(is_in).map(member).collect(), next))
    }

    /// How many of the next profiles behind one are in a list, and behind whom to go on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_members(
        &self,
        key: ListKey,
        after: Uuid,
    ) -> Result<(i64, Option<Uuid>), Error> {
        let rows = self.look(&COUNT_MEMBERS, key, after).await?;
        let (looked_at, members): (i64, i64) = (rows[0].get(0), rows[0].get(1));
        let last: Option<Uuid> = rows[0].get(2);
        Ok((members, last.filter(|_| looked_at == MEMBERS_AT_ONCE)))
    }

    async fn look(
        &self,
        statement: &'static Statement,
        key: ListKey,
        after: Uuid,
    ) -> Result<Vec<Row>, Error> {
        let (projects, ids, after) = ([key.0.0], [key.1], [after]);
        let params: [&(dyn ToSql + Sync); 4] = [
            &projects.as_slice(),
            &ids.as_slice(),
            &after.as_slice(),
            &MEMBERS_AT_ONCE,
        ];
        self.run(statement, &params).await
    }
}
