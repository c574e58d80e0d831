-- ping
SELECT now();

-- heartbeat
INSERT INTO heartbeat AS h (slot, node, beaten_at, marking_node, in_flight_ms) VALUES ($1::INT4, $2::UUID, now(), $2::UUID, $3::INT8)
ON CONFLICT (slot) DO UPDATE SET node = excluded.node, beaten_at = excluded.beaten_at, marking_node = excluded.marking_node,
    in_flight_ms = excluded.in_flight_ms
RETURNING beaten_at;

-- check_tables
SELECT 1::INT4 FROM project WHERE FALSE UNION ALL SELECT 1::INT4 FROM api_key WHERE FALSE
UNION ALL SELECT 1::INT4 FROM profile WHERE FALSE UNION ALL SELECT 1::INT4 FROM identity WHERE FALSE
UNION ALL SELECT 1::INT4 FROM event WHERE FALSE UNION ALL SELECT 1::INT4 FROM rejection WHERE FALSE
UNION ALL SELECT 1::INT4 FROM conflict WHERE FALSE UNION ALL SELECT 1::INT4 FROM membership WHERE FALSE
UNION ALL SELECT 1::INT4 FROM erasure WHERE FALSE UNION ALL SELECT 1::INT4 FROM erasure_request WHERE FALSE
UNION ALL SELECT 1::INT4 FROM merge_record WHERE FALSE UNION ALL SELECT 1::INT4 FROM split WHERE FALSE
UNION ALL SELECT 1::INT4 FROM blocked_name WHERE FALSE
UNION ALL SELECT 1::INT4 FROM erasure_salt WHERE FALSE UNION ALL SELECT 1::INT4 FROM event_walk WHERE FALSE
UNION ALL SELECT 1::INT4 FROM backfill_source WHERE FALSE UNION ALL SELECT 1::INT4 FROM backfill_partition WHERE FALSE
UNION ALL SELECT 1::INT4 FROM backfill_count WHERE FALSE UNION ALL SELECT 1::INT4 FROM backfill_rejection WHERE FALSE
UNION ALL SELECT 1::INT4 FROM migration WHERE FALSE UNION ALL SELECT 1::INT4 FROM migration_step WHERE FALSE
UNION ALL SELECT 1::INT4 FROM outbox WHERE FALSE UNION ALL SELECT 1::INT4 FROM outbox_gone WHERE FALSE
UNION ALL SELECT 1::INT4 FROM mirror WHERE FALSE UNION ALL SELECT 1::INT4 FROM mirror_refusal WHERE FALSE
UNION ALL SELECT 1::INT4 FROM verification WHERE FALSE UNION ALL SELECT 1::INT4 FROM verification_sample WHERE FALSE
UNION ALL SELECT 1::INT4 FROM read_comparison WHERE FALSE UNION ALL SELECT 1::INT4 FROM read_mismatch WHERE FALSE
UNION ALL SELECT 1::INT4 FROM import_job WHERE FALSE UNION ALL SELECT 1::INT4 FROM import_rejection WHERE FALSE
UNION ALL SELECT 1::INT4 FROM import_pull WHERE FALSE UNION ALL SELECT 1::INT4 FROM import_schedule WHERE FALSE
UNION ALL SELECT 1::INT4 FROM import_fetched WHERE FALSE UNION ALL SELECT 1::INT4 FROM token_invalidation WHERE FALSE
UNION ALL SELECT 1::INT4 FROM static_list WHERE FALSE UNION ALL SELECT 1::INT4 FROM static_list_member WHERE FALSE
UNION ALL SELECT 1::INT4 FROM device_holder WHERE FALSE
UNION ALL SELECT 1::INT4 FROM field_type WHERE FALSE
UNION ALL SELECT 1::INT4 FROM worker WHERE FALSE UNION ALL SELECT 1::INT4 FROM schema_step WHERE FALSE;

-- insert_events
INSERT INTO event (project_id, event_id, profile_id, type, name, message_id, occurred_at, received_at, properties, context, via)
SELECT t.project_id, t.event_id, i.profile_id, t.type, t.name, t.message_id, t.occurred_at, t.received_at, t.properties, t.context, t.via
FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TIMESTAMPTZ[], $9::TIMESTAMPTZ[], $10::JSONB[], $11::JSONB[], $12::INT8[], $13::TIMESTAMPTZ[], $14::TEXT[], $15::TEXT[])
    AS t (project_id, event_id, identity_kind, identity_value, type, name, message_id, occurred_at, received_at, properties, context, via, earliest, second_kind, second_value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.identity_kind AND i.value = t.identity_value
LEFT JOIN identity AS s ON s.project_id = t.project_id AND s.kind = t.second_kind AND s.value = t.second_value
WHERE (i.not_before IS NULL OR t.earliest > i.not_before) AND (t.second_kind IS NULL OR (s.profile_id = i.profile_id AND s.not_before IS NULL))
ON CONFLICT (project_id, event_id) DO NOTHING
RETURNING project_id, event_id;

-- resolve_identities
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
JOIN event AS e ON e.project_id = s.project_id AND e.event_id = s.event_id;

-- create_identities
WITH barred AS (
    SELECT e.erased_at
    FROM unnest($1::INT4[], $7::BYTEA[], $6::TIMESTAMPTZ[])
        AS t (project_id, identity_hash, not_before)
    JOIN erasure AS e ON e.project_id = t.project_id AND e.identity_hash = t.identity_hash
    WHERE t.not_before IS NULL OR t.not_before < e.erased_at LIMIT 1
), won AS (
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
), marked AS (
    INSERT INTO outbox AS o (project_id, profile_id, mark, marked_at)
    SELECT c.project_id, c.profile_id, (SELECT gen_random_uuid()), now()
    FROM born AS c JOIN migration AS m ON m.project_id = c.project_id AND m.mirrors
    ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark
    RETURNING o.profile_id
)
SELECT project_id, kind, value FROM won UNION ALL SELECT NULL::INT4, NULL::TEXT, NULL::TEXT FROM barred;

-- link_identities
WITH barred AS (
    SELECT e.erased_at
    FROM unnest($5::INT4[], $11::BYTEA[], $10::TIMESTAMPTZ[])
        AS t (project_id, identity_hash, not_before)
    JOIN erasure AS e ON e.project_id = t.project_id AND e.identity_hash = t.identity_hash
    WHERE t.not_before IS NULL OR t.not_before < e.erased_at LIMIT 1
), held AS (
    UPDATE profile AS p SET version = p.version + 1, updated_at = GREATEST(p.updated_at, t.updated_at)
    FROM unnest($1::INT4[], $2::UUID[], $3::INT8[], $4::TIMESTAMPTZ[]) AS t (project_id, profile_id, version, updated_at)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id AND p.version = t.version AND NOT EXISTS (SELECT 1 FROM barred)
    RETURNING p.project_id, p.profile_id
), marked AS (
    INSERT INTO outbox AS o (project_id, profile_id, mark, marked_at)
    SELECT c.project_id, c.profile_id, (SELECT gen_random_uuid()), now()
    FROM held AS c JOIN migration AS m ON m.project_id = c.project_id AND m.mirrors
    ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark
    RETURNING o.profile_id
), linked AS (
    INSERT INTO identity (project_id, kind, value, profile_id, first_seen, not_before)
    SELECT t.project_id, t.kind, t.value, t.profile_id, t.first_seen, t.not_before
    FROM unnest($5::INT4[], $6::TEXT[], $7::TEXT[], $8::UUID[], $9::TIMESTAMPTZ[], $10::TIMESTAMPTZ[])
        AS t (project_id, kind, value, profile_id, first_seen, not_before)
    WHERE EXISTS (SELECT 1 FROM held WHERE held.project_id = t.project_id AND held.profile_id = t.profile_id)
    ON CONFLICT (project_id, kind, value) DO NOTHING
    RETURNING profile_id
)
SELECT erased_at FROM barred;

-- load_names
SELECT i.profile_id, count(*)::INT8, bool_or(i.kind = 'user_id'), sum(CASE WHEN i.kind = 'email' THEN 1 ELSE 0 END)::INT8, max(p.absorbed_count)::INT4
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
JOIN identity AS i ON i.profile_id = t.profile_id
GROUP BY i.profile_id;

-- write_traits
WITH written AS (
    UPDATE profile AS p SET traits = t.traits, stamps = t.stamps, version = p.version + 1, updated_at = GREATEST(p.updated_at, t.updated_at), size_bytes = t.size_bytes
    FROM unnest($1::INT4[], $2::UUID[], $3::INT8[], $4::JSONB[], $5::JSONB[], $6::TIMESTAMPTZ[], $7::INT4[])
        AS t (project_id, profile_id, version, traits, stamps, updated_at, size_bytes)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id AND p.version = t.version
    RETURNING p.project_id, p.profile_id
), marked AS (
    INSERT INTO outbox AS o (project_id, profile_id, mark, marked_at)
    SELECT c.project_id, c.profile_id, (SELECT gen_random_uuid()), now()
    FROM written AS c JOIN migration AS m ON m.project_id = c.project_id AND m.mirrors
    ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark
    RETURNING o.profile_id
)
SELECT project_id, profile_id FROM written;

-- insert_rejections
INSERT INTO rejection (project_id, received_at, rejection_id, code, field, message, message_id, item, warnings, name_hashes)
SELECT t.project_id, t.received_at, t.rejection_id, t.code, t.field, t.message, t.message_id, t.item, t.warnings, t.name_hashes
FROM unnest($1::INT4[], $2::TIMESTAMPTZ[], $3::UUID[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::JSONB[], $9::JSONB[], $10::JSONB[])
    AS t (project_id, received_at, rejection_id, code, field, message, message_id, item, warnings, name_hashes)
ON CONFLICT (project_id, received_at, rejection_id) DO NOTHING;

-- insert_memberships
INSERT INTO membership (project_id, profile_id, group_id, first_seen)
SELECT t.project_id, t.profile_id, t.group_id, t.first_seen
FROM unnest($1::INT4[], $2::UUID[], $3::UUID[], $4::TIMESTAMPTZ[]) AS t (project_id, profile_id, group_id, first_seen)
ON CONFLICT (profile_id, group_id) DO NOTHING;

-- delete_memberships
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $2::TEXT AND w.token = $3::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM membership WHERE profile_id = ANY($1::UUID[]) AND ($2::TEXT IS NULL OR EXISTS (SELECT 1 FROM held));

-- delete_members
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $2::TEXT AND w.token = $3::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM membership WHERE group_id = ANY($1::UUID[]) AND ($2::TEXT IS NULL OR EXISTS (SELECT 1 FROM held));

-- lock_profiles
SELECT p.profile_id, p.version, p.merged_from,
    COALESCE(NULLIF(p.size_bytes, 0), (octet_length(p.traits::TEXT) + octet_length(p.stamps::TEXT))::INT4), p.absorbed_count
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
WHERE p.merged_into IS NULL
ORDER BY p.profile_id FOR UPDATE OF p;

-- load_locked
SELECT p.profile_id, p.traits::TEXT, p.stamps::TEXT,
    (SELECT count(*) FROM identity AS i WHERE i.profile_id = p.profile_id)::INT8,
    (SELECT count(*) FROM identity AS i WHERE i.profile_id = p.profile_id AND i.kind = 'email')::INT8,
    EXISTS (SELECT 1 FROM identity AS i WHERE i.profile_id = p.profile_id AND i.kind = 'user_id')
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id;

-- find_outdated
SELECT t.place
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[], $5::UUID[]) AS t (place, project_id, kind, value, profile_id)
LEFT JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
WHERE i.profile_id IS DISTINCT FROM t.profile_id;

-- update_survivors
WITH updated AS (
    UPDATE profile AS p SET traits = t.traits, stamps = t.stamps, version = t.version, updated_at = t.updated_at, size_bytes = t.size_bytes, absorbed_count = t.absorbed_count,
        merged_from = p.merged_from || ARRAY(SELECT r.retired FROM unnest($8::UUID[], $9::UUID[]) AS r (retired, survivor) WHERE r.survivor = p.profile_id)
    FROM unnest($1::INT4[], $2::UUID[], $3::JSONB[], $4::JSONB[], $5::INT8[], $6::TIMESTAMPTZ[], $7::INT4[], $10::INT4[])
        AS t (project_id, profile_id, traits, stamps, version, updated_at, size_bytes, absorbed_count)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id
    RETURNING p.project_id, p.profile_id
), marked AS (
    INSERT INTO outbox AS o (project_id, profile_id, mark, marked_at)
    SELECT c.project_id, c.profile_id, (SELECT gen_random_uuid()), now()
    FROM updated AS c JOIN migration AS m ON m.project_id = c.project_id AND m.mirrors
    ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark
    RETURNING o.profile_id
)
SELECT count(*)::INT8 FROM updated;

-- move_identities
UPDATE identity AS i SET profile_id = t.survivor
FROM unnest($1::UUID[], $2::UUID[]) AS t (retired, survivor)
WHERE i.profile_id = t.retired;

-- retire_profiles
UPDATE profile AS p SET merged_into = t.survivor, traits = $5::JSONB, stamps = $6::JSONB, version = p.version + 1,
    merged_from = ARRAY[]::UUID[], updated_at = $4::TIMESTAMPTZ, size_bytes = $7::INT4
FROM unnest($1::INT4[], $2::UUID[], $3::UUID[]) AS t (project_id, retired, survivor)
WHERE p.project_id = t.project_id AND p.profile_id = t.retired;

-- insert_conflicts
INSERT INTO conflict (project_id, conflict_id, kind, value, owner_id, claimant_id, first_seen, reason)
SELECT t.project_id, t.conflict_id, t.kind, t.value, t.owner_id, t.claimant_id, t.first_seen, t.reason
FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::UUID[], $6::UUID[], $7::TIMESTAMPTZ[], $8::TEXT[])
    AS t (project_id, conflict_id, kind, value, owner_id, claimant_id, first_seen, reason)
ON CONFLICT (project_id, conflict_id) DO NOTHING;

-- load_salt
SELECT salt FROM erasure_salt WHERE id = 1;

-- load_erased
SELECT t.position, e.erased_at, e.is_forgotten
FROM unnest($1::INT4[], $2::INT4[], $3::BYTEA[]) AS t (position, project_id, identity_hash)
JOIN erasure AS e ON e.project_id = t.project_id AND e.identity_hash = t.identity_hash;

-- lock_erased
SELECT p.profile_id, p.merged_from
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
JOIN profile AS p ON p.project_id = i.project_id AND p.profile_id = i.profile_id
WHERE i.not_before IS NULL OR i.not_before < $4::TIMESTAMPTZ
ORDER BY p.profile_id FOR UPDATE OF p;

-- delete_identities
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
SELECT kind, value FROM gone;

-- delete_profiles
DELETE FROM profile WHERE (project_id, profile_id) IN (
    SELECT t.project_id, t.profile_id FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
);

-- remember_erased
INSERT INTO erasure AS e (project_id, identity_hash, erasure_id, erased_at, is_forgotten, shown_hash)
SELECT t.project_id, t.identity_hash, $3::UUID, $4::TIMESTAMPTZ, $5::BOOL,
    CASE WHEN $5::BOOL AND (SELECT p.identity_rules ->> 'shows_forgotten' FROM project AS p WHERE p.project_id = t.project_id) = 'true' THEN t.shown_hash END
FROM unnest($1::INT4[], $2::BYTEA[], $6::TEXT[]) AS t (project_id, identity_hash, shown_hash)
ON CONFLICT (project_id, identity_hash) DO UPDATE SET
    erasure_id = CASE WHEN e.is_forgotten AND NOT excluded.is_forgotten THEN e.erasure_id ELSE excluded.erasure_id END,
    erased_at = GREATEST(e.erased_at, excluded.erased_at), is_forgotten = e.is_forgotten OR excluded.is_forgotten,
    shown_hash = COALESCE(excluded.shown_hash, e.shown_hash);

-- record_erasure
INSERT INTO erasure_request AS r (project_id, erasure_id, requested_at, is_forgotten, identity_count, event_count, identities, profile_ids, sweep_at, kept_ids)
VALUES ($1::INT4, $2::UUID, $3::TIMESTAMPTZ, $4::BOOL, $5::INT8, 0, $6::JSONB, $7::UUID[], now() + ($8::FLOAT8 * '1 second'::INTERVAL), $9::UUID[])
ON CONFLICT (project_id, erasure_id) DO UPDATE SET identity_count = r.identity_count + excluded.identity_count,
    identities = r.identities || excluded.identities, profile_ids = r.profile_ids || excluded.profile_ids,
    kept_ids = r.kept_ids || excluded.kept_ids, sweep_at = excluded.sweep_at, cleared_at = NULL, finished_at = NULL
RETURNING profile_ids;

-- erase_events
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $6::TEXT AND w.token = $7::INT8 AND w.expires_at > now() FOR SHARE), hits AS (
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
    WHERE e.project_id = h.project_id AND e.event_id = h.event_id AND e.type <> 'erased' AND ($6::TEXT IS NULL OR EXISTS (SELECT 1 FROM held))
    RETURNING e.event_id
), counted AS (
    UPDATE erasure_request SET event_count = event_count + (SELECT count(*) FROM emptied)
    WHERE project_id = $1::INT4 AND erasure_id = $2::UUID
    RETURNING erasure_id
)
SELECT count(*)::INT8, ($6::TEXT IS NULL OR EXISTS (SELECT 1 FROM held)) FROM hits;

-- empty_rejections
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), hits AS (
    SELECT r.project_id, r.received_at, r.rejection_id
    FROM erasure AS e
    JOIN rejection AS r ON r.name_hashes @> to_jsonb(encode(e.identity_hash, 'hex'))
    WHERE e.erasure_id = $1::UUID AND r.received_at <= $2::TIMESTAMPTZ
    LIMIT $3::INT8
), emptied AS (
    UPDATE rejection AS r SET field = NULL, message = 'the person was erased', message_id = NULL, item = 'null'::JSONB,
        warnings = CASE WHEN r.warnings IS NOT NULL THEN '[]'::JSONB END, name_hashes = NULL
    FROM hits AS h
    WHERE r.project_id = h.project_id AND r.received_at = h.received_at AND r.rejection_id = h.rejection_id AND ($4::TEXT IS NULL OR EXISTS (SELECT 1 FROM held))
    RETURNING r.rejection_id
)
SELECT count(*)::INT8, ($4::TEXT IS NULL OR EXISTS (SELECT 1 FROM held)) FROM hits;

-- empty_refusals
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), hits AS (
    SELECT r.project_id, r.source, r.topic, r.partition, r.record_offset
    FROM erasure AS e
    JOIN backfill_rejection AS r ON r.name_hashes @> to_jsonb(encode(e.identity_hash, 'hex'))
    WHERE e.erasure_id = $1::UUID AND LEAST(r.record_at, r.rejected_at) <= $2::TIMESTAMPTZ
    LIMIT $3::INT8
), emptied AS (
    UPDATE backfill_rejection AS r SET field = NULL, message = 'the person was erased', record_key = NULL, record = NULL, name_hashes = NULL
    FROM hits AS h
    WHERE r.project_id = h.project_id AND r.source = h.source AND r.topic = h.topic AND r.partition = h.partition
        AND r.record_offset = h.record_offset AND ($4::TEXT IS NULL OR EXISTS (SELECT 1 FROM held))
    RETURNING r.record_offset
)
SELECT count(*)::INT8, ($4::TEXT IS NULL OR EXISTS (SELECT 1 FROM held)) FROM hits;

-- empty_lines
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), hits AS (
    SELECT r.project_id, r.job_id, r.number
    FROM erasure AS e
    JOIN import_rejection AS r ON r.name_hashes @> to_jsonb(encode(e.identity_hash, 'hex'))
    WHERE e.erasure_id = $1::UUID AND LEAST(r.record_at, r.rejected_at) <= $2::TIMESTAMPTZ
    LIMIT $3::INT8
), emptied AS (
    UPDATE import_rejection AS r SET field = NULL, message = 'the person was erased', record = NULL, name_hashes = NULL
    FROM hits AS h
    WHERE r.project_id = h.project_id AND r.job_id = h.job_id AND r.number = h.number AND ($4::TEXT IS NULL OR EXISTS (SELECT 1 FROM held))
    RETURNING r.number
)
SELECT count(*)::INT8, ($4::TEXT IS NULL OR EXISTS (SELECT 1 FROM held)) FROM hits;

-- empty_samples
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), hits AS (
    SELECT s.project_id, s.verification_id, s.number
    FROM erasure AS e
    JOIN verification_sample AS s ON s.name_hashes @> to_jsonb(encode(e.identity_hash, 'hex'))
    WHERE e.erasure_id = $1::UUID AND s.found_at <= $2::TIMESTAMPTZ
    LIMIT $3::INT8
), emptied AS (
    UPDATE verification_sample AS s SET document_id = NULL, field = NULL, ours = NULL, theirs = NULL, name_hashes = NULL
    FROM hits AS h
    WHERE s.project_id = h.project_id AND s.verification_id = h.verification_id AND s.number = h.number AND ($4::TEXT IS NULL OR EXISTS (SELECT 1 FROM held))
    RETURNING s.number
)
SELECT count(*)::INT8, ($4::TEXT IS NULL OR EXISTS (SELECT 1 FROM held)) FROM hits;

-- delete_conflicts
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $2::TEXT AND w.token = $3::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM conflict WHERE owner_id = ANY($1::UUID[]) AND ($2::TEXT IS NULL OR EXISTS (SELECT 1 FROM held));

-- delete_claims
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $2::TEXT AND w.token = $3::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM conflict WHERE claimant_id = ANY($1::UUID[]) AND ($2::TEXT IS NULL OR EXISTS (SELECT 1 FROM held));

-- mark_cleared
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $3::TEXT AND w.token = $4::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE erasure_request SET cleared_at = COALESCE(cleared_at, now())
WHERE project_id = $1::INT4 AND erasure_id = $2::UUID AND ($3::TEXT IS NULL OR EXISTS (SELECT 1 FROM held));

-- find_returned
SELECT i.profile_id
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
WHERE i.not_before IS NULL OR i.not_before < $4::TIMESTAMPTZ
LIMIT 1;

-- mark_finished
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $3::TEXT AND w.token = $4::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE erasure_request SET finished_at = now(), identities = '[]'::JSONB, profile_ids = ARRAY[]::UUID[], kept_ids = NULL
WHERE project_id = $1::INT4 AND erasure_id = $2::UUID AND finished_at IS NULL AND EXISTS (SELECT 1 FROM held)
RETURNING erasure_id;

-- due_erasures
SELECT project_id, erasure_id, requested_at, is_forgotten, identities::TEXT, profile_ids, attempts, kept_ids
FROM erasure_request WHERE finished_at IS NULL AND sweep_at <= now()
ORDER BY sweep_at LIMIT $1::INT8;

-- oldest_erasure
SELECT COALESCE(EXTRACT(EPOCH FROM now() - min(o.requested_at)), 0)::FLOAT8
FROM (SELECT requested_at FROM erasure_request WHERE finished_at IS NULL ORDER BY sweep_at LIMIT $1::INT8) AS o;

-- put_off_erasure
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $5::TEXT AND w.token = $6::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE erasure_request SET sweep_at = GREATEST(sweep_at, now() + ($3::FLOAT8 * '1 second'::INTERVAL)), attempts = $4::INT4
WHERE project_id = $1::INT4 AND erasure_id = $2::UUID AND EXISTS (SELECT 1 FROM held);

-- load_erasure
SELECT erasure_id, requested_at, is_forgotten, identity_count, event_count, cleared_at, finished_at
FROM erasure_request WHERE project_id = $1::INT4 AND erasure_id = $2::UUID;

-- lift_block
UPDATE erasure SET is_forgotten = FALSE, shown_hash = NULL
WHERE erasure_id = (SELECT e.erasure_id FROM erasure AS e WHERE e.project_id = $1::INT4 AND e.identity_hash = $2::BYTEA)
RETURNING erasure_id;

-- load_newer
SELECT p.profile_id, p.traits::TEXT, p.stamps::TEXT, p.updated_at > $3::TIMESTAMPTZ, EXISTS (
    SELECT 1 FROM unnest(array_append(p.merged_from, p.profile_id)) AS m (profile_id)
    JOIN event AS e ON e.profile_id = m.profile_id AND e.occurred_at > $3::TIMESTAMPTZ AND e.received_at > $3::TIMESTAMPTZ
)
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id;

-- keep_newer
WITH kept AS (
    UPDATE profile AS p SET traits = t.traits, stamps = t.stamps, version = p.version + 1, updated_at = now(), size_bytes = t.size_bytes
    FROM unnest($1::INT4[], $2::UUID[], $3::JSONB[], $4::JSONB[], $5::INT4[]) AS t (project_id, profile_id, traits, stamps, size_bytes)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id
    RETURNING p.project_id, p.profile_id
), marked AS (
    INSERT INTO outbox AS o (project_id, profile_id, mark, marked_at)
    SELECT c.project_id, c.profile_id, (SELECT gen_random_uuid()), now()
    FROM kept AS c JOIN migration AS m ON m.project_id = c.project_id AND m.mirrors
    ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark
    RETURNING o.profile_id
)
SELECT count(*)::INT8 FROM kept;

-- bar_older
WITH barred AS (
    UPDATE identity SET not_before = $2::TIMESTAMPTZ
    WHERE profile_id = ANY($1::UUID[]) AND (not_before IS NULL OR not_before < $2::TIMESTAMPTZ)
    RETURNING project_id, kind, value
), noted AS (
    INSERT INTO outbox_gone AS o (project_id, kind, value, mark, marked_at, due_at, looks, only_ours, erased_at)
    SELECT b.project_id, b.kind, b.value, gen_random_uuid(), now(), now(), 0, TRUE, $2::TIMESTAMPTZ
    FROM barred AS b JOIN migration AS m ON m.project_id = b.project_id AND m.mirrors AND m.document_kind = ''
    ON CONFLICT (project_id, kind, value) DO UPDATE SET mark = excluded.mark, due_at = excluded.due_at, looks = 0,
        marked_at = CASE WHEN o.looks = 0 THEN o.marked_at ELSE excluded.marked_at END, only_ours = o.only_ours AND excluded.only_ours,
        erased_at = GREATEST(o.erased_at, excluded.erased_at)
    RETURNING o.value
)
SELECT count(*)::INT8 FROM barred;

-- find_person
SELECT p.profile_id, p.merged_from
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = i.profile_id;

-- find_person_by_id
SELECT s.profile_id, s.merged_from
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
JOIN profile AS s ON s.project_id = t.project_id AND s.profile_id = COALESCE(p.merged_into, p.profile_id);

-- load_conflicts
SELECT conflict_id, kind, value, owner_id, claimant_id, first_seen, reason
FROM conflict
WHERE project_id = $1::INT4 AND (first_seen, conflict_id) < ($2::TIMESTAMPTZ, $3::UUID)
ORDER BY first_seen DESC, conflict_id DESC
LIMIT $4::INT8;

-- load_conflicts_of
SELECT conflict_id, kind, value, owner_id, claimant_id, first_seen, reason
FROM conflict WHERE owner_id = ANY($1::UUID[]) AND conflict_id > $2::UUID
UNION
SELECT conflict_id, kind, value, owner_id, claimant_id, first_seen, reason
FROM conflict WHERE claimant_id = ANY($1::UUID[]) AND conflict_id > $2::UUID
ORDER BY conflict_id
LIMIT $3::INT8;

-- load_profiles
SELECT p.position, p.profile_id, p.traits, p.version, p.created_at, p.updated_at,
    ARRAY(SELECT i.kind FROM identity AS i WHERE i.profile_id = p.profile_id ORDER BY i.kind, i.value),
    ARRAY(SELECT i.value FROM identity AS i WHERE i.profile_id = p.profile_id ORDER BY i.kind, i.value),
    ARRAY(SELECT i.first_seen FROM identity AS i WHERE i.profile_id = p.profile_id ORDER BY i.kind, i.value),
    (
        SELECT min(e.occurred_at) FROM unnest(p.merged_from || p.profile_id) AS t (id)
        CROSS JOIN LATERAL (SELECT own.occurred_at FROM event AS own WHERE own.profile_id = t.id ORDER BY own.occurred_at LIMIT 1) AS e
    ),
    (
        SELECT max(e.occurred_at) FROM unnest(p.merged_from || p.profile_id) AS t (id)
        CROSS JOIN LATERAL (SELECT own.occurred_at FROM event AS own WHERE own.profile_id = t.id ORDER BY own.occurred_at DESC LIMIT 1) AS e
    ),
    p.group_ids,
    p.taken::INT8
FROM (
    SELECT w.*, sum(w.size) OVER (ORDER BY w.position ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS taken
    FROM (
        SELECT t.*, (octet_length(t.traits) + octet_length(array_to_string(t.group_ids, '')) + (
            SELECT COALESCE(sum(octet_length(i.value)), 0) FROM identity AS i WHERE i.profile_id = t.profile_id
        ))::INT8 AS size
        FROM (
            SELECT r.position, q.profile_id, q.merged_from, q.traits::TEXT AS traits, q.version, q.created_at, q.updated_at,
                ARRAY(
                    SELECT DISTINCT i.value FROM unnest(q.merged_from || q.profile_id) AS t (id)
                    JOIN membership AS m ON m.profile_id = t.id
                    JOIN profile AS g ON g.project_id = m.project_id AND g.profile_id = m.group_id
                    JOIN identity AS i ON i.profile_id = COALESCE(g.merged_into, g.profile_id) AND i.kind = 'group_id'
                    ORDER BY i.value LIMIT 1000
                ) AS group_ids
            FROM (
                SELECT t.position, i.project_id, i.profile_id
                FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
                JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
                UNION ALL
                SELECT s.position, q.project_id, COALESCE(q.merged_into, q.profile_id)
                FROM unnest($5::INT4[], $6::INT4[], $7::UUID[]) AS s (position, project_id, profile_id)
                JOIN profile AS q ON q.project_id = s.project_id AND q.profile_id = s.profile_id
            ) AS r
            JOIN profile AS q ON q.project_id = r.project_id AND q.profile_id = r.profile_id
            OFFSET 0
        ) AS t
        OFFSET 0
    ) AS w
) AS p
WHERE p.taken - p.size < $8::INT8;

-- load_owners
SELECT t.place, i.profile_id, ARRAY(SELECT u.value FROM identity AS u WHERE u.profile_id = i.profile_id AND u.kind = 'user_id'),
    EXISTS (SELECT 1 FROM identity AS e WHERE e.profile_id = i.profile_id AND e.kind = 'email')
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (place, project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value;

-- sample_fields
SELECT k.key, min(CASE
    WHEN (k.traits -> k.key) IN ('[]'::JSONB, '""'::JSONB, 'null'::JSONB) THEN NULL
    ELSE substr((k.traits -> k.key)::TEXT, 1, 64)
END)
FROM (
    SELECT s.traits, jsonb_object_keys(s.traits) AS key
    FROM unnest($1::INT4[]) AS t (project_id)
    CROSS JOIN LATERAL (
        SELECT own.traits FROM profile AS own WHERE own.project_id = t.project_id ORDER BY own.profile_id LIMIT $2::INT8
    ) AS s
) AS k
GROUP BY k.key ORDER BY k.key LIMIT $3::INT8;

-- load_field_types
SELECT f.category, f.name, f.type FROM field_type AS f
WHERE f.project_id = $1::INT4 AND f.category = ANY($2::TEXT[]) LIMIT $3::INT8;

-- fix_field_types
INSERT INTO field_type (project_id, category, name, type, first_seen)
SELECT t.project_id, t.category, t.name, t.type, now()
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) AS t (project_id, category, name, type)
ON CONFLICT (project_id, category, name) DO NOTHING
RETURNING category, name, type;

-- find_field_types
SELECT f.category, f.name, f.type FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, category, name)
JOIN field_type AS f ON f.project_id = t.project_id AND f.category = t.category AND f.name = t.name;

-- count_field_types
SELECT count(*) FROM (
    SELECT f.name FROM field_type AS f WHERE f.project_id = $1::INT4 LIMIT $2::INT8
) AS s;

-- forget_field_type
DELETE FROM field_type WHERE project_id = $1::INT4 AND category = $2::TEXT AND name = $3::TEXT
RETURNING name;

-- load_identities
SELECT kind, value FROM identity WHERE profile_id = $1::UUID ORDER BY kind, value;

-- load_timeline
SELECT p.event_id, p.profile_id, p.type, p.name, p.message_id, p.occurred_at, p.received_at, p.properties, p.context, p.via
FROM (
    SELECT w.*, sum(w.size) OVER (ORDER BY w.occurred_at DESC, w.event_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - w.size AS before
    FROM (
        SELECT t.*, (octet_length(t.properties) + octet_length(t.context))::INT8 AS size
        FROM (
            SELECT r.event_id, r.profile_id, r.type, r.name, r.message_id, r.occurred_at, r.received_at, r.properties::TEXT AS properties, r.context::TEXT AS context, r.via
            FROM (
                SELECT e.*
                FROM unnest($2::UUID[]) AS t (profile_id)
                CROSS JOIN LATERAL (
                    SELECT min(newest.occurred_at) AS occurred_at
                    FROM (
                        SELECT own.occurred_at FROM event AS own
                        WHERE own.profile_id = t.profile_id AND own.project_id = $1::INT4
                          AND own.occurred_at >= $3::TIMESTAMPTZ AND own.occurred_at < $4::TIMESTAMPTZ
                          AND (own.occurred_at, own.event_id) < ($5::TIMESTAMPTZ, $6::UUID)
                          AND ($7::TEXT IS NULL OR own.name = $7::TEXT) AND ($8::TEXT IS NULL OR own.type = $8::TEXT)
                        ORDER BY own.occurred_at DESC
                        LIMIT $9::INT8
                    ) AS newest
                ) AS oldest
                CROSS JOIN LATERAL (
                    SELECT * FROM event AS own
                    WHERE own.profile_id = t.profile_id AND own.project_id = $1::INT4
                      AND own.occurred_at >= oldest.occurred_at AND own.occurred_at < $4::TIMESTAMPTZ
                      AND (own.occurred_at, own.event_id) < ($5::TIMESTAMPTZ, $6::UUID)
                      AND ($7::TEXT IS NULL OR own.name = $7::TEXT) AND ($8::TEXT IS NULL OR own.type = $8::TEXT)
                    ORDER BY own.occurred_at DESC, own.event_id DESC
                    LIMIT $9::INT8
                ) AS e
                ORDER BY e.occurred_at DESC, e.event_id DESC
                LIMIT $9::INT8
            ) AS r
            OFFSET 0
        ) AS t
    ) AS w
) AS p
WHERE p.before < $10::INT8
ORDER BY p.occurred_at DESC, p.event_id DESC;

-- load_event
SELECT e.event_id, COALESCE(p.merged_into, e.profile_id), e.type, e.name, e.message_id, e.occurred_at, e.received_at, e.properties::TEXT, e.context::TEXT, e.via
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, event_id)
JOIN event AS e ON e.project_id = t.project_id AND e.event_id = t.event_id
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = e.profile_id;

-- load_rejections
SELECT rejection_id, received_at, code, field, message, message_id, item::TEXT, warnings::TEXT
FROM rejection
WHERE project_id = $1::INT4 AND (received_at, rejection_id) < ($2::TIMESTAMPTZ, $3::UUID)
ORDER BY received_at DESC, rejection_id DESC
LIMIT $4::INT8;

-- create_project
INSERT INTO project (project_id, name)
SELECT (COALESCE(max(p.project_id), 0) + 1)::INT4, $1::TEXT FROM project AS p
ON CONFLICT DO NOTHING
RETURNING project_id;

-- find_project
SELECT project_id FROM project WHERE name = $1::TEXT;

-- load_project
SELECT p.project_id, p.identity_kinds::TEXT, p.identity_rules::TEXT,
    (SELECT COALESCE(jsonb_agg(jsonb_build_array(b.kind, b.value)), '[]'::JSONB) FROM blocked_name AS b WHERE b.project_id = p.project_id)::TEXT
FROM project AS p WHERE p.name = $1::TEXT;

-- load_kinds
SELECT p.identity_kinds::TEXT, p.identity_rules::TEXT,
    (SELECT COALESCE(jsonb_agg(jsonb_build_array(b.kind, b.value)), '[]'::JSONB) FROM blocked_name AS b WHERE b.project_id = p.project_id)::TEXT
FROM project AS p WHERE p.project_id = $1::INT4;

-- load_project_names
SELECT p.name FROM unnest($1::INT4[]) AS t (project_id) JOIN project AS p ON p.project_id = t.project_id;

-- create_key
INSERT INTO api_key (key_hash, project_id, kind) VALUES ($1::BYTEA, $2::INT4, $3::TEXT)
ON CONFLICT (key_hash) DO NOTHING;

-- create_signed_key
INSERT INTO api_key (key_hash, project_id, kind, token_secret) VALUES ($1::BYTEA, $2::INT4, 'write', $3::TEXT)
ON CONFLICT (key_hash) DO NOTHING;

-- load_keys
SELECT k.key_hash, k.project_id, k.kind, p.identity_kinds::TEXT, p.identity_rules::TEXT,
    (SELECT COALESCE(jsonb_agg(jsonb_build_array(b.kind, b.value)), '[]'::JSONB) FROM blocked_name AS b WHERE b.project_id = p.project_id)::TEXT, k.token_secret
FROM unnest($1::BYTEA[]) AS t (key_hash)
JOIN api_key AS k ON k.key_hash = t.key_hash
JOIN project AS p ON p.project_id = k.project_id
WHERE k.revoked_at IS NULL;

-- set_kinds
UPDATE project SET identity_kinds = $2::JSONB WHERE project_id = $1::INT4;

-- set_rules
UPDATE project SET identity_rules = $2::JSONB WHERE project_id = $1::INT4;

-- load_criteria
SELECT p.unknown_user_criteria::TEXT FROM project AS p WHERE p.project_id = $1::INT4;

-- set_criteria
UPDATE project SET unknown_user_criteria = $2::JSONB WHERE project_id = $1::INT4;

-- drop_criteria
UPDATE project SET unknown_user_criteria = NULL WHERE project_id = $1::INT4;

-- list_keys
SELECT p.name, k.key_hash, k.kind, k.created_at, k.revoked_at IS NOT NULL
FROM api_key AS k JOIN project AS p ON p.project_id = k.project_id
ORDER BY k.project_id, k.created_at, k.key_hash;

-- revoke_key
UPDATE api_key SET revoked_at = COALESCE(revoked_at, now())
WHERE key_hash = $1::BYTEA
RETURNING project_id;

-- load_calls_of
WITH page AS (
    SELECT DISTINCT rejection_id::TEXT AS key, project_id, received_at, rejection_id
    FROM unnest($1::TEXT[]) AS t (hash)
    JOIN rejection ON name_hashes @> to_jsonb(t.hash)
    WHERE (rejection_id::TEXT) > $2::TEXT
    ORDER BY 1 LIMIT $3::INT8
)
SELECT page.key, r.received_at, r.code, r.field, r.message, r.message_id, r.item::TEXT, r.warnings::TEXT, NULL::BYTEA, NULL::BYTEA
FROM page JOIN rejection AS r USING (project_id, received_at, rejection_id)
ORDER BY page.key;

-- load_records_of
WITH page AS (
    SELECT DISTINCT source || ' ' || topic || ' ' || partition::TEXT || ' ' || record_offset::TEXT AS key, project_id, source, topic, partition, record_offset
    FROM unnest($1::TEXT[]) AS t (hash)
    JOIN backfill_rejection ON name_hashes @> to_jsonb(t.hash)
    WHERE (source || ' ' || topic || ' ' || partition::TEXT || ' ' || record_offset::TEXT) > $2::TEXT
    ORDER BY 1 LIMIT $3::INT8
)
SELECT page.key, r.rejected_at, r.code, r.field, r.message, NULL::TEXT, NULL::TEXT, NULL::TEXT, r.record_key, r.record
FROM page JOIN backfill_rejection AS r USING (project_id, source, topic, partition, record_offset)
ORDER BY page.key;

-- load_lines_of
WITH page AS (
    SELECT DISTINCT job_id::TEXT || ' ' || number::TEXT AS key, project_id, job_id, number
    FROM unnest($1::TEXT[]) AS t (hash)
    JOIN import_rejection ON name_hashes @> to_jsonb(t.hash)
    WHERE (job_id::TEXT || ' ' || number::TEXT) > $2::TEXT
    ORDER BY 1 LIMIT $3::INT8
)
SELECT page.key, r.rejected_at, r.code, r.field, r.message, NULL::TEXT, NULL::TEXT, NULL::TEXT, NULL::BYTEA, r.record
FROM page JOIN import_rejection AS r USING (project_id, job_id, number)
ORDER BY page.key;

-- load_samples_of
WITH page AS (
    SELECT DISTINCT verification_id::TEXT || ' ' || number::TEXT AS key, project_id, verification_id, number
    FROM unnest($1::TEXT[]) AS t (hash)
    JOIN verification_sample ON name_hashes @> to_jsonb(t.hash)
    WHERE (verification_id::TEXT || ' ' || number::TEXT) > $2::TEXT
    ORDER BY 1 LIMIT $3::INT8
)
SELECT page.key, r.found_at, r.kind, r.field, 'a verification found a difference', r.document_id, jsonb_build_object('ours', r.ours, 'theirs', r.theirs)::TEXT, NULL::TEXT, NULL::BYTEA, NULL::BYTEA
FROM page JOIN verification_sample AS r USING (project_id, verification_id, number)
ORDER BY page.key;

-- load_forgotten
SELECT f.identity_hash, CASE WHEN f.is_forgotten THEN f.shown_hash END
FROM unnest($1::INT4[], $2::BYTEA[]) AS t (project_id, after)
CROSS JOIN LATERAL (
    SELECT e.identity_hash, e.is_forgotten, e.shown_hash FROM erasure AS e
    WHERE e.project_id = t.project_id AND e.identity_hash > t.after
    ORDER BY e.identity_hash LIMIT $3::INT8
) AS f
ORDER BY f.identity_hash;

-- create_list
WITH before AS (
    SELECT l.list_id FROM static_list AS l WHERE l.project_id = ANY($1::INT4[]) AND l.made_by = $6::UUID
), made AS (
    INSERT INTO static_list (project_id, list_id, name, made_by)
    SELECT t.project_id, COALESCE(t.list_id, (SELECT COALESCE(max(l.list_id), 0) + 1 FROM static_list AS l WHERE l.project_id = t.project_id AND l.list_id < $5::INT4))::INT4, t.name, $6::UUID
    FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[]) AS t (project_id, list_id, name)
    WHERE (SELECT count(*) FROM static_list AS l WHERE l.project_id = t.project_id AND l.deleted_at IS NULL) < $4::INT8
        AND NOT EXISTS (SELECT 1 FROM before)
    ON CONFLICT (project_id, list_id) DO NOTHING
    RETURNING list_id
)
SELECT list_id FROM before UNION ALL SELECT list_id FROM made;

-- load_lists
SELECT l.list_id, l.name, l.created_at
FROM unnest($1::INT4[]) AS t (project_id)
JOIN static_list AS l ON l.project_id = t.project_id
WHERE l.deleted_at IS NULL ORDER BY l.list_id LIMIT $2::INT8;

-- find_list
SELECT l.list_id
FROM unnest($1::INT4[], $2::INT4[]) AS t (project_id, list_id)
JOIN static_list AS l ON l.project_id = t.project_id AND l.list_id = t.list_id
WHERE l.deleted_at IS NULL;

-- delete_list
UPDATE static_list AS l SET deleted_at = now()
FROM unnest($1::INT4[], $2::INT4[]) AS t (project_id, list_id)
WHERE l.project_id = t.project_id AND l.list_id = t.list_id AND l.deleted_at IS NULL
RETURNING l.list_id;

-- note_members
INSERT INTO static_list_member (project_id, list_id, profile_id)
SELECT DISTINCT t.project_id, CASE WHEN e.list_id ~ '^[0-9]{1,9}$' THEN e.list_id::INT4 END, t.profile_id
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
CROSS JOIN LATERAL jsonb_array_elements_text(
    CASE WHEN jsonb_typeof(p.traits -> 'emailListIds') = 'array' THEN p.traits -> 'emailListIds' ELSE '[]'::JSONB END
) AS e (list_id)
WHERE e.list_id ~ '^[0-9]{1,9}$'
ORDER BY 1, 2, 3
ON CONFLICT (project_id, list_id, profile_id) DO NOTHING;

-- leave_lists
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $2::TEXT AND w.token = $3::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM static_list_member WHERE profile_id = ANY($1::UUID[]) AND ($2::TEXT IS NULL OR EXISTS (SELECT 1 FROM held));

-- list_members
SELECT l.profile_id, l.is_in,
    CASE WHEN l.is_in THEN (
        SELECT i.value FROM identity AS i WHERE i.profile_id = l.person_id AND i.kind = 'email'
        ORDER BY i.value <> lower(btrim(COALESCE(l.traits ->> 'email', ''))), i.value LIKE '%@placeholder.email', i.first_seen, i.value LIMIT 1
    ) END,
    CASE WHEN l.is_in THEN (
        SELECT i.value FROM identity AS i WHERE i.profile_id = l.person_id AND i.kind = 'user_id'
        ORDER BY i.value <> btrim(COALESCE(l.traits ->> 'userId', '')), i.first_seen, i.value LIMIT 1
    ) END
FROM (
    SELECT m.profile_id, s.profile_id AS person_id, s.traits,
        COALESCE(s.traits -> 'emailListIds', '[]'::JSONB) @> jsonb_build_array(t.list_id) AND CASE
            WHEN s.profile_id = m.profile_id AND s.merged_from = ARRAY[]::UUID[] THEN TRUE
            ELSE NOT EXISTS (
                SELECT 1 FROM unnest(array_append(s.merged_from, s.profile_id)) AS o (profile_id)
                CROSS JOIN LATERAL (
                    SELECT 1 FROM static_list_member AS x
                    WHERE x.project_id = t.project_id AND x.list_id = t.list_id AND x.profile_id = o.profile_id LIMIT 1
                ) AS noted
                WHERE o.profile_id < m.profile_id
            )
        END AS is_in
    FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (project_id, list_id, after)
    CROSS JOIN LATERAL (
        SELECT c.profile_id FROM static_list_member AS c
        WHERE c.project_id = t.project_id AND c.list_id = t.list_id AND c.profile_id > t.after
        ORDER BY c.profile_id LIMIT $4::INT8
    ) AS m
    LEFT JOIN LATERAL (
        SELECT w.profile_id, w.merged_into FROM profile AS w WHERE w.project_id = t.project_id AND w.profile_id = m.profile_id LIMIT 1
    ) AS p ON TRUE
    LEFT JOIN LATERAL (
        SELECT w.profile_id, w.traits, w.merged_from FROM profile AS w
        WHERE w.project_id = t.project_id AND w.profile_id = COALESCE(p.merged_into, p.profile_id) LIMIT 1
    ) AS s ON TRUE
) AS l ORDER BY l.profile_id;

-- count_members
SELECT count(*)::INT8, COALESCE(sum(CASE WHEN l.is_in THEN 1 ELSE 0 END), 0)::INT8,
    (array_agg(l.profile_id ORDER BY l.profile_id DESC))[1]
FROM (
    SELECT m.profile_id, s.profile_id AS person_id, s.traits,
        COALESCE(s.traits -> 'emailListIds', '[]'::JSONB) @> jsonb_build_array(t.list_id) AND CASE
            WHEN s.profile_id = m.profile_id AND s.merged_from = ARRAY[]::UUID[] THEN TRUE
            ELSE NOT EXISTS (
                SELECT 1 FROM unnest(array_append(s.merged_from, s.profile_id)) AS o (profile_id)
                CROSS JOIN LATERAL (
                    SELECT 1 FROM static_list_member AS x
                    WHERE x.project_id = t.project_id AND x.list_id = t.list_id AND x.profile_id = o.profile_id LIMIT 1
                ) AS noted
                WHERE o.profile_id < m.profile_id
            )
        END AS is_in
    FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (project_id, list_id, after)
    CROSS JOIN LATERAL (
        SELECT c.profile_id FROM static_list_member AS c
        WHERE c.project_id = t.project_id AND c.list_id = t.list_id AND c.profile_id > t.after
        ORDER BY c.profile_id LIMIT $4::INT8
    ) AS m
    LEFT JOIN LATERAL (
        SELECT w.profile_id, w.merged_into FROM profile AS w WHERE w.project_id = t.project_id AND w.profile_id = m.profile_id LIMIT 1
    ) AS p ON TRUE
    LEFT JOIN LATERAL (
        SELECT w.profile_id, w.traits, w.merged_from FROM profile AS w
        WHERE w.project_id = t.project_id AND w.profile_id = COALESCE(p.merged_into, p.profile_id) LIMIT 1
    ) AS s ON TRUE
) AS l;

-- note_holders
INSERT INTO device_holder (project_id, token_hash, profile_id)
SELECT DISTINCT t.project_id, md5(d.token), t.profile_id
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
CROSS JOIN LATERAL (
    SELECT e.key AS token
    FROM jsonb_each(CASE WHEN jsonb_typeof(p.traits -> 'devices') = 'object' THEN p.traits -> 'devices' ELSE '{}'::JSONB END) AS e (key, value)
    WHERE jsonb_typeof(e.value) = 'object'
    LIMIT $3::INT8
) AS d
ORDER BY 1, 2, 3
ON CONFLICT (project_id, token_hash, profile_id) DO NOTHING;

-- leave_devices
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $2::TEXT AND w.token = $3::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM device_holder WHERE profile_id = ANY($1::UUID[]) AND ($2::TEXT IS NULL OR EXISTS (SELECT 1 FROM held));

-- find_holders
SELECT h.profile_id, n.kind, n.value, CASE
    WHEN s.traits -> 'devices' -> t.token -> 'endpointEnabled' IS DISTINCT FROM 'false'::JSONB
        AND jsonb_typeof(s.traits -> 'devices' -> t.token) = 'object' THEN (s.traits -> 'devices' -> t.token)::TEXT
    END
FROM unnest($1::INT4[], $2::TEXT[], $3::UUID[]) AS t (project_id, token, after)
CROSS JOIN LATERAL (
    SELECT c.profile_id FROM device_holder AS c
    WHERE c.project_id = t.project_id AND c.token_hash = md5(t.token) AND c.profile_id > t.after
    ORDER BY c.profile_id LIMIT $5::INT8
) AS h
LEFT JOIN LATERAL (
    SELECT w.profile_id, w.merged_into FROM profile AS w WHERE w.project_id = t.project_id AND w.profile_id = h.profile_id LIMIT 1
) AS p ON TRUE
LEFT JOIN LATERAL (
    SELECT w.profile_id, w.traits FROM profile AS w
    WHERE w.project_id = t.project_id AND w.profile_id = COALESCE(p.merged_into, p.profile_id) LIMIT 1
) AS s ON TRUE
LEFT JOIN LATERAL (
    SELECT i.kind, i.value FROM identity AS i WHERE i.profile_id = s.profile_id AND i.kind = ANY($4::TEXT[])
    ORDER BY i.kind DESC, i.first_seen, i.value LIMIT 1
) AS n ON TRUE
ORDER BY h.profile_id;

-- invalidate_tokens
INSERT INTO token_invalidation AS i (project_id, name_hash, issued_before, changed_at)
SELECT t.project_id, t.name_hash, $3::TIMESTAMPTZ, now() FROM unnest($1::INT4[], $2::BYTEA[]) AS t (project_id, name_hash)
ON CONFLICT (project_id, name_hash) DO UPDATE SET issued_before = GREATEST(i.issued_before, excluded.issued_before), changed_at = now()
RETURNING i.name_hash, i.issued_before;

-- find_invalidation
SELECT i.name_hash, i.issued_before
FROM unnest($1::INT4[], $2::BYTEA[]) AS t (project_id, name_hash)
JOIN token_invalidation AS i ON i.project_id = t.project_id AND i.name_hash = t.name_hash;

-- latest_invalidations
SELECT name_hash, issued_before, changed_at, project_id FROM token_invalidation
WHERE (changed_at, project_id, name_hash) > ($1::TIMESTAMPTZ, $2::INT4, $3::BYTEA)
ORDER BY changed_at, project_id, name_hash LIMIT $4::INT8;

-- forget_invalidations
DELETE FROM token_invalidation WHERE (project_id, name_hash) IN (
    SELECT project_id, name_hash FROM token_invalidation WHERE changed_at < now() - '400 days'::INTERVAL ORDER BY changed_at LIMIT $1::INT8
);

-- due_walks
SELECT p.project_id, now() - LEAST(p.event_retention_days, 36500) * '1 day'::INTERVAL, COALESCE(w.after, $2::UUID), COALESCE(w.attempts, 0)
FROM project AS p LEFT JOIN event_walk AS w ON w.project_id = p.project_id
WHERE p.event_retention_days IS NOT NULL AND (w.due_at IS NULL OR w.due_at <= now())
ORDER BY COALESCE(w.due_at, p.created_at), p.project_id LIMIT $1::INT8;

-- expire_events
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $5::TEXT AND w.token = $6::INT8 AND w.expires_at > now() FOR SHARE), page AS (
    SELECT event_id, received_at FROM event
    WHERE project_id = $1::INT4 AND event_id > $2::UUID
    ORDER BY event_id LIMIT $4::INT8
), gone AS (
    DELETE FROM event WHERE project_id = $1::INT4 AND event_id IN (SELECT p.event_id FROM page AS p WHERE p.received_at < $3::TIMESTAMPTZ)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING event_id
), noted AS (
    INSERT INTO event_walk AS w (project_id, after, due_at, attempts)
    SELECT $1::INT4, p.event_id, now(), 0 FROM page AS p WHERE EXISTS (SELECT 1 FROM held) ORDER BY p.event_id DESC LIMIT 1
    ON CONFLICT (project_id) DO UPDATE SET after = excluded.after, attempts = 0
    RETURNING project_id
)
SELECT (SELECT p.event_id FROM page AS p ORDER BY p.event_id DESC LIMIT 1), (SELECT count(*) FROM gone)::INT8;

-- set_walk
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $5::TEXT AND w.token = $6::INT8 AND w.expires_at > now() FOR SHARE)
INSERT INTO event_walk AS w (project_id, after, due_at, attempts)
SELECT $1::INT4, COALESCE($2::UUID, $7::UUID), now() + ($3::FLOAT8 * '1 second'::INTERVAL), $4::INT4 WHERE EXISTS (SELECT 1 FROM held)
ON CONFLICT (project_id) DO UPDATE SET after = COALESCE($2::UUID, w.after), due_at = excluded.due_at, attempts = excluded.attempts;

-- expire_rejections
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), asked AS (
    SELECT project_id, now() - rejection_retention_days * '1 day'::INTERVAL AS before FROM project
    WHERE project_id > $1::INT4 ORDER BY project_id LIMIT $2::INT8
), owners AS (
    SELECT project_id, before FROM asked
), expired AS (
    SELECT r.project_id, r.received_at, r.rejection_id FROM owners AS s
    CROSS JOIN LATERAL (
        SELECT project_id, received_at, rejection_id FROM rejection AS l
        WHERE l.project_id = s.project_id AND l.received_at < s.before
        ORDER BY l.received_at LIMIT $3::INT8
    ) AS r
    LIMIT $3::INT8
), gone AS (
    DELETE FROM rejection WHERE (project_id, received_at, rejection_id) IN (SELECT o.project_id, o.received_at, o.rejection_id FROM expired AS o)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING rejection_id
)
SELECT (SELECT max(project_id) FROM asked), (SELECT count(*) FROM gone)::INT8;

-- expire_conflicts
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), asked AS (
    SELECT project_id, now() - rejection_retention_days * '1 day'::INTERVAL AS before FROM project
    WHERE project_id > $1::INT4 ORDER BY project_id LIMIT $2::INT8
), owners AS (
    SELECT project_id, before FROM asked
), expired AS (
    SELECT r.project_id, r.first_seen, r.conflict_id FROM owners AS s
    CROSS JOIN LATERAL (
        SELECT project_id, first_seen, conflict_id FROM conflict AS l
        WHERE l.project_id = s.project_id AND l.first_seen < s.before
        ORDER BY l.first_seen LIMIT $3::INT8
    ) AS r
    LIMIT $3::INT8
), gone AS (
    DELETE FROM conflict WHERE (project_id, first_seen, conflict_id) IN (SELECT o.project_id, o.first_seen, o.conflict_id FROM expired AS o)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING conflict_id
)
SELECT (SELECT max(project_id) FROM asked), (SELECT count(*) FROM gone)::INT8;

-- expire_merge_records
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), asked AS (
    SELECT project_id, now() - rejection_retention_days * '1 day'::INTERVAL AS before FROM project
    WHERE project_id > $1::INT4 ORDER BY project_id LIMIT $2::INT8
), owners AS (
    SELECT project_id, before FROM asked
), expired AS (
    SELECT r.project_id, r.merged_at, r.absorbed_id FROM owners AS s
    CROSS JOIN LATERAL (
        SELECT project_id, merged_at, absorbed_id FROM merge_record AS l
        WHERE l.project_id = s.project_id AND l.merged_at < s.before
        ORDER BY l.merged_at LIMIT $3::INT8
    ) AS r
    LIMIT $3::INT8
), gone AS (
    DELETE FROM merge_record WHERE (project_id, merged_at, absorbed_id) IN (SELECT o.project_id, o.merged_at, o.absorbed_id FROM expired AS o)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING absorbed_id
)
SELECT (SELECT max(project_id) FROM asked), (SELECT count(*) FROM gone)::INT8;

-- expire_backfill_rejections
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), asked AS (
    SELECT project_id, now() - rejection_retention_days * '1 day'::INTERVAL AS before FROM project
    WHERE project_id > $1::INT4 ORDER BY project_id LIMIT $2::INT8
), owners AS (
    SELECT project_id, before FROM asked UNION ALL SELECT 0::INT4, now() - 30 * '1 day'::INTERVAL WHERE $1::INT4 = 0
), expired AS (
    SELECT r.project_id, r.rejected_at, r.record_offset FROM owners AS s
    CROSS JOIN LATERAL (
        SELECT project_id, rejected_at, record_offset FROM backfill_rejection AS l
        WHERE l.project_id = s.project_id AND l.rejected_at < s.before
        ORDER BY l.rejected_at LIMIT $3::INT8
    ) AS r
    LIMIT $3::INT8
), gone AS (
    DELETE FROM backfill_rejection WHERE (project_id, rejected_at, record_offset) IN (SELECT o.project_id, o.rejected_at, o.record_offset FROM expired AS o)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING record_offset
)
SELECT (SELECT max(project_id) FROM asked), (SELECT count(*) FROM gone)::INT8;

-- expire_comparisons
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), asked AS (
    SELECT project_id FROM project WHERE project_id > $1::INT4 ORDER BY project_id LIMIT $2::INT8
), ended AS (
    SELECT c.project_id, c.since, c.node FROM asked AS a
    JOIN migration AS m ON m.project_id = a.project_id
    CROSS JOIN LATERAL (
        SELECT project_id, since, node FROM read_comparison AS l
        WHERE l.project_id = m.project_id AND l.since < (m.reads->>'since')::INT8 LIMIT $3::INT8
    ) AS c
    LIMIT $3::INT8
), fields AS (
    DELETE FROM read_mismatch WHERE (project_id, since, node) IN (SELECT e.project_id, e.since, e.node FROM ended AS e)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING field
), gone AS (
    DELETE FROM read_comparison WHERE (project_id, since, node) IN (SELECT e.project_id, e.since, e.node FROM ended AS e)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING node
)
SELECT (SELECT max(project_id) FROM asked), (SELECT count(*) FROM gone)::INT8;

-- expire_import_rejections
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE), asked AS (
    SELECT project_id, now() - rejection_retention_days * '1 day'::INTERVAL AS before FROM project
    WHERE project_id > $1::INT4 ORDER BY project_id LIMIT $2::INT8
), owners AS (
    SELECT project_id, before FROM asked
), expired AS (
    SELECT r.project_id, r.rejected_at, r.number FROM owners AS s
    CROSS JOIN LATERAL (
        SELECT project_id, rejected_at, number FROM import_rejection AS l
        WHERE l.project_id = s.project_id AND l.rejected_at < s.before
        ORDER BY l.rejected_at LIMIT $3::INT8
    ) AS r
    LIMIT $3::INT8
), gone AS (
    DELETE FROM import_rejection WHERE (project_id, rejected_at, number) IN (SELECT o.project_id, o.rejected_at, o.number FROM expired AS o)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING number
)
SELECT (SELECT max(project_id) FROM asked), (SELECT count(*) FROM gone)::INT8;

-- set_retention
UPDATE project SET event_retention_days = $2::INT4, rejection_retention_days = $3::INT4 WHERE project_id = $1::INT4;

-- applied_steps
SELECT name, checksum FROM schema_step ORDER BY name;

-- record_step
INSERT INTO schema_step (name, checksum) VALUES ($1::TEXT, $2::TEXT) ON CONFLICT (name) DO NOTHING;

-- take_lease
INSERT INTO lease AS held (name, owner, expires_at)
VALUES ($1::TEXT, $2::UUID, now() + ($3::FLOAT8 * '1 second'::INTERVAL))
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
WHERE held.expires_at < now() OR held.owner = excluded.owner
RETURNING owner;

-- end_lease
DELETE FROM lease WHERE name = $1::TEXT AND owner = $2::UUID;

-- take_turn
INSERT INTO worker AS w (name, owner, token, expires_at, due_at, progress)
VALUES ($1::TEXT, $2::UUID, 1, now() + ($3::FLOAT8 * '1 second'::INTERVAL), now(), '')
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, token = w.token + 1, expires_at = excluded.expires_at
WHERE w.due_at <= now() AND (w.expires_at <= now() OR w.owner = excluded.owner)
RETURNING token, progress;

-- keep_turn
UPDATE worker SET expires_at = now() + ($3::FLOAT8 * '1 second'::INTERVAL), progress = COALESCE($4::TEXT, progress)
WHERE name = $1::TEXT AND token = $2::INT8 AND expires_at > now()
RETURNING token;

-- end_turn
UPDATE worker SET expires_at = now(), due_at = now() + ($3::FLOAT8 * '1 second'::INTERVAL)
WHERE name = $1::TEXT AND token = $2::INT8 AND expires_at > now()
RETURNING token;

-- lock_turn
SELECT token FROM worker WHERE name = $1::TEXT AND token = $2::INT8 AND expires_at > now() FOR SHARE;

-- missing_rights
SELECT t.privilege, t.table_name FROM unnest($1::TEXT[], $2::TEXT[]) AS t (table_name, privilege)
WHERE NOT has_table_privilege(t.table_name, t.privilege) ORDER BY t.table_name, t.privilege;

-- server_encoding
SELECT current_setting('server_encoding');

-- insert_merge_records
INSERT INTO merge_record (absorbed_id, project_id, survivor_id, merged_at, is_explicit, identities, traits, stamps, before_traits, before_stamps)
SELECT t.absorbed_id, t.project_id, t.survivor_id, $11::TIMESTAMPTZ, t.is_explicit, COALESCE((
    SELECT jsonb_agg(jsonb_build_array(i.kind, i.value))
    FROM unnest($9::UUID[], $10::UUID[]) AS m (absorbed_id, member_id)
    JOIN identity AS i ON i.profile_id = m.member_id
    WHERE m.absorbed_id = t.absorbed_id
), '[]'::JSONB), t.traits, t.stamps, t.before_traits, t.before_stamps
FROM unnest($1::INT4[], $2::UUID[], $3::UUID[], $4::BOOL[], $5::JSONB[], $6::JSONB[], $7::JSONB[], $8::JSONB[])
    AS t (project_id, absorbed_id, survivor_id, is_explicit, traits, stamps, before_traits, before_stamps)
ON CONFLICT (absorbed_id) DO NOTHING;

-- load_merge_records
SELECT w.absorbed_id, w.survivor_id, w.merged_at, w.is_explicit, w.identities, w.traits, w.stamps, w.before_traits, w.before_stamps, w.total
FROM (
    SELECT s.*, count(*) OVER () AS total, COALESCE(sum(s.size) OVER (ORDER BY s.merged_at DESC, s.absorbed_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS held
    FROM (
        SELECT k.*, (octet_length(k.identities) + octet_length(k.traits) + octet_length(k.stamps)
            + COALESCE(octet_length(k.before_traits) + octet_length(k.before_stamps), 0))::INT8 AS size
        FROM (
            SELECT r.absorbed_id, r.survivor_id, r.merged_at, r.is_explicit, r.identities::TEXT AS identities, r.traits::TEXT AS traits,
                r.stamps::TEXT AS stamps, r.before_traits::TEXT AS before_traits, r.before_stamps::TEXT AS before_stamps
            FROM unnest($1::UUID[]) AS t (absorbed_id)
            JOIN merge_record AS r ON r.absorbed_id = t.absorbed_id
            OFFSET 0
        ) AS k
        OFFSET 0
    ) AS s
) AS w
WHERE w.held < $2::INT8
ORDER BY w.merged_at DESC, w.absorbed_id;

-- delete_merge_records
DELETE FROM merge_record WHERE absorbed_id = ANY($1::UUID[]);

-- find_others
SELECT t.place
FROM unnest($1::INT4[], $2::INT4[], $3::UUID[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::JSONB[])
    AS t (place, project_id, event_id, kind, value, type, name, properties)
JOIN event AS e ON e.project_id = t.project_id AND e.event_id = t.event_id
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = e.profile_id
LEFT JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
WHERE e.type <> 'erased'
  AND NOT (e.type = t.type AND e.name IS NOT DISTINCT FROM t.name AND e.properties = t.properties
    AND COALESCE(i.profile_id = COALESCE(p.merged_into, e.profile_id), TRUE));

-- block_name
INSERT INTO blocked_name AS b (project_id, kind, value)
SELECT t.project_id, t.kind, t.value FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
WHERE (SELECT count(*) FROM blocked_name AS o WHERE o.project_id = t.project_id AND (o.kind, o.value) <> (t.kind, t.value)) < $4::INT8
ON CONFLICT (project_id, kind, value) DO UPDATE SET blocked_at = b.blocked_at
RETURNING kind;

-- unblock_name
DELETE FROM blocked_name WHERE project_id = $1::INT4 AND kind = $2::TEXT AND value = $3::TEXT;

-- lock_family
SELECT p.profile_id, p.version, p.merged_from, p.merged_into, p.traits::TEXT, p.stamps::TEXT
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
ORDER BY p.profile_id FOR UPDATE OF p;

-- write_kept
WITH written AS (
    UPDATE profile AS p SET traits = $3::JSONB, stamps = $4::JSONB, size_bytes = $5::INT4, version = p.version + 1, updated_at = GREATEST(updated_at, $7::TIMESTAMPTZ),
        absorbed_count = GREATEST(p.absorbed_count - COALESCE(array_length($6::UUID[], 1), 0), 0),
        merged_from = ARRAY(SELECT m.id FROM unnest(p.merged_from) AS m (id) WHERE m.id <> ALL ($6::UUID[]))
    WHERE p.project_id = $1::INT4 AND p.profile_id = $2::UUID
    RETURNING p.project_id, p.profile_id
), marked AS (
    INSERT INTO outbox AS o (project_id, profile_id, mark, marked_at)
    SELECT c.project_id, c.profile_id, (SELECT gen_random_uuid()), now()
    FROM written AS c JOIN migration AS m ON m.project_id = c.project_id AND m.mirrors
    ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark
    RETURNING o.profile_id
)
SELECT count(*)::INT8 FROM written;

-- write_taken
WITH written AS (
    INSERT INTO profile AS p (project_id, profile_id, traits, stamps, size_bytes, version, merged_from, created_at, updated_at)
    VALUES ($1::INT4, $2::UUID, $3::JSONB, $4::JSONB, $5::INT4, $6::INT8, $7::UUID[], $8::TIMESTAMPTZ, $8::TIMESTAMPTZ)
    ON CONFLICT (project_id, profile_id) DO UPDATE SET traits = excluded.traits, stamps = excluded.stamps, size_bytes = excluded.size_bytes,
        version = excluded.version, merged_into = NULL, merged_from = excluded.merged_from, updated_at = excluded.updated_at
    RETURNING p.project_id, p.profile_id
), marked AS (
    INSERT INTO outbox AS o (project_id, profile_id, mark, marked_at)
    SELECT c.project_id, c.profile_id, (SELECT gen_random_uuid()), now()
    FROM written AS c JOIN migration AS m ON m.project_id = c.project_id AND m.mirrors
    ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark
    RETURNING o.profile_id
)
SELECT count(*)::INT8 FROM written;

-- rehome_profiles
UPDATE profile AS p SET merged_into = $3::UUID, version = p.version + 1, updated_at = $4::TIMESTAMPTZ
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id;

-- take_identities
UPDATE identity AS i SET profile_id = $4::UUID
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
WHERE i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value;

-- rehome_records
UPDATE merge_record SET survivor_id = $2::UUID,
    before_traits = CASE WHEN survivor_id = ANY ($1::UUID[]) THEN before_traits END,
    before_stamps = CASE WHEN survivor_id = ANY ($1::UUID[]) THEN before_stamps END
WHERE absorbed_id = ANY ($1::UUID[]);

-- clean_records
UPDATE merge_record AS r SET traits = t.traits, stamps = t.stamps, before_traits = t.before_traits, before_stamps = t.before_stamps
FROM unnest($1::UUID[], $2::JSONB[], $3::JSONB[], $4::JSONB[], $5::JSONB[])
    AS t (absorbed_id, traits, stamps, before_traits, before_stamps)
WHERE r.absorbed_id = t.absorbed_id;

-- record_split
INSERT INTO split AS s (project_id, profile_id, from_id, requested_at, source_ids, vias, event_count, progress, sweep_at)
VALUES ($1::INT4, $2::UUID, $3::UUID, $4::TIMESTAMPTZ, $5::UUID[], $6::INT8[], 0, '', now() + ($7::FLOAT8 * '1 second'::INTERVAL))
ON CONFLICT (project_id, profile_id) DO UPDATE SET from_id = excluded.from_id, requested_at = excluded.requested_at,
    source_ids = s.source_ids || excluded.source_ids, vias = s.vias || excluded.vias, event_count = 0, progress = '',
    moved_at = NULL, sweep_at = excluded.sweep_at, finished_at = NULL, attempts = 0;

-- move_events
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $8::TEXT AND w.token = $9::INT8 AND w.expires_at > now() FOR SHARE), page AS (
    SELECT e.project_id, e.event_id, e.occurred_at, e.via FROM event AS e
    WHERE e.profile_id = $2::UUID AND (e.occurred_at, e.event_id) < ($5::TIMESTAMPTZ, $6::UUID)
    ORDER BY e.occurred_at DESC, e.event_id DESC LIMIT $7::INT8
), moved AS (
    UPDATE event AS e SET profile_id = $3::UUID
    FROM page AS p
    WHERE e.project_id = p.project_id AND e.event_id = p.event_id AND e.profile_id = $2::UUID AND p.via = ANY ($4::INT8[]) AND ($8::TEXT IS NULL OR EXISTS (SELECT 1 FROM held))
    RETURNING e.event_id
), counted AS (
    UPDATE split SET event_count = event_count + (SELECT count(*) FROM moved)
    WHERE project_id = $1::INT4 AND profile_id = $3::UUID
    RETURNING profile_id
)
SELECT (SELECT count(*) FROM page)::INT8, l.occurred_at, l.event_id, ($8::TEXT IS NULL OR EXISTS (SELECT 1 FROM held)) FROM (SELECT p.occurred_at, p.event_id FROM page AS p ORDER BY p.occurred_at, p.event_id LIMIT 1) AS l;

-- put_off_split
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $6::TEXT AND w.token = $7::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE split SET progress = $3::TEXT, attempts = $5::INT4, sweep_at = GREATEST(sweep_at, now() + ($4::FLOAT8 * '1 second'::INTERVAL))
WHERE project_id = $1::INT4 AND profile_id = $2::UUID AND ($6::TEXT IS NULL OR EXISTS (SELECT 1 FROM held));

-- mark_moved
UPDATE split SET moved_at = COALESCE(moved_at, now()), progress = ''
WHERE project_id = $1::INT4 AND profile_id = $2::UUID;

-- finish_split
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE split SET finished_at = now(), moved_at = COALESCE(moved_at, now()), source_ids = ARRAY[]::UUID[], vias = ARRAY[]::INT8[], progress = ''
WHERE project_id = $1::INT4 AND profile_id = $2::UUID AND requested_at = $3::TIMESTAMPTZ AND EXISTS (SELECT 1 FROM held);

-- load_splits
SELECT s.project_id, s.profile_id, s.from_id, s.requested_at, s.source_ids, s.vias, s.event_count, s.progress, s.moved_at, s.finished_at, s.attempts
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN split AS s ON s.project_id = t.project_id AND s.profile_id = t.profile_id;

-- due_splits
SELECT project_id, profile_id, from_id, requested_at, source_ids, vias, event_count, progress, moved_at, finished_at, attempts
FROM split WHERE finished_at IS NULL AND sweep_at <= now()
ORDER BY sweep_at LIMIT $1::INT8;

-- open_splits
SELECT project_id, profile_id, from_id, requested_at, source_ids, vias, event_count, progress, moved_at, finished_at, attempts
FROM split WHERE finished_at IS NULL AND sweep_at < now() + '1 day'::INTERVAL
    AND (source_ids && $1::UUID[] OR profile_id = ANY ($1::UUID[]));

-- leave_groups
DELETE FROM membership WHERE (profile_id, group_id) IN (
    SELECT t.profile_id, t.group_id FROM unnest($1::UUID[], $2::UUID[]) AS t (profile_id, group_id)
);

-- open_source
INSERT INTO backfill_source (source, state, reason, started_at, changed_at)
VALUES ($1::TEXT, 'running', '', COALESCE($2::TIMESTAMPTZ, now()), now())
ON CONFLICT (source) DO NOTHING;

-- load_sources
SELECT source, state, reason, started_at, changed_at FROM backfill_source ORDER BY source;

-- load_source
SELECT source, state, reason, started_at, changed_at FROM backfill_source WHERE source = $1::TEXT;

-- set_source
UPDATE backfill_source SET state = $2::TEXT, reason = $3::TEXT, changed_at = now() WHERE source = $1::TEXT
RETURNING source;

-- take_partitions
INSERT INTO backfill_partition AS p (source, topic, partition, owner, first_offset, next_offset, end_offset, control, gaps, bytes,
    records_per_second, pace, updated_at)
SELECT t.source, t.topic, t.partition, $4::UUID, -1, -1, -1, 0, 0, 0, 0, '', now()
FROM unnest($1::TEXT[], $2::TEXT[], $3::INT4[]) AS t (source, topic, partition)
ON CONFLICT (source, topic, partition) DO UPDATE SET owner = excluded.owner
RETURNING topic, partition, next_offset, last_at, last_digest, EXTRACT(EPOCH FROM now() - read_at)::FLOAT8;

-- move_partitions
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
SELECT topic, partition FROM moved;

-- note_missed
UPDATE backfill_partition AS p SET missed_since = COALESCE(p.missed_since, p.read_at)
FROM unnest($1::TEXT[], $2::TEXT[], $3::INT4[]) AS t (source, topic, partition)
WHERE p.source = t.source AND p.topic = t.topic AND p.partition = t.partition AND p.owner = $4::UUID;

-- find_partitions
SELECT p.topic, p.partition, p.next_offset
FROM unnest($1::TEXT[], $2::TEXT[], $3::INT4[]) AS t (source, topic, partition)
JOIN backfill_partition AS p ON p.source = t.source AND p.topic = t.topic AND p.partition = t.partition
WHERE p.owner = $4::UUID;

-- forget_counts
DELETE FROM backfill_count WHERE source = $1::TEXT;

-- forget_partitions
DELETE FROM backfill_partition WHERE source = $1::TEXT;

-- load_partitions
SELECT topic, partition, first_offset, next_offset, end_offset, control, gaps, bytes, records_per_second, pace, updated_at, last_at, missed_since,
    EXTRACT(EPOCH FROM now() - updated_at)::FLOAT8
FROM backfill_partition WHERE source = $1::TEXT ORDER BY topic, partition;

-- load_counts
SELECT topic, partition, project_id, stored, unchanged, rejected, erased
FROM backfill_count WHERE source = $1::TEXT AND ($2::INT4 IS NULL OR project_id = $2::INT4)
ORDER BY topic, partition, project_id;

-- record_refusals
INSERT INTO backfill_rejection AS r (project_id, source, topic, partition, record_offset, record_at, rejected_at, code, field, message,
    record_key, record, record_bytes, attempts, name_hashes)
SELECT t.project_id, t.source, t.topic, t.partition, t.record_offset, t.record_at, now(), t.code, t.field, t.message,
    t.record_key, t.record, t.record_bytes, t.attempts, t.name_hashes
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::INT4[], $5::INT8[], $6::TIMESTAMPTZ[], $7::TEXT[], $8::TEXT[], $9::TEXT[],
        $10::BYTEA[], $11::BYTEA[], $12::INT8[], $13::INT4[], $14::JSONB[])
    AS t (project_id, source, topic, partition, record_offset, record_at, code, field, message, record_key, record, record_bytes, attempts, name_hashes)
ON CONFLICT (project_id, source, topic, partition, record_offset) DO UPDATE SET code = excluded.code, field = excluded.field,
    message = excluded.message, record_key = excluded.record_key, record = excluded.record, attempts = GREATEST(r.attempts, excluded.attempts),
    name_hashes = excluded.name_hashes;

-- load_refusals
SELECT project_id, source, topic, partition, record_offset, record_at, rejected_at, code, field, message, record_key, record,
    record_bytes, attempts
FROM backfill_rejection
WHERE project_id = $1::INT4 AND (source, topic, partition, record_offset) > ($2::TEXT, $3::TEXT, $4::INT4, $5::INT8)
ORDER BY source, topic, partition, record_offset LIMIT $6::INT8;

-- forget_refusals
DELETE FROM backfill_rejection WHERE (project_id, source, topic, partition, record_offset) IN (
    SELECT t.project_id, t.source, t.topic, t.partition, t.record_offset
    FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::INT4[], $5::INT8[]) AS t (project_id, source, topic, partition, record_offset)
);

-- load_export
SELECT state FROM backfill_export WHERE name = $1::TEXT;

-- save_export
INSERT INTO backfill_export (name, state, updated_at)
SELECT $1::TEXT, $2::JSONB, now() FROM lease WHERE name = $3::TEXT AND owner = $4::UUID
ON CONFLICT (name) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at
RETURNING name;

-- create_import
INSERT INTO import_job (project_id, job_id, name, layout, mapping, file_time, length, next_offset, checksum, records, lines, blank, stored,
    unchanged, duplicate, rejected, warned, records_per_second, bytes_per_second, state, reason, sender, step, created_at, updated_at,
    expires_at)
VALUES ($1::INT4, $2::UUID, $3::TEXT, $4::TEXT, $5::TEXT, COALESCE($6::TIMESTAMPTZ, now()), $7::INT8, 0, $8::INT8, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 'waiting', '', 0, 0, now(), now(), now() + ($9::FLOAT8 * '1 second'::INTERVAL))
ON CONFLICT (project_id, job_id) DO UPDATE SET name = excluded.name
RETURNING project_id, job_id, name, layout, mapping, file_time, length, compression, next_offset, checksum, records, kept, lines, blank,
    stored, unchanged, duplicate, rejected, warned, seen, records_per_second, bytes_per_second, state, reason, sender, step,
    created_at, updated_at, finished_at, expires_at;

-- load_import
SELECT project_id, job_id, name, layout, mapping, file_time, length, compression, next_offset, checksum, records, kept, lines, blank,
    stored, unchanged, duplicate, rejected, warned, seen, records_per_second, bytes_per_second, state, reason, sender, step,
    created_at, updated_at, finished_at, expires_at FROM import_job WHERE project_id = $1::INT4 AND job_id = $2::UUID;

-- load_imports
SELECT project_id, job_id, name,
    CASE WHEN octet_length(layout) <= 4096 THEN layout ELSE split_part(layout, ',', 1) || '}' END,
    NULL::TEXT, file_time, length, compression, next_offset, checksum, records, NULL::BYTEA, lines, blank,
    stored, unchanged, duplicate, rejected, warned,
    CASE WHEN octet_length(seen) <= 4096 THEN seen END,
    records_per_second, bytes_per_second, state, reason, sender, step, created_at, updated_at, finished_at, expires_at
FROM import_job
WHERE project_id = $1::INT4 AND job_id < $2::UUID AND ($3::TEXT IS NULL OR name = $3::TEXT)
ORDER BY job_id DESC LIMIT $4::INT8;

-- open_import
UPDATE import_job SET sender = sender + 1, state = 'running', length = COALESCE(length, $4::INT8), updated_at = now(),
    expires_at = now() + ($5::FLOAT8 * '1 second'::INTERVAL)
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND state IN ('waiting', 'running')
    AND ($3::INT8 IS NULL OR next_offset = $3::INT8 OR compression IS NOT NULL)
RETURNING project_id, job_id, name, layout, mapping, file_time, length, compression, next_offset, checksum, records, kept, lines, blank,
    stored, unchanged, duplicate, rejected, warned, seen, records_per_second, bytes_per_second, state, reason, sender, step,
    created_at, updated_at, finished_at, expires_at;

-- advance_import
WITH moved AS (
    UPDATE import_job SET step = step + 1, next_offset = GREATEST(next_offset, $5::INT8),
        checksum = CASE WHEN next_offset < $5::INT8 THEN $6::INT8 ELSE checksum END,
        records = $7::INT8, kept = $8::BYTEA, lines = GREATEST(lines, $9::INT8), blank = GREATEST(blank, $10::INT8),
        stored = stored + $11::INT8, unchanged = unchanged + $12::INT8, duplicate = duplicate + $13::INT8,
        rejected = rejected + $14::INT8, warned = warned + $15::INT8, seen = $16::TEXT, compression = COALESCE($17::TEXT, compression),
        records_per_second = $18::FLOAT8, bytes_per_second = $19::FLOAT8, length = COALESCE(length, $20::INT8), state = $21::TEXT,
        reason = $22::TEXT, updated_at = now(),
        finished_at = CASE WHEN $21::TEXT = 'running' THEN NULL ELSE now() END,
        expires_at = CASE WHEN $21::TEXT = 'running' THEN now() + ($23::FLOAT8 * '1 second'::INTERVAL) ELSE now() + (SELECT p.rejection_retention_days FROM project AS p WHERE p.project_id = $1::INT4) * '1 day'::INTERVAL END
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
SELECT m.job_id FROM moved AS m;

-- set_import
UPDATE import_job SET state = $3::TEXT, reason = $4::TEXT, sender = sender + 1, updated_at = now(),
    kept = CASE WHEN $6::BOOL THEN NULL ELSE kept END, finished_at = CASE WHEN $6::BOOL THEN now() END,
    expires_at = CASE WHEN $6::BOOL THEN now() + (SELECT p.rejection_retention_days FROM project AS p WHERE p.project_id = $1::INT4) * '1 day'::INTERVAL WHEN $3::TEXT = 'paused' THEN GREATEST(now() + ($7::FLOAT8 * '1 second'::INTERVAL), now() + (SELECT p.rejection_retention_days FROM project AS p WHERE p.project_id = $1::INT4) * '1 day'::INTERVAL) ELSE now() + ($7::FLOAT8 * '1 second'::INTERVAL) END
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND state = ANY($5::TEXT[])
RETURNING project_id, job_id, name, layout, mapping, file_time, length, compression, next_offset, checksum, records, kept, lines, blank,
    stored, unchanged, duplicate, rejected, warned, seen, records_per_second, bytes_per_second, state, reason, sender, step,
    created_at, updated_at, finished_at, expires_at;

-- set_import_length
UPDATE import_job SET length = $3::INT8
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND (length IS NULL OR length = $3::INT8)
    AND (next_offset <= $3::INT8 OR compression IS NOT NULL)
RETURNING project_id, job_id, name, layout, mapping, file_time, length, compression, next_offset, checksum, records, kept, lines, blank,
    stored, unchanged, duplicate, rejected, warned, seen, records_per_second, bytes_per_second, state, reason, sender, step,
    created_at, updated_at, finished_at, expires_at;

-- due_imports
SELECT project_id, job_id FROM import_job WHERE expires_at <= now() AND finished_at IS NULL ORDER BY expires_at LIMIT $1::INT8;

-- forget_imports
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $2::TEXT AND w.token = $3::INT8 AND w.expires_at > now() FOR SHARE), old AS (
    SELECT project_id, job_id FROM import_job WHERE expires_at <= now() AND finished_at IS NOT NULL ORDER BY expires_at LIMIT $1::INT8
), gone AS (
    DELETE FROM import_job WHERE (project_id, job_id) IN (SELECT o.project_id, o.job_id FROM old AS o) AND EXISTS (SELECT 1 FROM held)
    RETURNING job_id
)
SELECT count(*)::INT8 FROM gone;

-- load_import_refusals
SELECT number, place, rejected_at, code, field, message, record, record_bytes
FROM import_rejection
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND number > $3::INT8
ORDER BY number LIMIT $4::INT8;

-- create_pull
INSERT INTO import_pull (project_id, job_id, source, address, attempts, created_at, due_at)
VALUES ($1::INT4, $2::UUID, $3::TEXT, $4::TEXT, 0, now(), now())
ON CONFLICT (project_id, job_id) DO NOTHING;

-- load_pull
SELECT source, size, attempts FROM import_pull WHERE project_id = $1::INT4 AND job_id = $2::UUID;

-- renew_pull
UPDATE import_pull SET source = $3::TEXT, address = $4::TEXT, attempts = 0, due_at = now()
WHERE project_id = $1::INT4 AND job_id = $2::UUID AND finished_at IS NULL
RETURNING job_id;

-- due_pulls
SELECT p.project_id, p.job_id, COALESCE(p.address, p.source), p.tag, p.size, p.attempts, p.finished_at IS NOT NULL, j.state, o.name
FROM import_pull AS p
JOIN project AS o ON o.project_id = p.project_id
LEFT JOIN import_job AS j ON j.project_id = p.project_id AND j.job_id = p.job_id
WHERE p.due_at <= now()
ORDER BY p.due_at LIMIT $1::INT8;

-- note_pull
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $1::TEXT AND w.token = $2::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE import_pull SET "tag" = $5::TEXT, size = $6::INT8, attempts = $7::INT4, due_at = now() + ($8::FLOAT8 * '1 second'::INTERVAL),
    finished_at = CASE WHEN $9::BOOL THEN now() END, address = CASE WHEN $9::BOOL THEN NULL ELSE address END
WHERE project_id = $3::INT4 AND job_id = $4::UUID AND finished_at IS NULL AND EXISTS (SELECT 1 FROM held)
RETURNING job_id;

-- forget_pull
DELETE FROM import_pull WHERE project_id = $1::INT4 AND job_id = $2::UUID AND finished_at IS NOT NULL AND due_at <= now();

-- create_schedule
INSERT INTO import_schedule (project_id, schedule_id, cron, time_zone, source, address, layout, mapping, created_at, due_at, runs, skipped,
    reason)
SELECT $1::INT4, $2::UUID, $3::TEXT, $4::TEXT, $5::TEXT, $6::TEXT, $7::TEXT, $8::TEXT, now(), $9::TIMESTAMPTZ, 0, 0, ''
WHERE (SELECT count(*) FROM import_schedule AS s WHERE s.project_id = $1::INT4 AND s.schedule_id <> $2::UUID) < $10::INT8
ON CONFLICT (project_id, schedule_id) DO UPDATE SET cron = excluded.cron
RETURNING schedule_id;

-- load_schedules
SELECT s.schedule_id, s.cron, s.time_zone, s.source, s.created_at, s.due_at, s.last_at, s.last_job, s.runs, s.skipped, s.reason FROM import_schedule AS s WHERE s.project_id = $1::INT4 ORDER BY s.schedule_id LIMIT $2::INT8;

-- delete_schedule
WITH gone AS (
    DELETE FROM import_schedule WHERE project_id = $1::INT4 AND schedule_id = $2::UUID RETURNING project_id, schedule_id
), forgotten AS (
    DELETE FROM import_fetched WHERE project_id = $1::INT4 AND schedule_id = $2::UUID RETURNING name
)
SELECT schedule_id FROM gone;

-- due_schedules
SELECT s.schedule_id, s.cron, s.time_zone, s.source, s.created_at, s.due_at, s.last_at, s.last_job, s.runs, s.skipped, s.reason, s.project_id, COALESCE(s.address, s.source), s.layout, s.mapping, o.name, COALESCE(j.state IN ('waiting', 'running', 'paused'), FALSE)
FROM import_schedule AS s
JOIN project AS o ON o.project_id = s.project_id
LEFT JOIN import_job AS j ON j.project_id = s.project_id AND j.job_id = s.last_job
WHERE s.due_at <= now()
ORDER BY s.due_at LIMIT $1::INT8;

-- advance_schedule
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $1::TEXT AND w.token = $2::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE import_schedule SET due_at = $6::TIMESTAMPTZ, last_at = now(), last_job = COALESCE($7::UUID, last_job),
    runs = runs + CASE WHEN $8::BOOL THEN 0 ELSE 1 END, skipped = skipped + CASE WHEN $8::BOOL THEN 1 ELSE 0 END, reason = $9::TEXT
WHERE project_id = $3::INT4 AND schedule_id = $4::UUID AND due_at = $5::TIMESTAMPTZ AND EXISTS (SELECT 1 FROM held)
RETURNING schedule_id;

-- find_fetched
UPDATE import_fetched AS f SET seen_at = now()
FROM unnest($3::INT4[], $4::TEXT[], $5::TEXT[]) AS t (position, name, "tag")
WHERE f.project_id = $1::INT4 AND f.schedule_id = $2::UUID AND f.name = t.name AND f.tag = t.tag
RETURNING t.position;

-- remember_fetched
INSERT INTO import_fetched (project_id, schedule_id, name, "tag", seen_at) VALUES ($1::INT4, $2::UUID, $3::TEXT, $4::TEXT, now())
ON CONFLICT (project_id, schedule_id, name, "tag") DO NOTHING;

-- forget_fetched
DELETE FROM import_fetched WHERE project_id = $1::INT4 AND schedule_id = $2::UUID AND seen_at < now() - '30 days'::INTERVAL;

-- load_migration
SELECT state, version, mirrors, settings::TEXT, changed_at, EXTRACT(EPOCH FROM now() - changed_at)::INT8, reads::TEXT
FROM migration WHERE project_id = $1::INT4;

-- take_step
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
RETURNING version;

-- load_steps
SELECT version, step_id, verb, from_state, to_state, operator, reason, is_forced, gates::TEXT, taken_at
FROM migration_step WHERE project_id = $1::INT4 AND version > $2::INT8 ORDER BY version LIMIT $3::INT8;

-- load_refused_documents
SELECT profile_id, reason, refused_at FROM mirror_refusal WHERE project_id = $1::INT4 LIMIT 10;

-- measure_mirror
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
) AS f;

-- count_old_nodes
SELECT count(*)::INT8 FROM heartbeat
WHERE beaten_at > now() - '30 seconds'::INTERVAL AND marking_node IS DISTINCT FROM node;

-- load_reads
SELECT project_id, version, state, reads::TEXT FROM migration WHERE reads IS NOT NULL;

-- set_reads
WITH moved AS (
    UPDATE migration SET version = version + 1, reads = $3::JSONB
    WHERE project_id = $1::INT4 AND version = $2::INT8
    RETURNING project_id, version, state
)
INSERT INTO migration_step (project_id, version, step_id, verb, from_state, to_state, operator, reason, is_forced, gates, taken_at)
SELECT moved.project_id, moved.version, $4::UUID, 'reads', moved.state, moved.state, $5::TEXT, $6::TEXT, FALSE, $7::JSONB, now() FROM moved
RETURNING version;

-- load_unmirrored
SELECT p.position, p.traits, p.stamps, m.mirrors AND COALESCE(r.is_walked, FALSE), m.mirrors AND COALESCE(r.is_whole, FALSE),
    EXISTS (SELECT 1 FROM outbox AS o WHERE o.project_id = p.project_id AND o.profile_id = p.profile_id),
    EXISTS (SELECT 1 FROM mirror_refusal AS f WHERE f.project_id = p.project_id AND f.profile_id = p.profile_id),
    (SELECT w.progress FROM worker AS w WHERE w.name = 'mirror')
FROM (
    SELECT t.position, q.project_id, q.profile_id, q.traits::TEXT AS traits, q.stamps::TEXT AS stamps, q.merged_into
    FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (position, project_id, profile_id)
    JOIN profile AS q ON q.project_id = t.project_id AND q.profile_id = t.profile_id
    OFFSET 0
) AS p
JOIN migration AS m ON m.project_id = p.project_id
LEFT JOIN mirror AS r ON r.project_id = p.project_id
WHERE p.merged_into IS NULL;

-- find_gone
SELECT t.position, g.only_ours
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
JOIN outbox_gone AS g ON g.project_id = t.project_id AND g.kind = t.kind AND g.value = t.value;

-- save_comparisons
WITH fields AS (
    INSERT INTO read_mismatch (project_id, since, node, field, mismatches, profile_id, path, ours, theirs, seen_at)
    SELECT t.project_id, t.since, $1::UUID, t.field, t.mismatches, t.profile_id, t.path, t.ours, t.theirs, now()
    FROM unnest($6::INT4[], $7::INT8[], $8::TEXT[], $9::INT8[], $10::UUID[], $11::TEXT[], $12::TEXT[], $13::TEXT[])
        AS t (project_id, since, field, mismatches, profile_id, path, ours, theirs)
    ON CONFLICT (project_id, since, node, field) DO UPDATE SET mismatches = excluded.mismatches, profile_id = excluded.profile_id,
        path = excluded.path, ours = excluded.ours, theirs = excluded.theirs, seen_at = excluded.seen_at
    RETURNING field
)
INSERT INTO read_comparison (project_id, since, node, reads, mismatches)
SELECT t.project_id, t.since, $1::UUID, t.reads, t.mismatches
FROM unnest($2::INT4[], $3::INT8[], $4::INT8[], $5::INT8[]) AS t (project_id, since, reads, mismatches)
ON CONFLICT (project_id, since, node) DO UPDATE SET reads = excluded.reads, mismatches = excluded.mismatches
RETURNING project_id;

-- load_comparison
SELECT sum(c.reads)::INT8, sum(c.mismatches)::INT8
FROM unnest($1::INT4[], $2::INT8[]) AS t (project_id, since)
JOIN read_comparison AS c ON c.project_id = t.project_id AND c.since = t.since;

-- load_mismatches
SELECT f.field, f.mismatches, f.profile_id, f.path, f.ours, f.theirs
FROM unnest($1::INT4[], $2::INT8[]) AS t (project_id, since)
JOIN read_mismatch AS f ON f.project_id = t.project_id AND f.since = t.since
ORDER BY f.seen_at DESC LIMIT 1000;

-- load_mirrors
SELECT m.project_id, m.settings::TEXT, m.mirrors, r.is_whole, r.is_walked, r.walk_at <= now(), r.attempts,
    EXISTS (SELECT 1 FROM mirror_refusal AS f WHERE f.project_id = m.project_id),
    CASE WHEN r.watched_at < now() - '10 seconds'::INTERVAL THEN r.watched::TEXT END, p.name, r.swept::TEXT,
    EXISTS (SELECT 1 FROM erasure AS e WHERE e.project_id = m.project_id), now(), p.identity_kinds::TEXT, p.identity_rules::TEXT,
    (SELECT COALESCE(jsonb_agg(jsonb_build_array(b.kind, b.value)), '[]'::JSONB) FROM blocked_name AS b WHERE b.project_id = p.project_id)::TEXT
FROM mirror AS r JOIN migration AS m ON m.project_id = r.project_id
JOIN project AS p ON p.project_id = r.project_id
WHERE r.is_active AND r.due_at <= now()
ORDER BY r.due_at, r.project_id;

-- list_mirrors
SELECT project_id FROM mirror WHERE is_active;

-- note_mirror
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $7::TEXT AND w.token = $8::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE mirror SET published = published + $2::INT8, foreign_writes = foreign_writes + $3::INT8, reason = $4::TEXT, attempts = $5::INT4,
    due_at = now() + ($6::FLOAT8 * '1 second'::INTERVAL), watched = COALESCE($9::JSONB, watched),
    watched_at = CASE WHEN $14::BOOL THEN now() ELSE watched_at END,
    swept = CASE WHEN $12::BOOL THEN jsonb_build_object('version', 0) WHEN swept = $10::JSONB THEN $11::JSONB ELSE swept END,
    is_walked = is_walked AND NOT $12::BOOL, walk_after = CASE WHEN $12::BOOL THEN $13::UUID ELSE walk_after END
WHERE project_id = $1::INT4 AND EXISTS (SELECT 1 FROM held);

-- mark_page
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $3::TEXT AND w.token = $4::INT8 AND w.expires_at > now() FOR SHARE), page AS (
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
SELECT count(*)::INT8 FROM page;

-- load_marks
SELECT profile_id, mark, (EXTRACT(EPOCH FROM now()) * 1000000)::INT8
FROM outbox WHERE project_id = $1::INT4 AND NOT profile_id = ANY($3::UUID[]) ORDER BY marked_at LIMIT $2::INT8;

-- load_marked
SELECT w.profile_id, CASE WHEN w.held < $4::INT8 THEN w.traits::TEXT END, CASE WHEN w.held < $4::INT8 THEN w.stamps::TEXT END,
    ARRAY(SELECT i.kind FROM identity AS i WHERE i.profile_id = w.profile_id ORDER BY i.first_seen, i.kind, i.value),
    ARRAY(SELECT i.value FROM identity AS i WHERE i.profile_id = w.profile_id ORDER BY i.first_seen, i.kind, i.value)
FROM (
    SELECT p.profile_id, p.traits, p.stamps,
        COALESCE(sum(p.size_bytes) OVER (ORDER BY t.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS held
    FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (position, project_id, profile_id)
    JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
    WHERE p.merged_into IS NULL
) AS w;

-- load_marked_lately
SELECT w.profile_id, CASE WHEN w.held < $4::INT8 THEN w.traits::TEXT END, CASE WHEN w.held < $4::INT8 THEN w.stamps::TEXT END,
    ARRAY(SELECT i.kind FROM identity AS i WHERE i.profile_id = w.profile_id ORDER BY i.first_seen, i.kind, i.value),
    ARRAY(SELECT i.value FROM identity AS i WHERE i.profile_id = w.profile_id ORDER BY i.first_seen, i.kind, i.value)
FROM (
    SELECT p.profile_id, p.traits, p.stamps,
        COALESCE(sum(p.size_bytes) OVER (ORDER BY t.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS held
    FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (position, project_id, profile_id)
    JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
    WHERE p.merged_into IS NULL
) AS w /*crdb AS OF SYSTEM TIME '-5s' */;

-- delete_marks
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM outbox WHERE (project_id, profile_id, mark) IN (
    SELECT t.project_id, t.profile_id, t.mark FROM unnest($1::INT4[], $2::UUID[], $3::UUID[]) AS t (project_id, profile_id, mark)
) AND EXISTS (SELECT 1 FROM held);

-- load_gone
SELECT g.kind, g.value, g.mark, g.looks, g.only_ours, i.profile_id, (EXTRACT(EPOCH FROM now()) * 1000000)::INT8,
    COALESCE(g.erased_at, g.marked_at)
FROM outbox_gone AS g
LEFT JOIN identity AS i ON i.project_id = g.project_id AND i.kind = g.kind AND i.value = g.value
WHERE g.project_id = $1::INT4 AND g.due_at <= now()
ORDER BY g.kind, g.value LIMIT $2::INT8;

-- note_gone
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $5::TEXT AND w.token = $6::INT8 AND w.expires_at > now() FOR SHARE)
INSERT INTO outbox_gone AS o (project_id, kind, value, mark, marked_at, due_at, looks, only_ours, erased_at)
SELECT t.project_id, t.kind, t.value, gen_random_uuid(), now(), now(), 0, FALSE, t.erased_at
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::TIMESTAMPTZ[]) AS t (project_id, kind, value, erased_at)
WHERE EXISTS (SELECT 1 FROM held)
ON CONFLICT (project_id, kind, value) DO UPDATE SET mark = excluded.mark, due_at = excluded.due_at, looks = 0, only_ours = FALSE,
    marked_at = CASE WHEN o.looks = 0 THEN o.marked_at ELSE excluded.marked_at END, erased_at = GREATEST(o.erased_at, excluded.erased_at);

-- put_off_gone
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $5::TEXT AND w.token = $6::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE outbox_gone AS g SET looks = g.looks + 1, due_at = now() + ($7::FLOAT8 * '1 second'::INTERVAL)
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::UUID[]) AS t (project_id, kind, value, mark)
WHERE g.project_id = t.project_id AND g.kind = t.kind AND g.value = t.value AND g.mark = t.mark AND EXISTS (SELECT 1 FROM held);

-- mark_owners
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $3::TEXT AND w.token = $4::INT8 AND w.expires_at > now() FOR SHARE)
INSERT INTO outbox (project_id, profile_id, mark, marked_at)
SELECT t.project_id, t.profile_id, gen_random_uuid(), now() FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
WHERE EXISTS (SELECT 1 FROM held)
ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark;

-- delete_gone
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $5::TEXT AND w.token = $6::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM outbox_gone WHERE (project_id, kind, value, mark) IN (
    SELECT t.project_id, t.kind, t.value, t.mark
    FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::UUID[]) AS t (project_id, kind, value, mark)
) AND EXISTS (SELECT 1 FROM held);

-- record_document_refusals
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $4::TEXT AND w.token = $5::INT8 AND w.expires_at > now() FOR SHARE)
INSERT INTO mirror_refusal (project_id, profile_id, reason, refused_at)
SELECT t.project_id, t.profile_id, t.reason, now() FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[]) AS t (project_id, profile_id, reason)
WHERE EXISTS (SELECT 1 FROM held)
ON CONFLICT (project_id, profile_id) DO UPDATE SET reason = excluded.reason, refused_at = excluded.refused_at;

-- forget_document_refusals
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $3::TEXT AND w.token = $4::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM mirror_refusal WHERE (project_id, profile_id) IN (
    SELECT t.project_id, t.profile_id FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
) AND EXISTS (SELECT 1 FROM held);

-- tidy_document_refusals
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $2::TEXT AND w.token = $3::INT8 AND w.expires_at > now() FOR SHARE)
DELETE FROM mirror_refusal AS f WHERE f.project_id = $1::INT4 AND EXISTS (SELECT 1 FROM held) AND NOT EXISTS (
    SELECT 1 FROM profile AS p WHERE p.project_id = f.project_id AND p.profile_id = f.profile_id AND p.merged_into IS NULL
);

-- clear_outbox
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $3::TEXT AND w.token = $4::INT8 AND w.expires_at > now() FOR SHARE), stops AS (
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
SELECT ((SELECT count(*) FROM marks) + (SELECT count(*) FROM names) + (SELECT count(*) FROM refusals))::INT8;

-- end_mirror
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $2::TEXT AND w.token = $3::INT8 AND w.expires_at > now() FOR SHARE)
UPDATE mirror SET is_active = FALSE
WHERE project_id = $1::INT4 AND EXISTS (SELECT 1 FROM held) AND NOT EXISTS (
    SELECT 1 FROM migration AS m WHERE m.project_id = $1::INT4 AND m.mirrors
);

-- forget_verifications
WITH old AS (
    DELETE FROM verification AS v WHERE v.project_id = $1::INT4 AND v.finished_at < now() - '30 days'::INTERVAL
    RETURNING v.project_id, v.verification_id
)
DELETE FROM verification_sample WHERE (project_id, verification_id) IN (SELECT o.project_id, o.verification_id FROM old AS o);

-- start_verification
INSERT INTO verification (project_id, verification_id, direction, started_at, finished_at, due_at, attempts, reason, checked, missing, different,
    extra, rejected, superseded, erased, progress)
SELECT $1::INT4, $2::UUID, $3::TEXT, now(), NULL, now() /*crdb + '6 seconds'::INTERVAL */, 0, '', 0, 0, 0, 0, 0, 0, 0, '{}'
WHERE NOT EXISTS (
    SELECT 1 FROM verification AS v WHERE v.project_id = $1::INT4 AND v.direction = $3::TEXT AND v.finished_at IS NULL
)
ON CONFLICT (project_id, verification_id) DO NOTHING;

-- last_verifications
SELECT v.verification_id, v.direction, v.started_at, v.finished_at, v.reason, v.checked, v.missing, v.different, v.extra, v.rejected,
    v.superseded, v.erased, EXTRACT(EPOCH FROM now() - v.finished_at)::INT8
FROM verification AS v WHERE v.project_id = $1::INT4 AND v.direction = $2::TEXT ORDER BY v.started_at DESC LIMIT 2;

-- load_verification
SELECT v.verification_id, v.direction, v.started_at, v.finished_at, v.reason, v.checked, v.missing, v.different, v.extra, v.rejected,
    v.superseded, v.erased, EXTRACT(EPOCH FROM now() - v.finished_at)::INT8
FROM verification AS v WHERE v.project_id = $1::INT4 AND v.verification_id = $2::UUID;

-- load_samples
SELECT kind, document_id, field, ours, theirs
FROM verification_sample WHERE project_id = $1::INT4 AND verification_id = $2::UUID ORDER BY number LIMIT 1000;

-- due_verifications
SELECT v.project_id, v.verification_id, v.direction, v.attempts, v.checked, v.missing, v.different, v.extra, v.rejected, v.superseded, v.erased,
    v.progress::TEXT, p.name, m.settings::TEXT, m.mirrors, COALESCE(r.is_walked AND r.swept IS NULL, FALSE), COALESCE(r.is_whole, FALSE)
FROM verification AS v
JOIN project AS p ON p.project_id = v.project_id
JOIN migration AS m ON m.project_id = v.project_id
LEFT JOIN mirror AS r ON r.project_id = v.project_id
WHERE v.finished_at IS NULL AND v.due_at <= now()
ORDER BY v.due_at LIMIT 100;

-- note_verification
WITH held AS (SELECT w.token FROM worker AS w WHERE w.name = $1::TEXT AND w.token = $2::INT8 AND w.expires_at > now() FOR SHARE), noted AS (
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
ON CONFLICT (project_id, verification_id, number) DO NOTHING;

-- find_owners
SELECT t.position, i.profile_id
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value;

-- find_owners_lately
SELECT t.position, i.profile_id
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value /*crdb AS OF SYSTEM TIME '-5s' */;

-- people_page
SELECT p.profile_id FROM profile AS p /*crdb AS OF SYSTEM TIME '-5s' */
WHERE p.project_id = $1::INT4 AND p.profile_id > $2::UUID AND p.merged_into IS NULL
ORDER BY p.profile_id LIMIT $3::INT8;

-- load_standing
SELECT t.position,
    EXISTS (SELECT 1 FROM outbox AS o WHERE o.project_id = t.project_id AND o.profile_id = t.profile_id),
    EXISTS (SELECT 1 FROM mirror_refusal AS f WHERE f.project_id = t.project_id AND f.profile_id = t.profile_id)
FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (position, project_id, profile_id);

-- find_going
SELECT t.position
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
JOIN outbox_gone AS g ON g.project_id = t.project_id AND g.kind = t.kind AND g.value = t.value
WHERE g.looks = 0;

-- find_refused
SELECT DISTINCT t.position
FROM unnest($1::INT4[], $2::TEXT[], $3::TIMESTAMPTZ[]) AS t (position, hash, since)
JOIN backfill_rejection AS r ON r.name_hashes @> to_jsonb(t.hash)
WHERE COALESCE(r.record_at, r.rejected_at) + '1 millisecond'::INTERVAL > t.since;

-- find_claimed
SELECT DISTINCT t.position
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[], $5::UUID[]) AS t (position, project_id, kind, value, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id
CROSS JOIN LATERAL unnest(array_append(p.merged_from, p.profile_id)) AS m (claimant_id)
JOIN conflict AS c ON c.claimant_id = m.claimant_id AND c.kind = t.kind AND c.value = t.value;
