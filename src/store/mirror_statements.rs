//! The texts by which a mirror is relayed; `mirror.rs` runs them.

use super::Statement;
use super::as_of::lately;
use super::worker::held;

pub(super) const LOAD_MIRRORS: Statement = Statement {
    name: "load_mirrors",
    sql: "-- load_mirrors
SELECT m.project_id, m.settings::TEXT, m.mirrors, r.is_whole, r.is_walked, r.walk_at <= now(), r.attempts,
    EXISTS (SELECT 1 FROM mirror_refusal AS f WHERE f.project_id = m.project_id),
    CASE WHEN r.watched_at < now() - '10 seconds'::INTERVAL THEN r.watched::TEXT END, p.name, r.swept::TEXT,
    EXISTS (SELECT 1 FROM erasure AS e WHERE e.project_id = m.project_id), now(), p.identity_kinds::TEXT, p.identity_rules::TEXT,
    (SELECT COALESCE(jsonb_agg(jsonb_build_array(b.kind, b.value)), '[]'::JSONB) FROM blocked_name AS b WHERE b.project_id = p.project_id)::TEXT
FROM mirror AS r JOIN migration AS m ON m.project_id = r.project_id
JOIN project AS p ON p.project_id = r.project_id
WHERE r.is_active AND r.due_at <= now()
ORDER BY r.due_at, r.project_id",
};

pub(super) const LIST_MIRRORS: Statement = Statement {
    name: "list_mirrors",
    sql: "-- list_mirrors\nSELECT project_id FROM mirror WHERE is_active",
};

/// A look at who else writes that failed ($14) is none: it is noted how far it came, and it comes again with the next step.
/// How far documents were looked through counts only where nobody has begun that anew meanwhile ($10: as it was read).
/// Where another index stands in the place of the one that was published to ($12), the walk begins anew ($13), and so does the look for
/// the erased.
pub(super) const NOTE_MIRROR: Statement = Statement {
    name: "note_mirror",
    sql: concat!(
        "-- note_mirror\nWITH ",
        held!("$7", "$8"),
        "
UPDATE mirror SET published = published + $2::INT8, foreign_writes = foreign_writes + $3::INT8, reason = $4::TEXT, attempts = $5::INT4,
    due_at = now() + ($6::FLOAT8 * '1 second'::INTERVAL), watched = COALESCE($9::JSONB, watched),
    watched_at = CASE WHEN $14::BOOL THEN now() ELSE watched_at END,
    swept = CASE WHEN $12::BOOL THEN jsonb_build_object('version', 0) WHEN swept = $10::JSONB THEN $11::JSONB ELSE swept END,
    is_walked = is_walked AND NOT $12::BOOL, walk_after = CASE WHEN $12::BOOL THEN $13::UUID ELSE walk_after END
WHERE project_id = $1::INT4 AND EXISTS (SELECT 1 FROM held)"
    ),
};

/// Who has a migration, and the note of the versions that documents were published with.
pub(super) const LOAD_PUBLISHED: Statement = Statement {
    name: "load_published",
    sql: "-- load_published
SELECT m.project_id, w.progress FROM migration AS m CROSS JOIN worker AS w WHERE w.name = 'mirror'",
};

/// Marks a page of a walk over everybody, and notes where it ended. Who is marked already keeps that mark.
pub(super) const MARK_PAGE: Statement = Statement {
    name: "mark_page",
    sql: concat!(
        "-- mark_page
WITH ",
        held!("$3", "$4"),
        ", page AS (
    SELECT p.project_id, p.profile_id, p.merged_into FROM profile AS p
    WHERE p.project_id = $1::INT4 AND p.profile_id > (SELECT r.walk_after FROM mirror AS r WHERE r.project_id = $1::INT4)
    ORDER BY p.profile_id LIMIT $2::INT8
), marked AS (
    INSERT INTO outbox (project_id, profile_id, mark, marked_at)
    SELECT p.project_id, p.profile_id, gen_random_uuid(), now() FROM page AS p
    WHERE p.merged_into IS NULL AND EXISTS (SELECT 1 FROM held)
    ON CONFLICT (project_id, profile_id) DO NOTHING
    RETURNING profile_id
), moved AS (
    UPDATE mirror SET walk_after = COALESCE((SELECT p.profile_id FROM page AS p ORDER BY p.profile_id DESC LIMIT 1), walk_after),
        is_walked = (SELECT count(*) FROM page) < $2::INT8
    WHERE project_id = $1::INT4 AND EXISTS (SELECT 1 FROM held)
    RETURNING project_id
)
SELECT count(*)::INT8 FROM page"
    ),
};

/// The oldest marks but those of some people ($3).
pub(super) const LOAD_MARKS: Statement = Statement {
    name: "load_marks",
    sql: "-- load_marks
SELECT profile_id, mark, (EXTRACT(EPOCH FROM now()) * 1000000)::INT8
FROM outbox WHERE project_id = $1::INT4 AND NOT profile_id = ANY($3::UUID[]) ORDER BY marked_at LIMIT $2::INT8",
};

macro_rules! load_marked {
    ($name:literal, $as_of:expr) => {
        concat!(
            "-- ",
            $name,
            "
SELECT w.profile_id, CASE WHEN w.held < $4::INT8 THEN w.traits::TEXT END, CASE WHEN w.held < $4::INT8 THEN w.stamps::TEXT END,
    ARRAY(SELECT i.kind FROM identity AS i WHERE i.profile_id = w.profile_id ORDER BY i.first_seen, i.kind, i.value),
    ARRAY(SELECT i.value FROM identity AS i WHERE i.profile_id = w.profile_id ORDER BY i.first_seen, i.kind, i.value)
FROM (
    SELECT p.profile_id, p.traits, p.stamps,
        COALESCE(sum(p.size_bytes) OVER (ORDER BY t.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS held
    FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (position, project_id, profile_id)
    JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
    WHERE p.merged_into IS NULL
) AS w",
            $as_of
        )
    };
}

/// Profiles as they are, in the order of the question; beyond so many bytes ($4) without their traits.
pub(super) const LOAD_MARKED: Statement = Statement {
    name: "load_marked",
    sql: load_marked!("load_marked", ""),
};

/// Profiles as they were lately.
pub(super) const LOAD_MARKED_LATELY: Statement = Statement {
    name: "load_marked_lately",
    sql: load_marked!("load_marked_lately", lately!()),
};

pub(super) const DELETE_MARKS: Statement = Statement {
    name: "delete_marks",
    sql: concat!(
        "-- delete_marks\nWITH ",
        held!("$4", "$5"),
        "
DELETE FROM outbox WHERE (project_id, profile_id, mark) IN (
    SELECT t.project_id, t.profile_id, t.mark FROM unnest($1::INT4[], $2::UUID[], $3::UUID[]) AS t (project_id, profile_id, mark)
) AND EXISTS (SELECT 1 FROM held)"
    ),
};

pub(super) const LOAD_GONE: Statement = Statement {
    name: "load_gone",
    sql: "-- load_gone
SELECT g.kind, g.value, g.mark, g.looks, g.only_ours, i.profile_id, (EXTRACT(EPOCH FROM now()) * 1000000)::INT8,
    COALESCE(g.erased_at, g.marked_at)
FROM outbox_gone AS g
LEFT JOIN identity AS i ON i.project_id = g.project_id AND i.kind = g.kind AND i.value = g.value
WHERE g.project_id = $1::INT4 AND g.due_at <= now()
ORDER BY g.kind, g.value LIMIT $2::INT8",
};

/// Notes names whose documents have to go, as an erasure does.
pub(super) const NOTE_GONE: Statement = Statement {
    name: "note_gone",
    sql: concat!(
        "-- note_gone\nWITH ",
        held!("$5", "$6"),
        "
INSERT INTO outbox_gone AS o (project_id, kind, value, mark, marked_at, due_at, looks, only_ours, erased_at)
SELECT t.project_id, t.kind, t.value, gen_random_uuid(), now(), now(), 0, FALSE, t.erased_at
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::TIMESTAMPTZ[]) AS t (project_id, kind, value, erased_at)
WHERE EXISTS (SELECT 1 FROM held)
ON CONFLICT (project_id, kind, value) DO UPDATE SET mark = excluded.mark, due_at = excluded.due_at, looks = 0, only_ours = FALSE,
    marked_at = CASE WHEN o.looks = 0 THEN o.marked_at ELSE excluded.marked_at END, erased_at = GREATEST(o.erased_at, excluded.erased_at)"
    ),
};

pub(super) const PUT_OFF_GONE: Statement = Statement {
    name: "put_off_gone",
    sql: concat!(
        "-- put_off_gone\nWITH ",
        held!("$5", "$6"),
        "
UPDATE outbox_gone AS g SET looks = g.looks + 1, due_at = now() + ($7::FLOAT8 * '1 second'::INTERVAL)
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::UUID[]) AS t (project_id, kind, value, mark)
WHERE g.project_id = t.project_id AND g.kind = t.kind AND g.value = t.value AND g.mark = t.mark AND EXISTS (SELECT 1 FROM held)"
    ),
};

pub(super) const DELETE_GONE: Statement = Statement {
    name: "delete_gone",
    sql: concat!(
        "-- delete_gone\nWITH ",
        held!("$5", "$6"),
        "
DELETE FROM outbox_gone WHERE (project_id, kind, value, mark) IN (
    SELECT t.project_id, t.kind, t.value, t.mark
    FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::UUID[]) AS t (project_id, kind, value, mark)
) AND EXISTS (SELECT 1 FROM held)"
    ),
};

/// Marks who has the name of somebody who was erased: the document of both was deleted.
pub(super) const MARK_OWNERS: Statement = Statement {
    name: "mark_owners",
    sql: concat!(
        "-- mark_owners\nWITH ",
        held!("$3", "$4"),
        "
INSERT INTO outbox (project_id, profile_id, mark, marked_at)
SELECT t.project_id, t.profile_id, gen_random_uuid(), now() FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
WHERE EXISTS (SELECT 1 FROM held)
ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark"
    ),
};

pub(super) const RECORD_DOCUMENT_REFUSALS: Statement = Statement {
    name: "record_document_refusals",
    sql: concat!(
        "-- record_document_refusals\nWITH ",
        held!("$4", "$5"),
        "
INSERT INTO mirror_refusal (project_id, profile_id, reason, refused_at)
SELECT t.project_id, t.profile_id, t.reason, now() FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[]) AS t (project_id, profile_id, reason)
WHERE EXISTS (SELECT 1 FROM held)
ON CONFLICT (project_id, profile_id) DO UPDATE SET reason = excluded.reason, refused_at = excluded.refused_at"
    ),
};

pub(super) const FORGET_REFUSALS: Statement = Statement {
    name: "forget_document_refusals",
    sql: concat!(
        "-- forget_document_refusals\nWITH ",
        held!("$3", "$4"),
        "
DELETE FROM mirror_refusal WHERE (project_id, profile_id) IN (
    SELECT t.project_id, t.profile_id FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
) AND EXISTS (SELECT 1 FROM held)"
    ),
};

/// Who is gone has no document that could be refused.
pub(super) const TIDY_REFUSALS: Statement = Statement {
    name: "tidy_document_refusals",
    sql: concat!(
        "-- tidy_document_refusals\nWITH ",
        held!("$2", "$3"),
        "
DELETE FROM mirror_refusal AS f WHERE f.project_id = $1::INT4 AND EXISTS (SELECT 1 FROM held) AND NOT EXISTS (
    SELECT 1 FROM profile AS p WHERE p.project_id = f.project_id AND p.profile_id = f.profile_id AND p.merged_into IS NULL
)"
    ),
};

/// Deletes some marks of a project that does not mirror any more.
pub(super) const CLEAR_OUTBOX: Statement = Statement {
    name: "clear_outbox",
    sql: concat!(
        "-- clear_outbox\nWITH ",
        held!("$3", "$4"),
        ", stops AS (
    SELECT m.project_id FROM migration AS m WHERE m.project_id = $1::INT4 AND NOT m.mirrors
), marks AS (
    DELETE FROM outbox WHERE (project_id, profile_id) IN (
        SELECT o.project_id, o.profile_id FROM outbox AS o WHERE o.project_id = $1::INT4 LIMIT $2::INT8
    ) AND EXISTS (SELECT 1 FROM stops) AND EXISTS (SELECT 1 FROM held)
    RETURNING profile_id
), names AS (
    DELETE FROM outbox_gone WHERE (project_id, kind, value) IN (
        SELECT g.project_id, g.kind, g.value FROM outbox_gone AS g WHERE g.project_id = $1::INT4 LIMIT $2::INT8
    ) AND EXISTS (SELECT 1 FROM stops) AND EXISTS (SELECT 1 FROM held)
    RETURNING value
), refusals AS (
    DELETE FROM mirror_refusal WHERE (project_id, profile_id) IN (
        SELECT f.project_id, f.profile_id FROM mirror_refusal AS f WHERE f.project_id = $1::INT4 LIMIT $2::INT8
    ) AND EXISTS (SELECT 1 FROM stops) AND EXISTS (SELECT 1 FROM held)
    RETURNING profile_id
)
SELECT ((SELECT count(*) FROM marks) + (SELECT count(*) FROM names) + (SELECT count(*) FROM refusals))::INT8"
    ),
};

/// The relay rests until a migration mirrors again.
pub(super) const END_MIRROR: Statement = Statement {
    name: "end_mirror",
    sql: concat!(
        "-- end_mirror\nWITH ",
        held!("$2", "$3"),
        "
UPDATE mirror SET is_active = FALSE
WHERE project_id = $1::INT4 AND EXISTS (SELECT 1 FROM held) AND NOT EXISTS (
    SELECT 1 FROM migration AS m WHERE m.project_id = $1::INT4 AND m.mirrors
)"
    ),
};
