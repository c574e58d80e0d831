//! Migrations: their state, every step that was taken, and what is measured before the next.

use super::params::JsonParam;
use super::profiles::timestamp;
use super::{Error, MigrationPlan, Statement, Store};
use crate::domain::migration::{Gate, State};
use crate::domain::migration_gates::Seen;
use crate::domain::reads::Reads;
use crate::domain::{Json, ProjectId, Timestamp};
use serde::Serialize;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

pub(super) const LOAD_MIGRATION: Statement = Statement {
    name: "load_migration",
    sql: "-- load_migration
SELECT state, version, mirrors, settings::TEXT, changed_at, EXTRACT(EPOCH FROM now() - changed_at)::INT8, reads::TEXT
FROM migration WHERE project_id = $1::INT4",
};

/// Takes a step by compare-and-set: no row comes back where somebody else took one first. With a step that begins a walk ($13), the
/// walk waits until no statement can be running any more that began before: by what this process may still do ($14), and by what
/// the nodes say of themselves. What was counted since the mirror began goes on over the step to whole documents.
pub(super) const TAKE_STEP: Statement = Statement {
    name: "take_step",
    sql: "-- take_step
WITH moved AS (
    INSERT INTO migration AS m (project_id, state, version, mirrors, document_kind, settings, changed_at, reads)
    VALUES ($1::INT4, $3::TEXT, 1, $4::BOOL, $5::TEXT, $6::JSONB, now(), $18::JSONB)
    ON CONFLICT (project_id) DO UPDATE SET state = excluded.state, version = m.version + 1, mirrors = excluded.mirrors,
        document_kind = excluded.document_kind, settings = excluded.settings, changed_at = excluded.changed_at,
        reads = excluded.reads
    WHERE m.version = $2::INT8
    RETURNING m.project_id, m.version
), walked AS (
    INSERT INTO mirror AS r (project_id, is_active, walk_at, walk_after, is_walked, is_whole, due_at, attempts, reason, published, foreign_writes, watched, watched_at, swept)
    SELECT moved.project_id, TRUE, now() + (GREATEST($14::FLOAT8, nodes.seconds) * '1 second'::INTERVAL), $15::UUID, FALSE, $17::BOOL, now(), 0, '', 0, 0, '{}', now() - '1 hour'::INTERVAL,
        jsonb_build_object('version', moved.version)
    FROM moved CROSS JOIN (
        SELECT COALESCE(max(h.in_flight_ms), 0)::FLOAT8 / 1000 AS seconds FROM heartbeat AS h
        WHERE h.beaten_at > now() - '30 seconds'::INTERVAL
    ) AS nodes WHERE $13::BOOL
    ON CONFLICT (project_id) DO UPDATE SET is_active = TRUE, walk_at = excluded.walk_at, walk_after = excluded.walk_after,
        is_walked = FALSE, is_whole = excluded.is_whole, due_at = excluded.due_at, attempts = 0, reason = '', published = CASE WHEN excluded.is_whole THEN r.published ELSE 0 END,
        foreign_writes = CASE WHEN excluded.is_whole THEN r.foreign_writes ELSE 0 END, watched = CASE WHEN excluded.is_whole THEN r.watched ELSE excluded.watched END, watched_at = excluded.watched_at, swept = excluded.swept
    RETURNING r.project_id
)
INSERT INTO migration_step (project_id, version, step_id, verb, from_state, to_state, operator, reason, is_forced, gates, taken_at)
SELECT moved.project_id, moved.version, $7::UUID, $8::TEXT, $9::TEXT, $3::TEXT, $10::TEXT, $11::TEXT, $12::BOOL, $16::JSONB, now() FROM moved
RETURNING version",
};

pub(super) const LOAD_STEPS: Statement = Statement {
    name: "load_steps",
    sql: "-- load_steps
SELECT version, step_id, verb, from_state, to_state, operator, reason, is_forced, gates::TEXT, taken_at
FROM migration_step WHERE project_id = $1::INT4 AND version > $2::INT8 ORDER BY version LIMIT $3::INT8",
};

/// As many as fit a screen.
pub(super) const LOAD_REFUSED_DOCUMENTS: Statement = Statement {
    name: "load_refused_documents",
    sql: "-- load_refused_documents
SELECT profile_id, reason, refused_at FROM mirror_refusal WHERE project_id = $1::INT4 LIMIT 10",
};

/// Of the backlog so many marks are counted at the most ($2). The relay takes its turn twice a second wherever it may run, and looks
/// at the store every ten seconds.
pub(super) const MEASURE_MIRROR: Statement = Statement {
    name: "measure_mirror",
    sql: "-- measure_mirror
SELECT r.is_walked AND r.swept IS NULL, r.published, r.foreign_writes, r.reason, o.backlog, o.lag, g.backlog, g.lag, f.refused,
    r.is_active AND NOT EXISTS (
        SELECT 1 FROM worker AS w WHERE w.name = 'mirror' AND GREATEST(w.expires_at, w.due_at) > now() - '30 seconds'::INTERVAL
    ), r.watched_at > now() - '60 seconds'::INTERVAL
FROM unnest($1::INT4[]) AS t (project_id)
LEFT JOIN mirror AS r ON r.project_id = t.project_id
CROSS JOIN LATERAL (
    SELECT count(*)::INT8 AS backlog, COALESCE(EXTRACT(EPOCH FROM now() - min(c.marked_at)), 0)::FLOAT8 AS lag
    FROM (SELECT marked_at FROM outbox WHERE project_id = t.project_id ORDER BY marked_at LIMIT $2::INT8) AS c
) AS o
CROSS JOIN LATERAL (
    SELECT count(*)::INT8 AS backlog, COALESCE(EXTRACT(EPOCH FROM now() - min(c.marked_at)), 0)::FLOAT8 AS lag
    FROM (SELECT marked_at FROM outbox_gone WHERE project_id = t.project_id AND looks = 0 LIMIT $2::INT8) AS c
) AS g
CROSS JOIN LATERAL (
    SELECT count(*)::INT8 AS refused FROM (SELECT profile_id FROM mirror_refusal WHERE project_id = t.project_id LIMIT $2::INT8) AS c
) AS f",
};

/// Nodes that live and do not mark.
pub(super) const COUNT_OLD_NODES: Statement = Statement {
    name: "count_old_nodes",
    sql: "-- count_old_nodes
SELECT count(*)::INT8 FROM heartbeat
WHERE beaten_at > now() - '30 seconds'::INTERVAL AND marking_node IS DISTINCT FROM node",
};

/// Of a backlog no more is counted.
const COUNTED: i64 = 10_000;

/// A migration as it stands.
#[derive(Clone, Debug)]
pub struct Migration {
    pub state: State,
    pub version: i64,
    pub mirrors: bool,
    pub plan: MigrationPlan,
    /// Where profiles are read from; `None` where nobody has said it.
    pub reads: Option<Reads>,
    pub changed_at: Timestamp,
    /// Seconds in this state.
    pub seconds: i64,
}

/// A step to be taken from a state that was read.
#[derive(Clone, Debug)]
pub struct MigrationStep<'a> {
    pub id: Uuid,
    pub verb: &'static str,
    pub from: Option<&'a Migration>,
    pub to: State,
    pub plan: &'a MigrationPlan,
    /// How profiles are read behind the step.
    pub reads: Option<Reads>,
    pub operator: &'a str,
    pub reason: &'a str,
    pub is_forced: bool,
    pub gates: &'a [Gate],
}

/// A step that was taken.
#[derive(Clone, Debug, Serialize)]
pub struct TakenStep {
    pub version: i64,
    #[serde(skip)]
    id: Uuid,
    pub verb: String,
    pub from: Option<String>,
    pub to: String,
    pub operator: String,
    pub reason: String,
    pub forced: bool,
    pub gates: Vec<Gate>,
    pub taken_at: String,
}

/// Somebody of whom the legacy store takes no document.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedDocument {
    pub profile_id: String,
    /// In the store's words, without what stands in the document.
    pub reason: String,
    pub refused_at: String,
}

/// How a mirror is, for who watches.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MirrorSeen {
    /// Marks that are not published; of more than ten thousand no more are counted.
    pub backlog: i64,
    /// Age of the oldest in seconds.
    pub lag_seconds: f64,
    /// Everybody was marked once, and all documents were looked at for people who were erased before.
    pub is_walked: bool,
    /// Documents sent since the mirror began.
    pub published: i64,
    pub refused: i64,
    pub foreign_writes: i64,
    /// No live node relays.
    #[serde(skip)]
    pub is_nobody_s: bool,
    /// The store was looked at within a minute, and answered.
    #[serde(skip)]
    pub is_watched: bool,
    /// Why it stands still; empty while it moves.
    pub reason: String,
}

impl Store {
    /// A project's migration, if there is one.
    pub async fn load_migration(&self, project_id: ProjectId) -> Result<Option<Migration>, Error> {
        let rows = self.run(&LOAD_MIGRATION, &[&project_id.0]).await?;
        rows.first().map(migration).transpose()
    }

    /// Takes a step; false where somebody else took one first.
    pub async fn take_step(
        &self,
        project_id: ProjectId,
        step: &MigrationStep<'_>,
    ) -> Result<bool, Error> {
        let before = step.from.map_or(0, |from| from.version);
        let did = step.from.is_some_and(|from| from.mirrors);
        let from = step.from.map(|from| from.state.as_str());
        let was_whole = step.from.is_some_and(|from| from.state.is_whole());
        let mirrors = step.to.mirrors(did);
        let is_whole = step.to.is_whole();
        let walks = step.to == State::Mirror || (is_whole && !was_whole);
        let (plan, gates) = (Json::of(step.plan), Json::of(&step.gates));
        let reads = step.reads.as_ref().map(Json::of);
        let params: [&(dyn ToSql + Sync); 18] = [
            &project_id.0,
            &before,
            &step.to.as_str(),
            &mirrors,
            &step.plan.noted_kind(),
            &JsonParam(&plan),
            &step.id,
            &step.verb,
            &from,
            &step.operator,
            &step.reason,
            &step.is_forced,
            &walks,
            &self.in_flight().as_secs_f64(),
            &Uuid::nil(),
            &JsonParam(&gates),
            &is_whole,
            &reads.as_ref().map(JsonParam),
        ];
        if !self.run(&TAKE_STEP, &params).await?.is_empty() {
            return Ok(true);
        }
        // It may have been this one, and its answer was lost.
        self.was_taken(project_id, before, step.id).await
    }

    /// True where the step behind a version is the one with that id.
    pub(super) async fn was_taken(
        &self,
        project_id: ProjectId,
        version: i64,
        id: Uuid,
    ) -> Result<bool, Error> {
        let since = self.migration_steps(project_id, version, 1).await?;
        Ok(since.first().is_some_and(|taken| taken.id == id))
    }

    /// The next steps that led beyond a version, the first first.
    pub async fn migration_steps(
        &self,
        project_id: ProjectId,
        version: i64,
        limit: i64,
    ) -> Result<Vec<TakenStep>, Error> {
        let params: [&(dyn ToSql + Sync); 3] = [&project_id.0, &version, &limit];
        let rows = self.run(&LOAD_STEPS, &params).await?;
        rows.iter().map(taken_step).collect()
    }

    /// Some of whom the legacy store takes no document.
    pub async fn refused_documents(
        &self,
        project_id: ProjectId,
    ) -> Result<Vec<RefusedDocument>, Error> {
        let rows = self.run(&LOAD_REFUSED_DOCUMENTS, &[&project_id.0]).await?;
        let one = |row: &Row| RefusedDocument {
            profile_id: row.get::<_, Uuid>(0).to_string(),
            reason: row.get(1),
            refused_at: timestamp(row, 2).to_string(),
        };
        Ok(rows.iter().map(one).collect())
    }

    /// How a project's mirror is.
    pub async fn measure_mirror(&self, project_id: ProjectId) -> Result<MirrorSeen, Error> {
        let counted = COUNTED + 1;
        let rows = self
            .run(&MEASURE_MIRROR, &[&[project_id.0].as_slice(), &counted])
            .await?;
        Ok(rows.first().map(mirror_seen).unwrap_or_default())
    }

    /// What is measured before a step of a migration, but for the backfill.
    pub async fn measure_migration(
        &self,
        project_id: ProjectId,
        migration: &Migration,
    ) -> Result<(Seen, MirrorSeen), Error> {
        let mirror = self.measure_mirror(project_id).await?;
        let old = self.run(&COUNT_OLD_NODES, &[]).await?;
        // Of a store that does not answer, or that nobody writes to, it is not known how it is.
        let known = mirror.is_watched && !mirror.is_nobody_s;
        let seen = Seen {
            nodes_without_marks: old.first().map(|row| row.get(0)),
            mirrors: migration.mirrors,
            backlog: known.then_some(mirror.backlog),
            lag_seconds: known.then_some(mirror.lag_seconds),
            is_walked: mirror.is_walked,
            refused_documents: Some(mirror.refused),
            foreign_writes: known.then_some(mirror.foreign_writes),
            seconds: migration.seconds,
            soak_seconds: migration.plan.soak_seconds,
            ..Seen::default()
        };
        Ok((seen, mirror))
    }

    /// What a node may still write that read before: until its deadline, and the database may go on for a statement.
    pub(super) fn in_flight(&self) -> Duration {
        self.deadline + self.statement_timeout + Duration::from_secs(1)
    }
}

pub(super) fn malformed(column: &'static str, reason: impl std::fmt::Display) -> Error {
    Error::Inconsistent {
        table: "migration",
        column,
        reason: reason.to_string(),
    }
}

fn migration(row: &Row) -> Result<Migration, Error> {
    let state = State::parse(row.get(0));
    Ok(Migration {
        state: state.ok_or_else(|| malformed("state", "it is none"))?,
        version: row.get(1),
        mirrors: row.get(2),
        plan: plan(row.get(3))?,
        reads: row.get::<_, Option<&str>>(6).map(reads).transpose()?,
        changed_at: timestamp(row, 4),
        seconds: row.get(5),
    })
}

/// Reads a plan as it is stored.
pub(super) fn plan(text: &str) -> Result<MigrationPlan, Error> {
    serde_json::from_str(text).map_err(|error| malformed("settings", error))
}

/// Reads where a project is read from, as it is stored.
pub(super) fn reads(text: &str) -> Result<Reads, Error> {
    serde_json::from_str(text).map_err(|error| malformed("reads", error))
}

fn taken_step(row: &Row) -> Result<TakenStep, Error> {
    Ok(TakenStep {
        version: row.get(0),
        id: row.get(1),
        verb: row.get(2),
        from: row.get(3),
        to: row.get(4),
        operator: row.get(5),
        reason: row.get(6),
        forced: row.get(7),
        gates: serde_json::from_str(row.get(8)).map_err(|error| malformed("gates", error))?,
        taken_at: timestamp(row, 9).to_string(),
    })
}

/// Told where nobody relays.
const NO_RELAY: &str = "no live node keeps legacy stores up: none has legacy.url, or legacy.topics";

fn mirror_seen(row: &Row) -> MirrorSeen {
    let is_nobody_s = row.get::<_, Option<bool>>(9).unwrap_or_default();
    let noted = row.get::<_, Option<String>>(3).unwrap_or_default();
    let count = |column| row.get::<_, Option<i64>>(column).unwrap_or_default();
    let lag = |column| row.get::<_, f64>(column);
    MirrorSeen {
        backlog: count(4) + count(6),
        lag_seconds: lag(5).max(lag(7)),
        is_walked: row.get::<_, Option<bool>>(0).unwrap_or_default(),
        published: count(1),
        refused: count(8),
        foreign_writes: count(2),
        is_nobody_s,
        is_watched: row.get::<_, Option<bool>>(10).unwrap_or_default(),
        reason: match is_nobody_s {
            true => NO_RELAY.to_owned(),
            false => noted,
        },
    }
}
