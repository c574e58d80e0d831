//! Erasing a person: what names them goes in one transaction, their events in bounded statements, and a sweep follows when
//! nothing that began before can be in flight any more.
//!
//! A row of `erasure_request` says what is left to do, so that any node can go on where another was killed. Every statement may
//! be repeated, also by two nodes at once.

use super::groups::DELETE_MEMBERSHIPS;
use super::params::JsonParam;
use super::profiles::{identity, timestamp};
use super::run::{Body, query};
use super::{Error, Statement, Store};
use crate::domain::erasure::{Erased, identity_hash};
use crate::domain::{Identity, IdentityKey, IdentityKind, Json, ProjectId, Timestamp};
use deadpool_postgres::Transaction;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Events erased by one statement: some ten milliseconds of work, so that nobody else waits for it.
const EVENTS_AT_ONCE: i64 = 500;

pub(super) const LOAD_SALT: Statement = Statement {
    name: "load_salt",
    sql: "-- load_salt\nSELECT salt FROM erasure_salt WHERE id = 1",
};

/// Tells which names were erased. Reads only.
pub(super) const LOAD_ERASED: Statement = Statement {
    name: "load_erased",
    sql: "-- load_erased
SELECT t.position, e.erased_at, e.is_forgotten
FROM unnest($1::INT4[], $2::INT4[], $3::BYTEA[]) AS t (position, project_id, identity_hash)
JOIN erasure AS e ON e.project_id = t.project_id AND e.identity_hash = t.identity_hash",
};

/// Locks the profiles that names lead to, but for names that somebody took over after the erasure.
pub(super) const LOCK_ERASED: Statement = Statement {
    name: "lock_erased",
    sql: "-- lock_erased
SELECT p.profile_id, p.merged_from
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = i.profile_id
WHERE i.not_before IS NULL OR i.not_before < $4::TIMESTAMPTZ
ORDER BY p.profile_id FOR UPDATE OF p",
};

/// Finds names that somebody brought back who did not know of the erasure yet.
pub(super) const FIND_RETURNED: Statement = Statement {
    name: "find_returned",
    sql: "-- find_returned
SELECT i.profile_id
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
WHERE i.not_before IS NULL OR i.not_before < $4::TIMESTAMPTZ
LIMIT 1",
};

pub(super) const DELETE_IDENTITIES: Statement = Statement {
    name: "delete_identities",
    sql: "-- delete_identities
DELETE FROM identity WHERE profile_id = ANY($1::UUID[]) RETURNING kind, value",
};

pub(super) const DELETE_PROFILES: Statement = Statement {
    name: "delete_profiles",
    sql: "-- delete_profiles
DELETE FROM profile WHERE project_id = $1::INT4 AND profile_id = ANY($2::UUID[])",
};

/// A later erasure of the same name moves the time on; a block stays with the erasure that set it, for whoever lifts it.
pub(super) const REMEMBER_ERASED: Statement = Statement {
    name: "remember_erased",
    sql: "-- remember_erased
INSERT INTO erasure AS e (project_id, identity_hash, erasure_id, erased_at, is_forgotten)
SELECT $1::INT4, t.identity_hash, $3::UUID, $4::TIMESTAMPTZ, $5::BOOL
FROM unnest($2::BYTEA[]) AS t (identity_hash)
ON CONFLICT (project_id, identity_hash) DO UPDATE SET
    erasure_id = CASE WHEN e.is_forgotten AND NOT excluded.is_forgotten THEN e.erasure_id ELSE excluded.erasure_id END,
    erased_at = GREATEST(e.erased_at, excluded.erased_at), is_forgotten = e.is_forgotten OR excluded.is_forgotten",
};

/// A repeat, and a sweep that found more, add to what is there.
pub(super) const RECORD_ERASURE: Statement = Statement {
    name: "record_erasure",
    sql: "-- record_erasure
INSERT INTO erasure_request AS r (project_id, erasure_id, requested_at, is_forgotten, identity_count, event_count, identities, profile_ids, sweep_at)
VALUES ($1::INT4, $2::UUID, $3::TIMESTAMPTZ, $4::BOOL, $5::INT8, 0, $6::JSONB, $7::UUID[], $8::TIMESTAMPTZ)
ON CONFLICT (project_id, erasure_id) DO UPDATE SET identity_count = r.identity_count + excluded.identity_count,
    identities = r.identities || excluded.identities, profile_ids = r.profile_ids || excluded.profile_ids,
    cleared_at = NULL
RETURNING profile_ids",
};

/// Empties some events. Their keys stay, with no word of whose they were or what they said, so that a copy that comes later is
/// known to be one.
pub(super) const ERASE_EVENTS: Statement = Statement {
    name: "erase_events",
    sql: "-- erase_events
WITH emptied AS (
    UPDATE event AS e SET profile_id = $2::UUID, type = 'erased', name = NULL, message_id = NULL,
        occurred_at = $4::TIMESTAMPTZ, received_at = $4::TIMESTAMPTZ, properties = '{}'::JSONB, context = '{}'::JSONB
    FROM (
        SELECT own.project_id, own.event_id
        FROM unnest($3::UUID[]) AS t (profile_id)
        CROSS JOIN LATERAL (
            SELECT project_id, event_id FROM event WHERE event.profile_id = t.profile_id AND event.project_id = $1::INT4 LIMIT $5::INT8
        ) AS own
        LIMIT $5::INT8
    ) AS d
    WHERE e.project_id = d.project_id AND e.event_id = d.event_id
    RETURNING e.event_id
), counted AS (
    UPDATE erasure_request SET event_count = event_count + (SELECT count(*) FROM emptied)
    WHERE project_id = $1::INT4 AND erasure_id = $2::UUID
    RETURNING erasure_id
)
SELECT count(*)::INT8 FROM emptied",
};

pub(super) const DELETE_CONFLICTS: Statement = Statement {
    name: "delete_conflicts",
    sql: "-- delete_conflicts
DELETE FROM conflict WHERE owner_id = ANY($1::UUID[]) OR claimant_id = ANY($1::UUID[])",
};

pub(super) const MARK_CLEARED: Statement = Statement {
    name: "mark_cleared",
    sql: "-- mark_cleared
UPDATE erasure_request SET cleared_at = COALESCE(cleared_at, now()) WHERE project_id = $1::INT4 AND erasure_id = $2::UUID",
};

/// From here on nothing of the person is left, not even the names.
pub(super) const MARK_FINISHED: Statement = Statement {
    name: "mark_finished",
    sql: "-- mark_finished
UPDATE erasure_request SET finished_at = now(), identities = '[]'::JSONB, profile_ids = ARRAY[]::UUID[]
WHERE project_id = $1::INT4 AND erasure_id = $2::UUID AND finished_at IS NULL",
};

pub(super) const OPEN_ERASURES: Statement = Statement {
    name: "open_erasures",
    sql: "-- open_erasures
SELECT project_id, erasure_id, requested_at, is_forgotten, identities::TEXT, profile_ids
FROM erasure_request WHERE finished_at IS NULL AND sweep_at <= now()
ORDER BY sweep_at LIMIT $1::INT8",
};

pub(super) const LOAD_ERASURE: Statement = Statement {
    name: "load_erasure",
    sql: "-- load_erasure
SELECT erasure_id, requested_at, is_forgotten, identity_count, event_count, cleared_at, finished_at
FROM erasure_request WHERE project_id = $1::INT4 AND erasure_id = $2::UUID",
};

/// Lifts the block from every name of the person; that they were erased stays.
pub(super) const LIFT_BLOCK: Statement = Statement {
    name: "lift_block",
    sql: "-- lift_block
UPDATE erasure SET is_forgotten = FALSE
WHERE project_id = $1::INT4 AND erasure_id = (SELECT e.erasure_id FROM erasure AS e WHERE e.project_id = $1::INT4 AND e.identity_hash = $2::BYTEA)
RETURNING erasure_id",
};

/// Somebody to be erased.
#[derive(Clone, Debug)]
pub struct ErasureRequest {
    pub project_id: ProjectId,
    pub id: Uuid,
    pub at: Timestamp,
    pub is_forgotten: bool,
    /// Names that lead to the person, or would.
    pub identities: Vec<Identity>,
    /// Profiles found so far.
    pub profiles: Vec<Uuid>,
}

/// What can be shown of an erasure, also to the person.
#[derive(Debug)]
pub struct Erasure {
    pub id: Uuid,
    pub requested_at: Timestamp,
    pub is_forgotten: bool,
    pub identities: i64,
    pub events: i64,
    /// When the last event was gone.
    pub cleared_at: Option<Timestamp>,
    /// When nothing could be in flight any more.
    pub finished_at: Option<Timestamp>,
}

/// A request with the time of its sweep and the salt, as the transaction needs it.
struct Task<'a> {
    request: &'a ErasureRequest,
    sweep_at: Timestamp,
    salt: Uuid,
}

impl Store {
    /// What is remembered of these names, where anything is.
    pub async fn load_erased(
        &self,
        asked: &[&IdentityKey],
    ) -> Result<HashMap<IdentityKey, Erased>, Error> {
        let salt = self.salt().await?;
        let positions: Vec<i32> = (0..).take(asked.len()).collect();
        let projects: Vec<i32> = asked.iter().map(|key| key.0.0).collect();
        let hashes: Vec<_> = asked.iter().map(|key| identity_hash(salt, key)).collect();
        let rows = self
            .run(&LOAD_ERASED, &[&positions, &projects, &hashes])
            .await?;
        let erased = |row: &Row| {
            let key = asked[row.get::<_, i32>(0) as usize].clone();
            let (at, is_forgotten) = (timestamp(row, 1), row.get(2));
            (key, Erased { at, is_forgotten })
        };
        Ok(rows.iter().map(erased).collect())
    }

    async fn salt(&self) -> Result<Uuid, Error> {
        let load = async || {
            let rows = self.run(&LOAD_SALT, &[]).await?;
            let salt = rows.first().map(|row| row.get(0));
            salt.ok_or_else(|| Error::Inconsistent {
                table: "erasure_salt",
                column: "salt",
                reason: "there is none: every erased name would be unknown".to_owned(),
            })
        };
        self.salt.get_or_try_init(load).await.copied()
    }

    /// Takes a person's names and traits away, and remembers the names by their hashes; returns the profiles whose events are
    /// left for `clear`.
    pub async fn erase(&self, request: &ErasureRequest) -> Result<Vec<Uuid>, Error> {
        // Who read that the person is there may write until its deadline, and the database may go on for a statement.
        let in_flight = self.deadline + self.statement_timeout + Duration::from_secs(1);
        let task = Task {
            request,
            sweep_at: request.at.plus(in_flight),
            salt: self.salt().await?,
        };
        self.run_tx("erase", &task, |tx, task| body(tx, task)).await
    }

    /// Empties the events of the profiles until none is left or the time is over; tells whether none is left.
    pub async fn clear(&self, request: &ErasureRequest, until: Instant) -> Result<bool, Error> {
        let (project, id) = (request.project_id.0, request.id);
        let profiles = &request.profiles;
        loop {
            let params: [&(dyn ToSql + Sync); 5] = [
                &project,
                &id,
                profiles,
                &request.at.instant(),
                &EVENTS_AT_ONCE,
            ];
            let rows = self.run(&ERASE_EVENTS, &params).await?;
            if rows.first().is_none_or(|row| row.get::<_, i64>(0) == 0) {
                break;
            }
            if Instant::now() >= until {
                return Ok(false);
            }
        }
        self.run(&DELETE_CONFLICTS, &[profiles]).await?;
        self.run(&DELETE_MEMBERSHIPS, &[profiles]).await?;
        self.run(&MARK_CLEARED, &[&project, &id]).await?;
        Ok(true)
    }

    /// Removes what was in flight when the person was erased, once nothing can be in flight any more; tells whether all is done.
    pub async fn sweep(&self, request: &ErasureRequest, until: Instant) -> Result<bool, Error> {
        let (projects, kinds, values) = columns(request);
        let at = request.at.instant();
        let back = self
            .run(&FIND_RETURNED, &[&projects, &kinds, &values, &at])
            .await?;
        if !back.is_empty() {
            self.erase(request).await?;
            return Ok(false);
        }
        if !self.clear(request, until).await? {
            return Ok(false);
        }
        self.run(&MARK_FINISHED, &[&request.project_id.0, &request.id])
            .await?;
        Ok(true)
    }

    /// Erasures whose sweep is due.
    pub async fn open_erasures(&self, limit: i64) -> Result<Vec<ErasureRequest>, Error> {
        let rows = self.run(&OPEN_ERASURES, &[&limit]).await?;
        rows.iter().map(open_request).collect()
    }

    /// The receipt of an erasure.
    pub async fn load_erasure(
        &self,
        project_id: ProjectId,
        id: Uuid,
    ) -> Result<Option<Erasure>, Error> {
        let rows = self.run(&LOAD_ERASURE, &[&project_id.0, &id]).await?;
        Ok(rows.first().map(erasure))
    }

    /// Lifts a person's block; the erasure's id, where there was one.
    pub async fn lift_block(&self, key: &IdentityKey) -> Result<Option<Uuid>, Error> {
        let hash = identity_hash(self.salt().await?, key);
        let rows = self.run(&LIFT_BLOCK, &[&key.0.0, &hash]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }
}

fn body<'a>(tx: &'a Transaction<'a>, task: &'a Task<'a>) -> Body<'a, Vec<Uuid>> {
    Box::pin(async move {
        let request = task.request;
        let (projects, kinds, values) = columns(request);
        let at = request.at.instant();
        let found = query(tx, &LOCK_ERASED, &[&projects, &kinds, &values, &at]).await?;
        let mut profiles = BTreeSet::<Uuid>::new();
        for row in &found {
            profiles.insert(row.get(0));
            profiles.extend(row.get::<_, Vec<Uuid>>(1));
        }
        let profiles: Vec<Uuid> = profiles.into_iter().collect();
        let taken = query(tx, &DELETE_IDENTITIES, &[&profiles]).await?;
        let mut names: BTreeSet<Identity> = taken.iter().map(identity).collect();
        names.extend(request.identities.iter().cloned());
        query(tx, &DELETE_PROFILES, &[&request.project_id.0, &profiles]).await?;
        remember(tx, task, &names).await?;
        record(tx, task, &names, taken.len() as i64, &profiles).await
    })
}

fn columns(request: &ErasureRequest) -> (Vec<i32>, Vec<&str>, Vec<&str>) {
    let names = &request.identities;
    (
        vec![request.project_id.0; names.len()],
        names.iter().map(|name| name.kind.as_str()).collect(),
        names.iter().map(|name| name.value.as_str()).collect(),
    )
}

async fn remember(
    tx: &Transaction<'_>,
    task: &Task<'_>,
    names: &BTreeSet<Identity>,
) -> Result<(), Error> {
    let request = task.request;
    let hash = |name: &Identity| identity_hash(task.salt, &(request.project_id, name.clone()));
    let hashes: Vec<Vec<u8>> = names.iter().map(hash).collect();
    let (project, at) = (request.project_id.0, request.at.instant());
    let params: [&(dyn ToSql + Sync); 5] =
        [&project, &hashes, &request.id, &at, &request.is_forgotten];
    query(tx, &REMEMBER_ERASED, &params).await.map(drop)
}

async fn record(
    tx: &Transaction<'_>,
    task: &Task<'_>,
    names: &BTreeSet<Identity>,
    taken: i64,
    profiles: &[Uuid],
) -> Result<Vec<Uuid>, Error> {
    let request = task.request;
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.kind.as_str(), name.value.as_str()))
        .collect();
    let identities = Json::of(&pairs);
    let params: [&(dyn ToSql + Sync); 8] = [
        &request.project_id.0,
        &request.id,
        &request.at.instant(),
        &request.is_forgotten,
        &taken,
        &JsonParam(&identities),
        &profiles,
        &task.sweep_at.instant(),
    ];
    let rows = query(tx, &RECORD_ERASURE, &params).await?;
    Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
}

fn open_request(row: &Row) -> Result<ErasureRequest, Error> {
    let text: String = row.get(4);
    let pairs: BTreeSet<(String, String)> =
        serde_json::from_str(&text).map_err(|error| Error::Inconsistent {
            table: "erasure_request",
            column: "identities",
            reason: error.to_string(),
        })?;
    let name = |(kind, value): (String, String)| Identity {
        kind: IdentityKind::parse(&kind),
        value,
    };
    Ok(ErasureRequest {
        project_id: ProjectId(row.get(0)),
        id: row.get(1),
        at: timestamp(row, 2),
        is_forgotten: row.get(3),
        identities: pairs.into_iter().map(name).collect(),
        profiles: row.get(5),
    })
}

fn erasure(row: &Row) -> Erasure {
    let time = |column| {
        row.get::<_, Option<jiff::Timestamp>>(column)
            .map(Timestamp::new)
    };
    Erasure {
        id: row.get(0),
        requested_at: timestamp(row, 1),
        is_forgotten: row.get(2),
        identities: row.get(3),
        events: row.get(4),
        cleared_at: time(5),
        finished_at: time(6),
    }
}
