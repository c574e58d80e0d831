//! The texts by which the topics of legacy profiles are kept; `backfill.rs` runs them.

use super::Statement;

pub(super) const OPEN_SOURCE: Statement = Statement {
    name: "open_source",
    sql: "-- open_source
INSERT INTO backfill_source (source, state, reason, started_at, changed_at)
VALUES ($1::TEXT, 'running', '', COALESCE($2::TIMESTAMPTZ, now()), now())
ON CONFLICT (source) DO NOTHING",
};

pub(super) const LOAD_SOURCES: Statement = Statement {
    name: "load_sources",
    sql: "-- load_sources
SELECT source, state, reason, started_at, changed_at FROM backfill_source ORDER BY source",
};

pub(super) const LOAD_SOURCE: Statement = Statement {
    name: "load_source",
    sql: "-- load_source
SELECT source, state, reason, started_at, changed_at FROM backfill_source WHERE source = $1::TEXT",
};

pub(super) const SET_SOURCE: Statement = Statement {
    name: "set_source",
    sql: "-- set_source
UPDATE backfill_source SET state = $2::TEXT, reason = $3::TEXT, changed_at = now() WHERE source = $1::TEXT
RETURNING source",
};

/// Takes partitions over from whoever had them, and tells how far each has got.
pub(super) const TAKE_PARTITIONS: Statement = Statement {
    name: "take_partitions",
    sql: "-- take_partitions
INSERT INTO backfill_partition AS p (source, topic, partition, owner, first_offset, next_offset, end_offset, control, gaps, bytes,
    records_per_second, pace, updated_at)
SELECT t.source, t.topic, t.partition, $4::UUID, -1, -1, -1, 0, 0, 0, 0, '', now()
FROM unnest($1::TEXT[], $2::TEXT[], $3::INT4[]) AS t (source, topic, partition)
ON CONFLICT (source, topic, partition) DO UPDATE SET owner = excluded.owner
RETURNING topic, partition, next_offset, last_at, last_digest, EXTRACT(EPOCH FROM now() - read_at)::FLOAT8",
};

/// Moves partitions on, with their counts, if they are where they were left and still this assignment's.
pub(super) const MOVE_PARTITIONS: Statement = Statement {
    name: "move_partitions",
    sql: "-- move_partitions
WITH moved AS (
    UPDATE backfill_partition AS p SET next_offset = t.next_offset,
        first_offset = CASE WHEN p.first_offset < 0 THEN t.first_offset ELSE p.first_offset END,
        end_offset = CASE WHEN t.end_offset < 0 THEN p.end_offset ELSE t.end_offset END, control = p.control + t.control, gaps = p.gaps + t.gaps, bytes = p.bytes + t.bytes,
        last_at = t.last_at, last_digest = t.last_digest, records_per_second = t.rate, pace = t.pace,
        updated_at = CASE WHEN t.next_offset <> p.next_offset OR t.end_offset <> p.end_offset THEN now() ELSE p.updated_at END,
        read_at = CASE WHEN t.is_read THEN now() ELSE p.read_at END
    FROM unnest($1::TEXT[], $2::TEXT[], $3::INT4[], $5::INT8[], $6::INT8[], $7::INT8[], $8::INT8[], $9::INT8[], $10::INT8[],
            $11::INT8[], $12::TIMESTAMPTZ[], $13::BYTEA[], $14::FLOAT8[], $15::TEXT[], $24::BOOL[])
        AS t (source, topic, partition, from_offset, first_offset, next_offset, end_offset, control, gaps, bytes, last_at, last_digest, rate, pace, is_read)
    WHERE p.source = t.source AND p.topic = t.topic AND p.partition = t.partition AND p.owner = $4::UUID AND p.next_offset = t.from_offset
    RETURNING p.topic, p.partition
), counted AS (
    INSERT INTO backfill_count AS c (source, topic, partition, project_id, stored, unchanged, rejected, erased)
    SELECT n.source, n.topic, n.partition, n.project_id, n.stored, n.unchanged, n.rejected, n.erased
    FROM unnest($16::TEXT[], $17::TEXT[], $18::INT4[], $19::INT4[], $20::INT8[], $21::INT8[], $22::INT8[], $23::INT8[])
        AS n (source, topic, partition, project_id, stored, unchanged, rejected, erased)
    WHERE EXISTS (SELECT 1 FROM moved AS m WHERE m.topic = n.topic AND m.partition = n.partition)
    ON CONFLICT (source, topic, partition, project_id) DO UPDATE SET stored = c.stored + excluded.stored,
        unchanged = c.unchanged + excluded.unchanged, rejected = c.rejected + excluded.rejected, erased = c.erased + excluded.erased
    RETURNING c.partition
)
SELECT topic, partition FROM moved",
};

/// Notes of partitions that deletions may have been missed since they were last read; where that was so before, it stays so.
pub(super) const NOTE_MISSED: Statement = Statement {
    name: "note_missed",
    sql: "-- note_missed
UPDATE backfill_partition AS p SET missed_since = COALESCE(p.missed_since, p.read_at)
FROM unnest($1::TEXT[], $2::TEXT[], $3::INT4[]) AS t (source, topic, partition)
WHERE p.source = t.source AND p.topic = t.topic AND p.partition = t.partition AND p.owner = $4::UUID",
};

/// Whose some partitions are now, and where: for who could not move them and wants to know whether an earlier try did.
pub(super) const FIND_PARTITIONS: Statement = Statement {
    name: "find_partitions",
    sql: "-- find_partitions
SELECT p.topic, p.partition, p.next_offset
FROM unnest($1::TEXT[], $2::TEXT[], $3::INT4[]) AS t (source, topic, partition)
JOIN backfill_partition AS p ON p.source = t.source AND p.topic = t.topic AND p.partition = t.partition
WHERE p.owner = $4::UUID",
};

pub(super) const FORGET_COUNTS: Statement = Statement {
    name: "forget_counts",
    sql: "-- forget_counts\nDELETE FROM backfill_count WHERE source = $1::TEXT",
};

pub(super) const FORGET_PARTITIONS: Statement = Statement {
    name: "forget_partitions",
    sql: "-- forget_partitions\nDELETE FROM backfill_partition WHERE source = $1::TEXT",
};

pub(super) const LOAD_PARTITIONS: Statement = Statement {
    name: "load_partitions",
    sql: "-- load_partitions
SELECT topic, partition, first_offset, next_offset, end_offset, control, gaps, bytes, records_per_second, pace, updated_at, last_at, missed_since,
    EXTRACT(EPOCH FROM now() - updated_at)::FLOAT8
FROM backfill_partition WHERE source = $1::TEXT ORDER BY topic, partition",
};

pub(super) const LOAD_COUNTS: Statement = Statement {
    name: "load_counts",
    sql: "-- load_counts
SELECT topic, partition, project_id, stored, unchanged, rejected, erased
FROM backfill_count WHERE source = $1::TEXT AND ($2::INT4 IS NULL OR project_id = $2::INT4)
ORDER BY topic, partition, project_id",
};

/// Records refusals; one that is known keeps its place and tells the last reason.
pub(super) const RECORD_REFUSALS: Statement = Statement {
    name: "record_refusals",
    sql: "-- record_refusals
INSERT INTO backfill_rejection AS r (project_id, source, topic, partition, record_offset, record_at, rejected_at, code, field, message,
    record_key, record, record_bytes, attempts, name_hashes)
SELECT t.project_id, t.source, t.topic, t.partition, t.record_offset, t.record_at, now(), t.code, t.field, t.message,
    t.record_key, t.record, t.record_bytes, t.attempts, t.name_hashes
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::INT4[], $5::INT8[], $6::TIMESTAMPTZ[], $7::TEXT[], $8::TEXT[], $9::TEXT[],
        $10::BYTEA[], $11::BYTEA[], $12::INT8[], $13::INT4[], $14::JSONB[])
    AS t (project_id, source, topic, partition, record_offset, record_at, code, field, message, record_key, record, record_bytes, attempts, name_hashes)
ON CONFLICT (project_id, source, topic, partition, record_offset) DO UPDATE SET code = excluded.code, field = excluded.field,
    message = excluded.message, record_key = excluded.record_key, record = excluded.record, attempts = GREATEST(r.attempts, excluded.attempts),
    name_hashes = excluded.name_hashes",
};

pub(super) const LOAD_REFUSALS: Statement = Statement {
    name: "load_refusals",
    sql: "-- load_refusals
SELECT project_id, source, topic, partition, record_offset, record_at, rejected_at, code, field, message, record_key, record,
    record_bytes, attempts
FROM backfill_rejection
WHERE project_id = $1::INT4 AND (source, topic, partition, record_offset) > ($2::TEXT, $3::TEXT, $4::INT4, $5::INT8)
ORDER BY source, topic, partition, record_offset LIMIT $6::INT8",
};

/// What was taken after all is no rejection any more.
pub(super) const FORGET_REFUSALS: Statement = Statement {
    name: "forget_refusals",
    sql: "-- forget_refusals
DELETE FROM backfill_rejection WHERE (project_id, source, topic, partition, record_offset) IN (
    SELECT t.project_id, t.source, t.topic, t.partition, t.record_offset
    FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::INT4[], $5::INT8[]) AS t (project_id, source, topic, partition, record_offset)
)",
};
