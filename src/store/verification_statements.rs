//! The texts by which a migration is verified; `verification.rs` runs them.

use super::Statement;
use super::as_of::lately;
use super::worker::held;

/// Verifications that ended longer ago than this are forgotten with what they listed.
macro_rules! kept {
    () => {
        "'30 days'::INTERVAL"
    };
}

macro_rules! columns {
    () => {
        "v.verification_id, v.direction, v.started_at, v.finished_at, v.reason, v.checked, v.missing, v.different, v.extra, v.rejected,
    v.superseded, v.erased, EXTRACT(EPOCH FROM now() - v.finished_at)::INT8"
    };
}

/// What is old goes. By itself: CockroachDB takes no statement that changes one table in two ways.
pub(super) const FORGET_VERIFICATIONS: Statement = Statement {
    name: "forget_verifications",
    sql: concat!(
        "-- forget_verifications
WITH old AS (
    DELETE FROM verification AS v WHERE v.project_id = $1::INT4 AND v.finished_at < now() - ",
        kept!(),
        "
    RETURNING v.project_id, v.verification_id
)
DELETE FROM verification_sample WHERE (project_id, verification_id) IN (SELECT o.project_id, o.verification_id FROM old AS o)"
    ),
};

/// Begins one, unless one of that direction goes on. On CockroachDB the first look reads people as they were five seconds ago: it waits, so
/// that none is read as it was before the verification began.
pub(super) const START_VERIFICATION: Statement = Statement {
    name: "start_verification",
    sql: "-- start_verification
INSERT INTO verification (project_id, verification_id, direction, started_at, finished_at, due_at, attempts, reason, checked, missing, different,
    extra, rejected, superseded, erased, progress)
SELECT $1::INT4, $2::UUID, $3::TEXT, now(), NULL, now() /*crdb + '6 seconds'::INTERVAL */, 0, '', 0, 0, 0, 0, 0, 0, 0, '{}'
WHERE NOT EXISTS (
    SELECT 1 FROM verification AS v WHERE v.project_id = $1::INT4 AND v.direction = $3::TEXT AND v.finished_at IS NULL
)
ON CONFLICT (project_id, verification_id) DO NOTHING",
};

/// The newest of a direction: the one that goes on, and the last that ended.
pub(super) const LAST_VERIFICATIONS: Statement = Statement {
    name: "last_verifications",
    sql: concat!(
        "-- last_verifications
SELECT ",
        columns!(),
        "
FROM verification AS v WHERE v.project_id = $1::INT4 AND v.direction = $2::TEXT ORDER BY v.started_at DESC LIMIT 2"
    ),
};

pub(super) const LOAD_VERIFICATION: Statement = Statement {
    name: "load_verification",
    sql: concat!(
        "-- load_verification
SELECT ",
        columns!(),
        "
FROM verification AS v WHERE v.project_id = $1::INT4 AND v.verification_id = $2::UUID"
    ),
};

pub(super) const LOAD_SAMPLES: Statement = Statement {
    name: "load_samples",
    sql: "-- load_samples
SELECT kind, document_id, field, ours, theirs
FROM verification_sample WHERE project_id = $1::INT4 AND verification_id = $2::UUID ORDER BY number LIMIT 1000",
};

pub(super) const DUE_VERIFICATIONS: Statement = Statement {
    name: "due_verifications",
    sql: "-- due_verifications
SELECT v.project_id, v.verification_id, v.direction, v.attempts, v.checked, v.missing, v.different, v.extra, v.rejected, v.superseded, v.erased,
    v.progress::TEXT, p.name, m.settings::TEXT, m.mirrors, COALESCE(r.is_walked AND r.swept IS NULL, FALSE), COALESCE(r.is_whole, FALSE)
FROM verification AS v
JOIN project AS p ON p.project_id = v.project_id
JOIN migration AS m ON m.project_id = v.project_id
LEFT JOIN mirror AS r ON r.project_id = v.project_id
WHERE v.finished_at IS NULL AND v.due_at <= now()
ORDER BY v.due_at LIMIT 100",
};

/// Notes how far one is, with what it has found since. The counts are those of all of it, so that a repeat changes nothing.
pub(super) const NOTE_VERIFICATION: Statement = Statement {
    name: "note_verification",
    sql: concat!(
        "-- note_verification\nWITH ",
        held!("$1", "$2"),
        ", noted AS (
    UPDATE verification SET checked = $5::INT8, missing = $6::INT8, different = $7::INT8, extra = $8::INT8, rejected = $9::INT8,
        superseded = $10::INT8, erased = $11::INT8, progress = $12::JSONB, attempts = $13::INT4, reason = $14::TEXT,
        due_at = now() + ($15::FLOAT8 * '1 second'::INTERVAL), finished_at = CASE WHEN $16::BOOL THEN now() END
    WHERE project_id = $3::INT4 AND verification_id = $4::UUID AND finished_at IS NULL AND EXISTS (SELECT 1 FROM held)
    RETURNING verification_id
)
INSERT INTO verification_sample (project_id, verification_id, number, kind, document_id, field, ours, theirs, found_at, name_hashes)
SELECT $3::INT4, $4::UUID, t.number, t.kind, t.document_id, t.field, t.ours, t.theirs, now(), t.name_hashes
FROM unnest($17::INT4[], $18::TEXT[], $19::TEXT[], $20::TEXT[], $21::TEXT[], $22::TEXT[], $23::JSONB[])
    AS t (number, kind, document_id, field, ours, theirs, name_hashes)
WHERE EXISTS (SELECT 1 FROM noted)
ON CONFLICT (project_id, verification_id, number) DO NOTHING"
    ),
};

macro_rules! find_owners {
    ($name:literal, $as_of:expr) => {
        concat!(
            "-- ",
            $name,
            "
SELECT t.position, i.profile_id
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value",
            $as_of
        )
    };
}

/// Whose names are, by their places in the question.
pub(super) const FIND_OWNERS: Statement = Statement {
    name: "find_owners",
    sql: find_owners!("find_owners", ""),
};

/// Whose they were lately.
pub(super) const FIND_OWNERS_LATELY: Statement = Statement {
    name: "find_owners_lately",
    sql: find_owners!("find_owners_lately", lately!()),
};

/// A page of a project's people who stood for themselves lately.
pub(super) const PEOPLE_PAGE: Statement = Statement {
    name: "people_page",
    sql: concat!(
        "-- people_page
SELECT p.profile_id FROM profile AS p",
        lately!(),
        "
WHERE p.project_id = $1::INT4 AND p.profile_id > $2::UUID AND p.merged_into IS NULL
ORDER BY p.profile_id LIMIT $3::INT8"
    ),
};

/// Of some people: whether something of them is still to be published, and whether their document is refused.
pub(super) const LOAD_STANDING: Statement = Statement {
    name: "load_standing",
    sql: "-- load_standing
SELECT t.position,
    EXISTS (SELECT 1 FROM outbox AS o WHERE o.project_id = t.project_id AND o.profile_id = t.profile_id),
    EXISTS (SELECT 1 FROM mirror_refusal AS f WHERE f.project_id = t.project_id AND f.profile_id = t.profile_id)
FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (position, project_id, profile_id)",
};

/// Of some names those whose documents are still to be deleted.
pub(super) const FIND_GOING: Statement = Statement {
    name: "find_going",
    sql: "-- find_going
SELECT t.position
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
JOIN outbox_gone AS g ON g.project_id = t.project_id AND g.kind = t.kind AND g.value = t.value
WHERE g.looks = 0",
};

/// Of some names, by their hashes, those of which a record was refused that is not older than a time. Kafka's times are whole
/// thousandths of a second.
pub(super) const FIND_REFUSED: Statement = Statement {
    name: "find_refused",
    sql: "-- find_refused
SELECT DISTINCT t.position
FROM unnest($1::INT4[], $2::TEXT[], $3::TIMESTAMPTZ[]) AS t (position, hash, since)
JOIN backfill_rejection AS r ON r.name_hashes @> to_jsonb(t.hash)
WHERE COALESCE(r.record_at, r.rejected_at) + '1 millisecond'::INTERVAL > t.since",
};

/// Of some names those whose claim by a person, or by whom that person absorbed, is listed as a conflict.
pub(super) const FIND_CLAIMED: Statement = Statement {
    name: "find_claimed",
    sql: "-- find_claimed
SELECT DISTINCT t.position
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[], $5::UUID[]) AS t (position, project_id, kind, value, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
CROSS JOIN LATERAL unnest(array_append(p.merged_from, p.profile_id)) AS m (claimant_id)
JOIN conflict AS c ON c.claimant_id = m.claimant_id AND c.kind = t.kind AND c.value = t.value",
};
