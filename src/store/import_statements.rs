//! The texts by which imports of files are kept; `imports.rs` and `import_refusals.rs` run them.

use super::Statement;
use super::worker::held;

/// The columns of a job, in the order in which `imports.rs` reads them.
macro_rules! columns {
    () => {
        "project_id, job_id, name, layout, mapping, file_time, length, compression, next_offset, checksum, records, kept, lines, blank,
    stored, unchanged, duplicate, rejected, warned, seen, records_per_second, bytes_per_second, state, reason, sender, step,
    created_at, updated_at, finished_at, expires_at"
    };
}

/// When a job that has ended is forgotten: with its rejections.
macro_rules! forgotten_at {
    ($project:literal) => {
        concat!(
            "now() + (SELECT p.rejection_retention_days FROM project AS p WHERE p.project_id = ",
            $project,
            "::INT4) * '1 day'::INTERVAL"
        )
    };
}

/// Without a time of its own a file is as old as its job.
pub(super) const CREATE_IMPORT: Statement = Statement {
    name: "create_import",
    sql: concat!(
        "-- create_import
INSERT INTO import_job (project_id, job_id, name, layout, mapping, file_time, length, next_offset, checksum, records, lines, blank, stored,
    unchanged, duplicate, rejected, warned, records_per_second, bytes_per_second, state, reason, sender, step, created_at, updated_at,
    expires_at)
VALUES ($1::INT4, $2::UUID, $3::TEXT, $4::TEXT, $5::TEXT, COALESCE($6::TIMESTAMPTZ, now()), $7::INT8, 0, $8::INT8, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 'waiting', '', 0, 0, now(), now(), now() + ($9::FLOAT8 * '1 second'::INTERVAL))
ON CONFLICT (project_id, job_id) DO UPDATE SET name = excluded.name
RETURNING ",
        columns!()
    ),
};

pub(super) const LOAD_IMPORT: Statement = Statement {
    name: "load_import",
    sql: concat!(
        "-- load_import
SELECT ",
        columns!(),
        " FROM import_job WHERE project_id = $1::INT4 AND job_id = $2::UUID"
    ),
};

/// A page of a project's jobs, the newest first. What a successor needs stays where it is, and so does what is large: of a long layout
/// there is its first member, the format, and nothing of a table so wide that its columns fill pages.
pub(super) const LOAD_IMPORTS: Statement = Statement {
    name: "load_imports",
    sql: "-- load_imports
SELECT project_id, job_id, name,
    CASE WHEN octet_length(layout) <= 4096 THEN layout ELSE split_part(layout, ',', 1) || '}' END,
    NULL::TEXT, file_time, length, compression, next_offset, checksum, records, NULL::BYTEA, lines, blank,
    stored, unchanged, duplicate, rejected, warned,
    CASE WHEN octet_length(seen) <= 4096 THEN seen END,
    records_per_second, bytes_per_second, state, reason, sender, step, created_at, updated_at, finished_at, expires_at
FROM import_job
WHERE project_id = $1::INT4 AND job_id < $2::UUID AND ($3::TEXT IS NULL OR name = $3::TEXT)
ORDER BY job_id DESC LIMIT $4::INT8",
};

/// Takes a job over: from now on only this sender writes. Where an offset is said it has to be the job's; a compressed file is read
/// from its start.
pub(super) const OPEN_IMPORT: Statement = Statement {
    name: "open_import",
    sql: concat!(
        "-- open_import
UPDATE import_job SET sender = sender + 1, state = 'running', length = COALESCE(length, $4::INT8), updated_at = now(),
    expires_at = now() + ($5::FLOAT8 * '1 second'::INTERVAL)
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND state IN ('waiting', 'running')
    AND ($3::INT8 IS NULL OR next_offset = $3::INT8 OR compression IS NOT NULL)
RETURNING ",
        columns!()
    ),
};

/// One step of a job: position, counts and what was refused, if it is still this sender's and where he left it.
pub(super) const ADVANCE_IMPORT: Statement = Statement {
    name: "advance_import",
    sql: concat!(
        "-- advance_import
WITH moved AS (
    UPDATE import_job SET step = step + 1, next_offset = GREATEST(next_offset, $5::INT8),
        checksum = CASE WHEN next_offset < $5::INT8 THEN $6::INT8 ELSE checksum END,
        records = $7::INT8, kept = $8::BYTEA, lines = GREATEST(lines, $9::INT8), blank = GREATEST(blank, $10::INT8),
        stored = stored + $11::INT8, unchanged = unchanged + $12::INT8, duplicate = duplicate + $13::INT8,
        rejected = rejected + $14::INT8, warned = warned + $15::INT8, seen = $16::TEXT, compression = COALESCE($17::TEXT, compression),
        records_per_second = $18::FLOAT8, bytes_per_second = $19::FLOAT8, length = COALESCE(length, $20::INT8), state = $21::TEXT,
        reason = $22::TEXT, updated_at = now(),
        finished_at = CASE WHEN $21::TEXT = 'running' THEN NULL ELSE now() END,
        expires_at = CASE WHEN $21::TEXT = 'running' THEN now() + ($23::FLOAT8 * '1 second'::INTERVAL) ELSE ",
        forgotten_at!("$1"),
        " END
    WHERE project_id = $1::INT4 AND job_id = $2::UUID AND sender = $3::INT8 AND step = $4::INT8 AND state IN ('waiting', 'running')
    RETURNING project_id, job_id, file_time
), listed AS (
    INSERT INTO import_rejection (project_id, job_id, number, place, record_at, rejected_at, code, field, message, record, record_bytes,
        name_hashes)
    SELECT m.project_id, m.job_id, t.number, t.place, m.file_time, now(), t.code, t.field, t.message, t.record, t.record_bytes, t.name_hashes
    FROM moved AS m CROSS JOIN
        unnest($24::INT8[], $25::TEXT[], $26::TEXT[], $27::TEXT[], $28::TEXT[], $29::BYTEA[], $30::INT8[], $31::JSONB[])
        AS t (number, place, code, field, message, record, record_bytes, name_hashes)
    ON CONFLICT (project_id, job_id, number) DO NOTHING
    RETURNING number
)
SELECT m.job_id FROM moved AS m"
    ),
};

/// Changes the state of a job that is in one of some states, and cuts off who sends it. A paused one waits for a person: as long as what is
/// refused is kept, since of it too a part of the file is kept.
pub(super) const SET_IMPORT: Statement = Statement {
    name: "set_import",
    sql: concat!(
        "-- set_import
UPDATE import_job SET state = $3::TEXT, reason = $4::TEXT, sender = sender + 1, updated_at = now(),
    kept = CASE WHEN $6::BOOL THEN NULL ELSE kept END, finished_at = CASE WHEN $6::BOOL THEN now() END,
    expires_at = CASE WHEN $6::BOOL THEN ",
        forgotten_at!("$1"),
        " WHEN $3::TEXT = 'paused' THEN GREATEST(now() + ($7::FLOAT8 * '1 second'::INTERVAL), ",
        forgotten_at!("$1"),
        ") ELSE now() + ($7::FLOAT8 * '1 second'::INTERVAL) END
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND state = ANY($5::TEXT[])
RETURNING ",
        columns!()
    ),
};

/// Says how long the upload is, where that was not known.
pub(super) const SET_IMPORT_LENGTH: Statement = Statement {
    name: "set_import_length",
    sql: concat!(
        "-- set_import_length
UPDATE import_job SET length = $3::INT8
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND (length IS NULL OR length = $3::INT8)
    AND (next_offset <= $3::INT8 OR compression IS NOT NULL)
RETURNING ",
        columns!()
    ),
};

/// Open jobs that nobody has gone on with for too long.
pub(super) const DUE_IMPORTS: Statement = Statement {
    name: "due_imports",
    sql: "-- due_imports
SELECT project_id, job_id FROM import_job WHERE expires_at <= now() AND finished_at IS NULL ORDER BY expires_at LIMIT $1::INT8",
};

/// Forgets jobs that ended long ago; their rejections have gone by their own age.
pub(super) const FORGET_IMPORTS: Statement = Statement {
    name: "forget_imports",
    sql: concat!(
        "-- forget_imports
WITH ",
        held!("$2", "$3"),
        ", old AS (
    SELECT project_id, job_id FROM import_job WHERE expires_at <= now() AND finished_at IS NOT NULL ORDER BY expires_at LIMIT $1::INT8
), gone AS (
    DELETE FROM import_job WHERE (project_id, job_id) IN (SELECT o.project_id, o.job_id FROM old AS o) AND EXISTS (SELECT 1 FROM held)
    RETURNING job_id
)
SELECT count(*)::INT8 FROM gone"
    ),
};

pub(super) const LOAD_IMPORT_REFUSALS: Statement = Statement {
    name: "load_import_refusals",
    sql: "-- load_import_refusals
SELECT number, place, rejected_at, code, field, message, record, record_bytes
FROM import_rejection
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND number > $3::INT8
ORDER BY number LIMIT $4::INT8",
};
