//! The texts by which a person is erased; `erase.rs` runs them.

use super::Statement;
use super::worker::{held, holds_turn};

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
JOIN profile AS p ON p.project_id = i.project_id AND p.profile_id = i.profile_id
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

/// Takes names away. Where the project mirrors, those that are ids of documents are noted (or all, where records of a topic tell them),
/// with those that were asked for and that nobody has here: their documents have to go.
pub(super) const DELETE_IDENTITIES: Statement = Statement {
    name: "delete_identities",
    sql: "-- delete_identities
WITH gone AS (
    DELETE FROM identity WHERE profile_id = ANY($1::UUID[]) RETURNING project_id, kind, value
), noted AS (
    INSERT INTO outbox_gone AS o (project_id, kind, value, mark, marked_at, due_at, looks, only_ours, erased_at)
    SELECT c.project_id, c.kind, c.value, gen_random_uuid(), now(), now(), 0, $5::BOOL, $6::TIMESTAMPTZ
    FROM (
        SELECT project_id, kind, value FROM gone
        UNION SELECT t.project_id, t.kind, t.value FROM unnest($2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (project_id, kind, value)
    ) AS c JOIN migration AS m ON m.project_id = c.project_id AND m.mirrors AND m.document_kind IN (c.kind, '')
    ON CONFLICT (project_id, kind, value) DO UPDATE SET mark = excluded.mark, due_at = excluded.due_at, looks = 0,
        marked_at = CASE WHEN o.looks = 0 THEN o.marked_at ELSE excluded.marked_at END, only_ours = o.only_ours AND excluded.only_ours,
        erased_at = GREATEST(o.erased_at, excluded.erased_at)
    RETURNING o.value
)
SELECT kind, value FROM gone",
};

pub(super) const DELETE_PROFILES: Statement = Statement {
    name: "delete_profiles",
    sql: "-- delete_profiles
DELETE FROM profile WHERE (project_id, profile_id) IN (
    SELECT t.project_id, t.profile_id FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
)",
};

/// A later erasure of the same name moves the time on; a block stays with the erasure that set it, for whoever lifts it. What is shown of
/// a forgotten name ($6) is kept where the project wants it.
pub(super) const REMEMBER_ERASED: Statement = Statement {
    name: "remember_erased",
    sql: "-- remember_erased
INSERT INTO erasure AS e (project_id, identity_hash, erasure_id, erased_at, is_forgotten, shown_hash)
SELECT t.project_id, t.identity_hash, $3::UUID, $4::TIMESTAMPTZ, $5::BOOL,
    CASE WHEN $5::BOOL AND (SELECT p.identity_rules ->> 'shows_forgotten' FROM project AS p WHERE p.project_id = t.project_id) = 'true' THEN t.shown_hash END
FROM unnest($1::INT4[], $2::BYTEA[], $6::TEXT[]) AS t (project_id, identity_hash, shown_hash)
ON CONFLICT (project_id, identity_hash) DO UPDATE SET
    erasure_id = CASE WHEN e.is_forgotten AND NOT excluded.is_forgotten THEN e.erasure_id ELSE excluded.erasure_id END,
    erased_at = GREATEST(e.erased_at, excluded.erased_at), is_forgotten = e.is_forgotten OR excluded.is_forgotten,
    shown_hash = COALESCE(excluded.shown_hash, e.shown_hash)",
};

/// A repeat, and a sweep that found more, add to what is there; what was in flight then has to be over before the next sweep.
pub(super) const RECORD_ERASURE: Statement = Statement {
    name: "record_erasure",
    sql: "-- record_erasure
INSERT INTO erasure_request AS r (project_id, erasure_id, requested_at, is_forgotten, identity_count, event_count, identities, profile_ids, sweep_at, kept_ids)
VALUES ($1::INT4, $2::UUID, $3::TIMESTAMPTZ, $4::BOOL, $5::INT8, 0, $6::JSONB, $7::UUID[], now() + ($8::FLOAT8 * '1 second'::INTERVAL), $9::UUID[])
ON CONFLICT (project_id, erasure_id) DO UPDATE SET identity_count = r.identity_count + excluded.identity_count,
    identities = r.identities || excluded.identities, profile_ids = r.profile_ids || excluded.profile_ids,
    kept_ids = r.kept_ids || excluded.kept_ids, sweep_at = excluded.sweep_at, cleared_at = NULL, finished_at = NULL
RETURNING profile_ids",
};

/// Empties some events up to a time ($8), but those that came by the names of somebody who was taken out ($9), and counts them; tells how many were found. Their keys stay, with no word of whose they were or what they
/// said, so that a copy that comes later is known to be one. Two that meet find the same events: the one that had to wait sees
/// that they are empty (`type`), and neither empties nor counts them again.
pub(super) const ERASE_EVENTS: Statement = Statement {
    name: "erase_events",
    sql: concat!(
        "-- erase_events
WITH ",
        held!("$6", "$7"),
        ", hits AS (
    SELECT own.project_id, own.event_id
    FROM unnest($3::UUID[]) AS t (profile_id)
    CROSS JOIN LATERAL (
        SELECT project_id, event_id FROM event
        WHERE event.profile_id = t.profile_id AND event.occurred_at <= $8::TIMESTAMPTZ
            AND (event.via IS NULL OR event.via <> ALL ($9::INT8[])) LIMIT $5::INT8
    ) AS own
    LIMIT $5::INT8
), emptied AS (
    UPDATE event AS e SET profile_id = $2::UUID, type = 'erased', name = NULL, message_id = NULL,
        occurred_at = $4::TIMESTAMPTZ, received_at = $4::TIMESTAMPTZ, properties = '{}'::JSONB, context = '{}'::JSONB, via = NULL
    FROM hits AS h
    WHERE e.project_id = h.project_id AND e.event_id = h.event_id AND e.type <> 'erased' AND ",
        holds_turn!("$6"),
        "
    RETURNING e.event_id
), counted AS (
    UPDATE erasure_request SET event_count = event_count + (SELECT count(*) FROM emptied)
    WHERE project_id = $1::INT4 AND erasure_id = $2::UUID
    RETURNING erasure_id
)
SELECT count(*)::INT8, ",
        holds_turn!("$6"),
        " FROM hits"
    ),
};

/// Empties what is listed among the rejections of somebody whose names went in an erasure ($1), from before it; tells how many were
/// found. That there was something, and its code, stays.
pub(super) const EMPTY_REJECTIONS: Statement = Statement {
    name: "empty_rejections",
    sql: concat!(
        "-- empty_rejections
WITH ",
        held!("$4", "$5"),
        ", hits AS (
    SELECT r.project_id, r.received_at, r.rejection_id
    FROM erasure AS e
    JOIN rejection AS r ON r.name_hashes @> to_jsonb(encode(e.identity_hash, 'hex'))
    WHERE e.erasure_id = $1::UUID AND r.received_at <= $2::TIMESTAMPTZ
    LIMIT $3::INT8
), emptied AS (
    UPDATE rejection AS r SET field = NULL, message = 'the person was erased', message_id = NULL, item = 'null'::JSONB,
        warnings = CASE WHEN r.warnings IS NOT NULL THEN '[]'::JSONB END, name_hashes = NULL
    FROM hits AS h
    WHERE r.project_id = h.project_id AND r.received_at = h.received_at AND r.rejection_id = h.rejection_id AND ",
        holds_turn!("$4"),
        "
    RETURNING r.rejection_id
)
SELECT count(*)::INT8, ",
        holds_turn!("$4"),
        " FROM hits"
    ),
};

/// The same of records that could not be taken.
pub(super) const EMPTY_REFUSALS: Statement = Statement {
    name: "empty_refusals",
    sql: concat!(
        "-- empty_refusals
WITH ",
        held!("$4", "$5"),
        ", hits AS (
    SELECT r.project_id, r.source, r.topic, r.partition, r.record_offset
    FROM erasure AS e
    JOIN backfill_rejection AS r ON r.name_hashes @> to_jsonb(encode(e.identity_hash, 'hex'))
    WHERE e.erasure_id = $1::UUID AND LEAST(r.record_at, r.rejected_at) <= $2::TIMESTAMPTZ
    LIMIT $3::INT8
), emptied AS (
    UPDATE backfill_rejection AS r SET field = NULL, message = 'the person was erased', record_key = NULL, record = NULL, name_hashes = NULL
    FROM hits AS h
    WHERE r.project_id = h.project_id AND r.source = h.source AND r.topic = h.topic AND r.partition = h.partition
        AND r.record_offset = h.record_offset AND ",
        holds_turn!("$4"),
        "
    RETURNING r.record_offset
)
SELECT count(*)::INT8, ",
        holds_turn!("$4"),
        " FROM hits"
    ),
};

/// The same of lines of files.
pub(super) const EMPTY_LINES: Statement = Statement {
    name: "empty_lines",
    sql: concat!(
        "-- empty_lines
WITH ",
        held!("$4", "$5"),
        ", hits AS (
    SELECT r.project_id, r.job_id, r.number
    FROM erasure AS e
    JOIN import_rejection AS r ON r.name_hashes @> to_jsonb(encode(e.identity_hash, 'hex'))
    WHERE e.erasure_id = $1::UUID AND LEAST(r.record_at, r.rejected_at) <= $2::TIMESTAMPTZ
    LIMIT $3::INT8
), emptied AS (
    UPDATE import_rejection AS r SET field = NULL, message = 'the person was erased', record = NULL, name_hashes = NULL
    FROM hits AS h
    WHERE r.project_id = h.project_id AND r.job_id = h.job_id AND r.number = h.number AND ",
        holds_turn!("$4"),
        "
    RETURNING r.number
)
SELECT count(*)::INT8, ",
        holds_turn!("$4"),
        " FROM hits"
    ),
};

/// The same of what verifications found.
pub(super) const EMPTY_SAMPLES: Statement = Statement {
    name: "empty_samples",
    sql: concat!(
        "-- empty_samples
WITH ",
        held!("$4", "$5"),
        ", hits AS (
    SELECT s.project_id, s.verification_id, s.number
    FROM erasure AS e
    JOIN verification_sample AS s ON s.name_hashes @> to_jsonb(encode(e.identity_hash, 'hex'))
    WHERE e.erasure_id = $1::UUID AND s.found_at <= $2::TIMESTAMPTZ
    LIMIT $3::INT8
), emptied AS (
    UPDATE verification_sample AS s SET document_id = NULL, field = NULL, ours = NULL, theirs = NULL, name_hashes = NULL
    FROM hits AS h
    WHERE s.project_id = h.project_id AND s.verification_id = h.verification_id AND s.number = h.number AND ",
        holds_turn!("$4"),
        "
    RETURNING s.number
)
SELECT count(*)::INT8, ",
        holds_turn!("$4"),
        " FROM hits"
    ),
};

/// Whose name was claimed.
pub(super) const DELETE_CONFLICTS: Statement = Statement {
    name: "delete_conflicts",
    sql: concat!(
        "-- delete_conflicts\nWITH ",
        held!("$2", "$3"),
        "\nDELETE FROM conflict WHERE owner_id = ANY($1::UUID[]) AND ",
        holds_turn!("$2")
    ),
};

/// Who claimed somebody's name.
pub(super) const DELETE_CLAIMS: Statement = Statement {
    name: "delete_claims",
    sql: concat!(
        "-- delete_claims\nWITH ",
        held!("$2", "$3"),
        "\nDELETE FROM conflict WHERE claimant_id = ANY($1::UUID[]) AND ",
        holds_turn!("$2")
    ),
};

pub(super) const MARK_CLEARED: Statement = Statement {
    name: "mark_cleared",
    sql: concat!(
        "-- mark_cleared\nWITH ",
        held!("$3", "$4"),
        "
UPDATE erasure_request SET cleared_at = COALESCE(cleared_at, now())
WHERE project_id = $1::INT4 AND erasure_id = $2::UUID AND ",
        holds_turn!("$3")
    ),
};

/// From here on nothing of the person is left, not even the names.
pub(super) const MARK_FINISHED: Statement = Statement {
    name: "mark_finished",
    sql: concat!(
        "-- mark_finished\nWITH ",
        held!("$3", "$4"),
        "
UPDATE erasure_request SET finished_at = now(), identities = '[]'::JSONB, profile_ids = ARRAY[]::UUID[], kept_ids = NULL
WHERE project_id = $1::INT4 AND erasure_id = $2::UUID AND finished_at IS NULL AND EXISTS (SELECT 1 FROM held)
RETURNING erasure_id"
    ),
};

/// Moves an erasure behind the others, and on by a pause where it failed.
pub(super) const PUT_OFF_ERASURE: Statement = Statement {
    name: "put_off_erasure",
    sql: concat!(
        "-- put_off_erasure\nWITH ",
        held!("$5", "$6"),
        "
UPDATE erasure_request SET sweep_at = GREATEST(sweep_at, now() + ($3::FLOAT8 * '1 second'::INTERVAL)), attempts = $4::INT4
WHERE project_id = $1::INT4 AND erasure_id = $2::UUID AND EXISTS (SELECT 1 FROM held)"
    ),
};

pub(super) const DUE_ERASURES: Statement = Statement {
    name: "due_erasures",
    sql: "-- due_erasures
SELECT project_id, erasure_id, requested_at, is_forgotten, identities::TEXT, profile_ids, attempts, kept_ids
FROM erasure_request WHERE finished_at IS NULL AND sweep_at <= now()
ORDER BY sweep_at LIMIT $1::INT8",
};

/// Those that fail again and again are put off, so that the oldest is not the one that is due first.
pub(super) const OLDEST_ERASURE: Statement = Statement {
    name: "oldest_erasure",
    sql: "-- oldest_erasure
SELECT COALESCE(EXTRACT(EPOCH FROM now() - min(o.requested_at)), 0)::FLOAT8
FROM (SELECT requested_at FROM erasure_request WHERE finished_at IS NULL ORDER BY sweep_at LIMIT $1::INT8) AS o",
};

pub(super) const LOAD_ERASURE: Statement = Statement {
    name: "load_erasure",
    sql: "-- load_erasure
SELECT erasure_id, requested_at, is_forgotten, identity_count, event_count, cleared_at, finished_at
FROM erasure_request WHERE project_id = $1::INT4 AND erasure_id = $2::UUID",
};

/// Lifts the block from every name of the person; that they were erased stays. The erasure's id is the project's already: naming
/// the project here too would make PostgreSQL read all of its erasures.
pub(super) const LIFT_BLOCK: Statement = Statement {
    name: "lift_block",
    sql: "-- lift_block
UPDATE erasure SET is_forgotten = FALSE, shown_hash = NULL
WHERE erasure_id = (SELECT e.erasure_id FROM erasure AS e WHERE e.project_id = $1::INT4 AND e.identity_hash = $2::BYTEA)
RETURNING erasure_id",
};
