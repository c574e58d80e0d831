//! The texts by which a person is taken apart; `split.rs` runs them.

use super::Statement;
use super::marks::marked;
use super::worker::{held, holds_turn};

/// Locks a person's profile with all that it absorbed.
pub(super) const LOCK_FAMILY: Statement = Statement {
    name: "lock_family",
    sql: "-- lock_family
SELECT p.profile_id, p.version, p.merged_from, p.merged_into, p.traits::TEXT, p.stamps::TEXT
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
ORDER BY p.profile_id FOR UPDATE OF p",
};

/// What is left of the person.
pub(super) const WRITE_KEPT: Statement = Statement {
    name: "write_kept",
    sql: concat!(
        "-- write_kept
WITH written AS (
    UPDATE profile AS p SET traits = $3::JSONB, stamps = $4::JSONB, size_bytes = $5::INT4, version = p.version + 1, updated_at = GREATEST(updated_at, $7::TIMESTAMPTZ),
        absorbed_count = GREATEST(p.absorbed_count - COALESCE(array_length($6::UUID[], 1), 0), 0),
        merged_from = ARRAY(SELECT m.id FROM unnest(p.merged_from) AS m (id) WHERE m.id <> ALL ($6::UUID[]))
    WHERE p.project_id = $1::INT4 AND p.profile_id = $2::UUID
    RETURNING p.project_id, p.profile_id
), ",
        marked!("written"),
        "
SELECT count(*)::INT8 FROM written"
    ),
};

/// Who comes out: a new profile, or one that had been absorbed and stands for itself again.
pub(super) const WRITE_TAKEN: Statement = Statement {
    name: "write_taken",
    sql: concat!(
        "-- write_taken
WITH written AS (
    INSERT INTO profile AS p (project_id, profile_id, traits, stamps, size_bytes, version, merged_from, created_at, updated_at)
    VALUES ($1::INT4, $2::UUID, $3::JSONB, $4::JSONB, $5::INT4, $6::INT8, $7::UUID[], $8::TIMESTAMPTZ, $8::TIMESTAMPTZ)
    ON CONFLICT (project_id, profile_id) DO UPDATE SET traits = excluded.traits, stamps = excluded.stamps, size_bytes = excluded.size_bytes,
        version = excluded.version, merged_into = NULL, merged_from = excluded.merged_from, updated_at = excluded.updated_at
    RETURNING p.project_id, p.profile_id
), ",
        marked!("written"),
        "
SELECT count(*)::INT8 FROM written"
    ),
};

/// Absorbed profiles that go with their names.
pub(super) const REHOME_PROFILES: Statement = Statement {
    name: "rehome_profiles",
    sql: "-- rehome_profiles
UPDATE profile AS p SET merged_into = $3::UUID, version = p.version + 1, updated_at = $4::TIMESTAMPTZ
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id",
};

pub(super) const TAKE_IDENTITIES: Statement = Statement {
    name: "take_identities",
    sql: "-- take_identities
UPDATE identity AS i SET profile_id = $4::UUID
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
WHERE i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value",
};

/// The records of those that go with the one who comes out. What the survivor had before is nobody's word about a new one.
pub(super) const REHOME_RECORDS: Statement = Statement {
    name: "rehome_records",
    sql: "-- rehome_records
UPDATE merge_record SET survivor_id = $2::UUID,
    before_traits = CASE WHEN survivor_id = ANY ($1::UUID[]) THEN before_traits END,
    before_stamps = CASE WHEN survivor_id = ANY ($1::UUID[]) THEN before_stamps END
WHERE absorbed_id = ANY ($1::UUID[])",
};

/// Of merges that stay: without what went with somebody else.
pub(super) const CLEAN_RECORDS: Statement = Statement {
    name: "clean_records",
    sql: "-- clean_records
UPDATE merge_record AS r SET traits = t.traits, stamps = t.stamps, before_traits = t.before_traits, before_stamps = t.before_stamps
FROM unnest($1::UUID[], $2::JSONB[], $3::JSONB[], $4::JSONB[], $5::JSONB[])
    AS t (absorbed_id, traits, stamps, before_traits, before_stamps)
WHERE r.absorbed_id = t.absorbed_id",
};

pub(super) const RECORD_SPLIT: Statement = Statement {
    name: "record_split",
    sql: "-- record_split
INSERT INTO split AS s (project_id, profile_id, from_id, requested_at, source_ids, vias, event_count, progress, sweep_at)
VALUES ($1::INT4, $2::UUID, $3::UUID, $4::TIMESTAMPTZ, $5::UUID[], $6::INT8[], 0, '', now() + ($7::FLOAT8 * '1 second'::INTERVAL))
ON CONFLICT (project_id, profile_id) DO UPDATE SET from_id = excluded.from_id, requested_at = excluded.requested_at,
    source_ids = s.source_ids || excluded.source_ids, vias = s.vias || excluded.vias, event_count = 0, progress = '',
    moved_at = NULL, sweep_at = excluded.sweep_at, finished_at = NULL, attempts = 0",
};

/// Moves the events of one page of a profile's timeline that came by names which were taken out, and counts them; tells where the
/// page ended. The profile is known to be the project's: naming the project here too would make PostgreSQL read all of its events.
pub(super) const MOVE_EVENTS: Statement = Statement {
    name: "move_events",
    sql: concat!(
        "-- move_events
WITH ",
        held!("$8", "$9"),
        ", page AS (
    SELECT e.project_id, e.event_id, e.occurred_at, e.via FROM event AS e
    WHERE e.profile_id = $2::UUID AND (e.occurred_at, e.event_id) < ($5::TIMESTAMPTZ, $6::UUID)
    ORDER BY e.occurred_at DESC, e.event_id DESC LIMIT $7::INT8
), moved AS (
    UPDATE event AS e SET profile_id = $3::UUID
    FROM page AS p
    WHERE e.project_id = p.project_id AND e.event_id = p.event_id AND e.profile_id = $2::UUID AND p.via = ANY ($4::INT8[]) AND ",
        holds_turn!("$8"),
        "
    RETURNING e.event_id
), counted AS (
    UPDATE split SET event_count = event_count + (SELECT count(*) FROM moved)
    WHERE project_id = $1::INT4 AND profile_id = $3::UUID
    RETURNING profile_id
)
SELECT (SELECT count(*) FROM page)::INT8, l.occurred_at, l.event_id, ",
        holds_turn!("$8"),
        " FROM (SELECT p.occurred_at, p.event_id FROM page AS p ORDER BY p.occurred_at, p.event_id LIMIT 1) AS l"
    ),
};

/// How far the walk has got, and when it goes on.
pub(super) const PUT_OFF_SPLIT: Statement = Statement {
    name: "put_off_split",
    sql: concat!(
        "-- put_off_split\nWITH ",
        held!("$6", "$7"),
        "
UPDATE split SET progress = $3::TEXT, attempts = $5::INT4, sweep_at = GREATEST(sweep_at, now() + ($4::FLOAT8 * '1 second'::INTERVAL))
WHERE project_id = $1::INT4 AND profile_id = $2::UUID AND ",
        holds_turn!("$6")
    ),
};

/// All that was there has moved; what was in flight is left for the sweep.
pub(super) const MARK_MOVED: Statement = Statement {
    name: "mark_moved",
    sql: "-- mark_moved
UPDATE split SET moved_at = COALESCE(moved_at, now()), progress = ''
WHERE project_id = $1::INT4 AND profile_id = $2::UUID",
};

pub(super) const FINISH_SPLIT: Statement = Statement {
    name: "finish_split",
    sql: concat!(
        "-- finish_split\nWITH ",
        held!("$4", "$5"),
        "
UPDATE split SET finished_at = now(), moved_at = COALESCE(moved_at, now()), source_ids = ARRAY[]::UUID[], vias = ARRAY[]::INT8[], progress = ''
WHERE project_id = $1::INT4 AND profile_id = $2::UUID AND requested_at = $3::TIMESTAMPTZ AND EXISTS (SELECT 1 FROM held)"
    ),
};

pub(super) const LOAD_SPLITS: Statement = Statement {
    name: "load_splits",
    sql: "-- load_splits
SELECT s.project_id, s.profile_id, s.from_id, s.requested_at, s.source_ids, s.vias, s.event_count, s.progress, s.moved_at, s.finished_at, s.attempts
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN split AS s ON s.project_id = t.project_id AND s.profile_id = t.profile_id",
};

pub(super) const DUE_SPLITS: Statement = Statement {
    name: "due_splits",
    sql: "-- due_splits
SELECT project_id, profile_id, from_id, requested_at, source_ids, vias, event_count, progress, moved_at, finished_at, attempts
FROM split WHERE finished_at IS NULL AND sweep_at <= now()
ORDER BY sweep_at LIMIT $1::INT8",
};

/// Of somebody whose calls about the group went to somebody else.
pub(super) const LEAVE_GROUPS: Statement = Statement {
    name: "leave_groups",
    sql: "-- leave_groups
DELETE FROM membership WHERE (profile_id, group_id) IN (
    SELECT t.profile_id, t.group_id FROM unnest($1::UUID[], $2::UUID[]) AS t (profile_id, group_id)
)",
};

/// Splits with work left of which one of the profiles is a side.
pub(super) const OPEN_SPLITS: Statement = Statement {
    name: "open_splits",
    sql: "-- open_splits
SELECT project_id, profile_id, from_id, requested_at, source_ids, vias, event_count, progress, moved_at, finished_at, attempts
FROM split WHERE finished_at IS NULL AND sweep_at < now() + '1 day'::INTERVAL
    AND (source_ids && $1::UUID[] OR profile_id = ANY ($1::UUID[]))",
};
