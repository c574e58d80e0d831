//! The texts of the write path; `write.rs` runs them. Each is one implicit transaction over arrays and idempotent by itself.
//!
//! Every key column comes from `unnest`, never from a constant: with constants PostgreSQL's plan depends on statistics, and ran
//! a hundred times slower until the first ANALYZE. Rows are sorted by key, so that two batches lock them in the same order.

use super::Statement;
use super::marks::marked;

/// Stores the events of people who are known. Idempotent: the key decides. After a look-up nothing more is to be found out about whose
/// they are, and the earliest times at which they may have happened ($13) are there for people who were erased and are known again.
/// Without one that list is empty: such people stay out, and so does an event whose second name ($14, $15), where it has one, is not
/// the same profile's.
pub(super) const INSERT_EVENTS: Statement = Statement {
    name: "insert_events",
    sql: "-- insert_events
INSERT INTO event (project_id, event_id, profile_id, type, name, message_id, occurred_at, received_at, properties, context, via)
SELECT t.project_id, t.event_id, i.profile_id, t.type, t.name, t.message_id, t.occurred_at, t.received_at, t.properties, t.context, t.via
FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TIMESTAMPTZ[], $9::TIMESTAMPTZ[], $10::JSONB[], $11::JSONB[], $12::INT8[], $13::TIMESTAMPTZ[], $14::TEXT[], $15::TEXT[])
    AS t (project_id, event_id, identity_kind, identity_value, type, name, message_id, occurred_at, received_at, properties, context, via, earliest, second_kind, second_value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.identity_kind AND i.value = t.identity_value
LEFT JOIN identity AS s ON s.project_id = t.project_id AND s.kind = t.second_kind AND s.value = t.second_value
WHERE (i.not_before IS NULL OR t.earliest > i.not_before) AND (t.second_kind IS NULL OR (s.profile_id = i.profile_id AND s.not_before IS NULL))
ON CONFLICT (project_id, event_id) DO NOTHING
RETURNING project_id, event_id",
};

/// Finds whose the identities are, with each profile's traits once where they are wanted, up to so many bytes ($9), and which
/// events are there already. A profile that was not written since sizes are kept (0) is measured. Reads only.
pub(super) const RESOLVE_IDENTITIES: Statement = Statement {
    name: "resolve_identities",
    sql: "-- resolve_identities
SELECT w.position, w.profile_id, w.version, w.not_before,
    CASE WHEN w.is_wanted AND w.held < $9::INT8 THEN w.traits::TEXT END, CASE WHEN w.is_wanted AND w.held < $9::INT8 THEN w.stamps::TEXT END
FROM (
    SELECT f.position, f.profile_id, f.version, f.not_before, f.traits, f.stamps, f.is_wanted,
        COALESCE(sum(CASE WHEN f.is_wanted THEN COALESCE(NULLIF(f.size_bytes, 0), (octet_length(f.traits::TEXT) + octet_length(f.stamps::TEXT))::INT4) END) OVER (ORDER BY f.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS held
    FROM (
        SELECT t.position, i.profile_id, i.not_before, p.version, p.traits, p.stamps, p.size_bytes,
            t.with_traits AND row_number() OVER (PARTITION BY i.profile_id, t.with_traits ORDER BY t.position) = 1 AS is_wanted
        FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[], $5::BOOL[])
            AS t (position, project_id, kind, value, with_traits)
        JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
        JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = i.profile_id
    ) AS f
) AS w
UNION ALL
SELECT s.position, NULL::UUID, NULL::INT8, NULL::TIMESTAMPTZ, NULL::TEXT, NULL::TEXT
FROM unnest($6::INT4[], $7::INT4[], $8::UUID[]) AS s (position, project_id, event_id)
JOIN event AS e ON e.project_id = s.project_id AND e.event_id = s.event_id",
};

/// The part of a statement that finds a name of which the writer knows no erasure, or an older one only. Where there is one nothing is
/// written, and the writer asks.
macro_rules! barred {
    ($projects:literal, $hashes:literal, $not_before:literal) => {
        concat!(
            "barred AS (
    SELECT e.erased_at
    FROM unnest(",
            $projects,
            "::INT4[], ",
            $hashes,
            "::BYTEA[], ",
            $not_before,
            "::TIMESTAMPTZ[])
        AS t (project_id, identity_hash, not_before)
    JOIN erasure AS e ON e.project_id = t.project_id AND e.identity_hash = t.identity_hash
    WHERE t.not_before IS NULL OR t.not_before < e.erased_at LIMIT 1
)"
        )
    };
}

/// Claims identities, and makes the profiles of those that were won; a row of NULLs tells that one was erased. Idempotent: who lost reads
/// who won.
pub(super) const CREATE_IDENTITIES: Statement = Statement {
    name: "create_identities",
    sql: concat!(
        "-- create_identities
WITH ",
        barred!("$1", "$7", "$6"),
        ", won AS (
    INSERT INTO identity (project_id, kind, value, profile_id, first_seen, not_before)
    SELECT t.project_id, t.kind, t.value, t.profile_id, t.first_seen, t.not_before
    FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::UUID[], $5::TIMESTAMPTZ[], $6::TIMESTAMPTZ[])
        AS t (project_id, kind, value, profile_id, first_seen, not_before)
    WHERE NOT EXISTS (SELECT 1 FROM barred)
    ON CONFLICT (project_id, kind, value) DO NOTHING
    RETURNING project_id, kind, value, profile_id
), born AS (
    INSERT INTO profile (project_id, profile_id, traits, stamps, version, created_at, updated_at, size_bytes)
    SELECT n.project_id, n.profile_id, n.traits, n.stamps, 1, n.created_at, n.created_at, n.size_bytes
    FROM unnest($8::INT4[], $9::UUID[], $10::JSONB[], $11::JSONB[], $12::TIMESTAMPTZ[], $13::INT4[])
        AS n (project_id, profile_id, traits, stamps, created_at, size_bytes)
    WHERE EXISTS (SELECT 1 FROM won WHERE won.project_id = n.project_id AND won.profile_id = n.profile_id)
    ON CONFLICT (project_id, profile_id) DO NOTHING
    RETURNING project_id, profile_id
), ",
        marked!("born"),
        "
SELECT project_id, kind, value FROM won UNION ALL SELECT NULL::INT4, NULL::TEXT, NULL::TEXT FROM barred"
    ),
};

/// Links identities to profiles that exist, by compare-and-set on the profile: it is still there, and nobody gave it another
/// name meanwhile. A row tells that a name was erased. Idempotent: a repeat finds a newer version, and the next look-up finds the links.
pub(super) const LINK_IDENTITIES: Statement = Statement {
    name: "link_identities",
    sql: concat!(
        "-- link_identities
WITH ",
        barred!("$5", "$11", "$10"),
        ", held AS (
    UPDATE profile AS p SET version = p.version + 1, updated_at = GREATEST(p.updated_at, t.updated_at)
    FROM unnest($1::INT4[], $2::UUID[], $3::INT8[], $4::TIMESTAMPTZ[]) AS t (project_id, profile_id, version, updated_at)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id AND p.version = t.version AND NOT EXISTS (SELECT 1 FROM barred)
    RETURNING p.project_id, p.profile_id
), ",
        marked!("held"),
        ", linked AS (
    INSERT INTO identity (project_id, kind, value, profile_id, first_seen, not_before)
    SELECT t.project_id, t.kind, t.value, t.profile_id, t.first_seen, t.not_before
    FROM unnest($5::INT4[], $6::TEXT[], $7::TEXT[], $8::UUID[], $9::TIMESTAMPTZ[], $10::TIMESTAMPTZ[])
        AS t (project_id, kind, value, profile_id, first_seen, not_before)
    WHERE EXISTS (SELECT 1 FROM held WHERE held.project_id = t.project_id AND held.profile_id = t.profile_id)
    ON CONFLICT (project_id, kind, value) DO NOTHING
    RETURNING profile_id
)
SELECT erased_at FROM barred"
    ),
};

/// Writes traits by compare-and-set: who does not come back lost a race and reads again. Idempotent: a repeat finds a newer
/// version, and the merge then has nothing to change.
pub(super) const WRITE_TRAITS: Statement = Statement {
    name: "write_traits",
    sql: concat!(
        "-- write_traits
WITH written AS (
    UPDATE profile AS p SET traits = t.traits, stamps = t.stamps, version = p.version + 1, updated_at = GREATEST(p.updated_at, t.updated_at), size_bytes = t.size_bytes
    FROM unnest($1::INT4[], $2::UUID[], $3::INT8[], $4::JSONB[], $5::JSONB[], $6::TIMESTAMPTZ[], $7::INT4[])
        AS t (project_id, profile_id, version, traits, stamps, updated_at, size_bytes)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id AND p.version = t.version
    RETURNING p.project_id, p.profile_id
), ",
        marked!("written"),
        "
SELECT project_id, profile_id FROM written"
    ),
};
