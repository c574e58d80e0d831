//! The texts by which files are fetched; `pulls.rs` and `schedules.rs` run them.

use super::Statement;
use super::worker::held;

pub(super) const CREATE_PULL: Statement = Statement {
    name: "create_pull",
    sql: "-- create_pull
INSERT INTO import_pull (project_id, job_id, source, address, attempts, created_at, due_at)
VALUES ($1::INT4, $2::UUID, $3::TEXT, $4::TEXT, 0, now(), now())
ON CONFLICT (project_id, job_id) DO NOTHING",
};

pub(super) const LOAD_PULL: Statement = Statement {
    name: "load_pull",
    sql: "-- load_pull
SELECT source, size, attempts FROM import_pull WHERE project_id = $1::INT4 AND job_id = $2::UUID",
};

/// Says where a file is by now, and that it is to be tried at once.
pub(super) const RENEW_PULL: Statement = Statement {
    name: "renew_pull",
    sql: "-- renew_pull
UPDATE import_pull SET source = $3::TEXT, address = $4::TEXT, attempts = 0, due_at = now()
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND finished_at IS NULL
RETURNING job_id",
};

/// Those that waited longest first, with the state of their jobs; NULL where a job is gone.
pub(super) const DUE_PULLS: Statement = Statement {
    name: "due_pulls",
    sql: "-- due_pulls
SELECT p.project_id, p.job_id, COALESCE(p.address, p.source), p.tag, p.size, p.attempts, p.finished_at IS NOT NULL, j.state, o.name
FROM import_pull AS p
JOIN project AS o ON o.project_id = p.project_id
LEFT JOIN import_job AS j ON j.project_id = p.project_id AND j.job_id = p.job_id
WHERE p.due_at <= now()
ORDER BY p.due_at LIMIT $1::INT8",
};

/// Notes what a file is, how it went, and when it is due again; the address goes with the end.
pub(super) const NOTE_PULL: Statement = Statement {
    name: "note_pull",
    sql: concat!(
        "-- note_pull\nWITH ",
        held!("$1", "$2"),
        "
UPDATE import_pull SET \"tag\" = $5::TEXT, size = $6::INT8, attempts = $7::INT4, due_at = now() + ($8::FLOAT8 * '1 second'::INTERVAL),
    finished_at = CASE WHEN $9::BOOL THEN now() END, address = CASE WHEN $9::BOOL THEN NULL ELSE address END
WHERE project_id = $3::INT4 AND job_id = $4::UUID AND finished_at IS NULL AND EXISTS (SELECT 1 FROM held)
RETURNING job_id"
    ),
};

pub(super) const FORGET_PULL: Statement = Statement {
    name: "forget_pull",
    sql: "-- forget_pull
DELETE FROM import_pull WHERE project_id = $1::INT4 AND job_id = $2::UUID AND finished_at IS NOT NULL AND due_at <= now()",
};

/// A project has so many at the most. A repeat finds its own.
pub(super) const CREATE_SCHEDULE: Statement = Statement {
    name: "create_schedule",
    sql: "-- create_schedule
INSERT INTO import_schedule (project_id, schedule_id, cron, time_zone, source, address, layout, mapping, created_at, due_at, runs, skipped,
    reason)
SELECT $1::INT4, $2::UUID, $3::TEXT, $4::TEXT, $5::TEXT, $6::TEXT, $7::TEXT, $8::TEXT, now(), $9::TIMESTAMPTZ, 0, 0, ''
WHERE (SELECT count(*) FROM import_schedule AS s WHERE s.project_id = $1::INT4 AND s.schedule_id <> $2::UUID) < $10::INT8
ON CONFLICT (project_id, schedule_id) DO UPDATE SET cron = excluded.cron
RETURNING schedule_id",
};

macro_rules! columns {
    () => {
        "s.schedule_id, s.cron, s.time_zone, s.source, s.created_at, s.due_at, s.last_at, s.last_job, s.runs, s.skipped, s.reason"
    };
}

pub(super) const LOAD_SCHEDULES: Statement = Statement {
    name: "load_schedules",
    sql: concat!(
        "-- load_schedules\nSELECT ",
        columns!(),
        " FROM import_schedule AS s WHERE s.project_id = $1::INT4 ORDER BY s.schedule_id LIMIT $2::INT8"
    ),
};

/// Ends one, with what it remembers. Jobs that it began go on.
pub(super) const DELETE_SCHEDULE: Statement = Statement {
    name: "delete_schedule",
    sql: "-- delete_schedule
WITH gone AS (
    DELETE FROM import_schedule WHERE project_id = $1::INT4 AND schedule_id = $2::UUID RETURNING project_id, schedule_id
), forgotten AS (
    DELETE FROM import_fetched WHERE project_id = $1::INT4 AND schedule_id = $2::UUID RETURNING name
)
SELECT schedule_id FROM gone",
};

pub(super) const DUE_SCHEDULES: Statement = Statement {
    name: "due_schedules",
    sql: concat!(
        "-- due_schedules\nSELECT ",
        columns!(),
        ", s.project_id, COALESCE(s.address, s.source), s.layout, s.mapping, o.name, COALESCE(j.state IN ('waiting', 'running', 'paused'), FALSE)
FROM import_schedule AS s
JOIN project AS o ON o.project_id = s.project_id
LEFT JOIN import_job AS j ON j.project_id = s.project_id AND j.job_id = s.last_job
WHERE s.due_at <= now()
ORDER BY s.due_at LIMIT $1::INT8"
    ),
};

/// One run is over: the next is due then. A repeat finds another time, and does nothing.
pub(super) const ADVANCE_SCHEDULE: Statement = Statement {
    name: "advance_schedule",
    sql: concat!(
        "-- advance_schedule\nWITH ",
        held!("$1", "$2"),
        "
UPDATE import_schedule SET due_at = $6::TIMESTAMPTZ, last_at = now(), last_job = COALESCE($7::UUID, last_job),
    runs = runs + CASE WHEN $8::BOOL THEN 0 ELSE 1 END, skipped = skipped + CASE WHEN $8::BOOL THEN 1 ELSE 0 END, reason = $9::TEXT
WHERE project_id = $3::INT4 AND schedule_id = $4::UUID AND due_at = $5::TIMESTAMPTZ AND EXISTS (SELECT 1 FROM held)
RETURNING schedule_id"
    ),
};

/// Of files of a folder those that were fetched before, by their places in the question; they are there still.
pub(super) const FIND_FETCHED: Statement = Statement {
    name: "find_fetched",
    sql: "-- find_fetched
UPDATE import_fetched AS f SET seen_at = now()
FROM unnest($3::INT4[], $4::TEXT[], $5::TEXT[]) AS t (position, name, \"tag\")
WHERE f.project_id = $1::INT4 AND f.schedule_id = $2::UUID AND f.name = t.name AND f.tag = t.tag
RETURNING t.position",
};

pub(super) const REMEMBER_FETCHED: Statement = Statement {
    name: "remember_fetched",
    sql: "-- remember_fetched
INSERT INTO import_fetched (project_id, schedule_id, name, \"tag\", seen_at) VALUES ($1::INT4, $2::UUID, $3::TEXT, $4::TEXT, now())
ON CONFLICT (project_id, schedule_id, name, \"tag\") DO NOTHING",
};

/// Those that are gone from their folder for long.
pub(super) const FORGET_FETCHED: Statement = Statement {
    name: "forget_fetched",
    sql: "-- forget_fetched
DELETE FROM import_fetched WHERE project_id = $1::INT4 AND schedule_id = $2::UUID AND seen_at < now() - '30 days'::INTERVAL",
};
