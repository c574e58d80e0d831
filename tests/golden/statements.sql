-- ping
SELECT 1::INT4;

-- insert_events
INSERT INTO event (project_id, event_id, profile_id, type, name, message_id, occurred_at, received_at, properties, context)
SELECT t.project_id, t.event_id, i.profile_id, t.type, t.name, t.message_id, t.occurred_at, t.received_at, t.properties, t.context
FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TIMESTAMPTZ[], $9::TIMESTAMPTZ[], $10::JSONB[], $11::JSONB[])
    AS t (project_id, event_id, identity_kind, identity_value, type, name, message_id, occurred_at, received_at, properties, context)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.identity_kind AND i.value = t.identity_value
WHERE i.not_before IS NULL OR ($12::BOOL AND t.occurred_at > i.not_before)
ON CONFLICT (project_id, event_id) DO NOTHING
RETURNING project_id, event_id;

-- resolve_identities
SELECT t.position, i.profile_id, p.version, i.not_before,
    CASE WHEN t.with_traits THEN p.traits::TEXT END, CASE WHEN t.with_traits THEN p.stamps::TEXT END
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[], $5::BOOL[])
    AS t (position, project_id, kind, value, with_traits)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = i.profile_id
UNION ALL
SELECT s.position, NULL::UUID, NULL::INT8, NULL::TIMESTAMPTZ, NULL::TEXT, NULL::TEXT
FROM unnest($6::INT4[], $7::INT4[], $8::UUID[]) AS s (position, project_id, event_id)
JOIN event AS e ON e.project_id = s.project_id AND e.event_id = s.event_id;

-- create_identities
WITH won AS (
    INSERT INTO identity (project_id, kind, value, profile_id, first_seen, not_before)
    SELECT t.project_id, t.kind, t.value, t.profile_id, t.first_seen, t.not_before
    FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::UUID[], $5::TIMESTAMPTZ[], $6::TIMESTAMPTZ[])
        AS t (project_id, kind, value, profile_id, first_seen, not_before)
    ON CONFLICT (project_id, kind, value) DO NOTHING
    RETURNING project_id, kind, value, profile_id
), born AS (
    INSERT INTO profile (project_id, profile_id, traits, stamps, version, created_at, updated_at)
    SELECT n.project_id, n.profile_id, n.traits, n.stamps, 1, n.created_at, n.created_at
    FROM unnest($7::INT4[], $8::UUID[], $9::JSONB[], $10::JSONB[], $11::TIMESTAMPTZ[]) AS n (project_id, profile_id, traits, stamps, created_at)
    WHERE EXISTS (SELECT 1 FROM won WHERE won.project_id = n.project_id AND won.profile_id = n.profile_id)
    ON CONFLICT (project_id, profile_id) DO NOTHING
    RETURNING profile_id
)
SELECT project_id, kind, value FROM won;

-- link_identities
WITH held AS (
    UPDATE profile AS p SET version = p.version + 1, updated_at = t.updated_at
    FROM unnest($1::INT4[], $2::UUID[], $3::INT8[], $4::TIMESTAMPTZ[]) AS t (project_id, profile_id, version, updated_at)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id AND p.version = t.version
    RETURNING p.project_id, p.profile_id
)
INSERT INTO identity (project_id, kind, value, profile_id, first_seen, not_before)
SELECT t.project_id, t.kind, t.value, t.profile_id, t.first_seen, t.not_before
FROM unnest($5::INT4[], $6::TEXT[], $7::TEXT[], $8::UUID[], $9::TIMESTAMPTZ[], $10::TIMESTAMPTZ[])
    AS t (project_id, kind, value, profile_id, first_seen, not_before)
WHERE EXISTS (SELECT 1 FROM held WHERE held.project_id = t.project_id AND held.profile_id = t.profile_id)
ON CONFLICT (project_id, kind, value) DO NOTHING;

-- load_names
SELECT i.profile_id, count(*)::INT8, bool_or(i.kind = 'user_id')
FROM unnest($1::UUID[]) AS t (profile_id)
JOIN identity AS i ON i.profile_id = t.profile_id
GROUP BY i.profile_id;

-- write_traits
UPDATE profile AS p SET traits = t.traits, stamps = t.stamps, version = p.version + 1, updated_at = t.updated_at
FROM unnest($1::INT4[], $2::UUID[], $3::INT8[], $4::JSONB[], $5::JSONB[], $6::TIMESTAMPTZ[]) AS t (project_id, profile_id, version, traits, stamps, updated_at)
WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id AND p.version = t.version
RETURNING p.project_id, p.profile_id;

-- insert_rejections
INSERT INTO rejection (project_id, received_at, rejection_id, code, field, message, message_id, item)
SELECT t.project_id, t.received_at, t.rejection_id, t.code, t.field, t.message, t.message_id, t.item
FROM unnest($1::INT4[], $2::TIMESTAMPTZ[], $3::UUID[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::JSONB[])
    AS t (project_id, received_at, rejection_id, code, field, message, message_id, item)
ON CONFLICT (project_id, received_at, rejection_id) DO NOTHING;

-- insert_memberships
INSERT INTO membership (project_id, profile_id, group_id, first_seen)
SELECT t.project_id, t.profile_id, t.group_id, t.first_seen
FROM unnest($1::INT4[], $2::UUID[], $3::UUID[], $4::TIMESTAMPTZ[]) AS t (project_id, profile_id, group_id, first_seen)
ON CONFLICT (profile_id, group_id) DO NOTHING;

-- delete_memberships
DELETE FROM membership WHERE profile_id = ANY($1::UUID[]) OR group_id = ANY($1::UUID[]);

-- lock_profiles
SELECT profile_id, traits::TEXT, stamps::TEXT, version, merged_into IS NOT NULL, merged_from
FROM profile WHERE project_id = $1::INT4 AND profile_id = ANY($2::UUID[])
ORDER BY profile_id FOR UPDATE;

-- count_user_ids
SELECT count(DISTINCT profile_id)::INT8 FROM identity WHERE profile_id = ANY($1::UUID[]) AND kind = 'user_id';

-- update_survivor
UPDATE profile SET traits = $3::JSONB, stamps = $4::JSONB, version = $5::INT8, merged_from = $6::UUID[], updated_at = $7::TIMESTAMPTZ
WHERE project_id = $1::INT4 AND profile_id = $2::UUID;

-- move_identities
UPDATE identity SET profile_id = $1::UUID WHERE profile_id = $2::UUID;

-- retire_profiles
UPDATE profile SET merged_into = $2::UUID, traits = '{}'::JSONB, stamps = '{"base":0}'::JSONB, version = version + 1, merged_from = ARRAY[]::UUID[], updated_at = $4::TIMESTAMPTZ
WHERE project_id = $1::INT4 AND profile_id = ANY($3::UUID[]);

-- insert_conflicts
INSERT INTO conflict (project_id, conflict_id, kind, value, owner_id, claimant_id, first_seen)
SELECT t.project_id, t.conflict_id, t.kind, t.value, t.owner_id, t.claimant_id, t.first_seen
FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::UUID[], $6::UUID[], $7::TIMESTAMPTZ[])
    AS t (project_id, conflict_id, kind, value, owner_id, claimant_id, first_seen)
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
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = i.profile_id
WHERE i.not_before IS NULL OR i.not_before < $4::TIMESTAMPTZ
ORDER BY p.profile_id FOR UPDATE OF p;

-- delete_identities
DELETE FROM identity WHERE profile_id = ANY($1::UUID[]) RETURNING kind, value;

-- delete_profiles
DELETE FROM profile WHERE project_id = $1::INT4 AND profile_id = ANY($2::UUID[]);

-- remember_erased
INSERT INTO erasure AS e (project_id, identity_hash, erasure_id, erased_at, is_forgotten)
SELECT $1::INT4, t.identity_hash, $3::UUID, $4::TIMESTAMPTZ, $5::BOOL
FROM unnest($2::BYTEA[]) AS t (identity_hash)
ON CONFLICT (project_id, identity_hash) DO UPDATE SET
    erasure_id = CASE WHEN e.is_forgotten AND NOT excluded.is_forgotten THEN e.erasure_id ELSE excluded.erasure_id END,
    erased_at = GREATEST(e.erased_at, excluded.erased_at), is_forgotten = e.is_forgotten OR excluded.is_forgotten;

-- record_erasure
INSERT INTO erasure_request AS r (project_id, erasure_id, requested_at, is_forgotten, identity_count, event_count, identities, profile_ids, sweep_at)
VALUES ($1::INT4, $2::UUID, $3::TIMESTAMPTZ, $4::BOOL, $5::INT8, 0, $6::JSONB, $7::UUID[], $8::TIMESTAMPTZ)
ON CONFLICT (project_id, erasure_id) DO UPDATE SET identity_count = r.identity_count + excluded.identity_count,
    identities = r.identities || excluded.identities, profile_ids = r.profile_ids || excluded.profile_ids,
    cleared_at = NULL
RETURNING profile_ids;

-- erase_events
WITH emptied AS (
    UPDATE event AS e SET profile_id = $2::UUID, type = 'erased', name = NULL, message_id = NULL,
        occurred_at = $4::TIMESTAMPTZ, received_at = $4::TIMESTAMPTZ, properties = '{}'::JSONB, context = '{}'::JSONB
    FROM (
        SELECT own.project_id, own.event_id
        FROM unnest($3::UUID[]) AS t (profile_id)
        CROSS JOIN LATERAL (
            SELECT project_id, event_id FROM event WHERE event.profile_id = t.profile_id AND event.project_id = $1::INT4 LIMIT $5::INT8
        ) AS own
        LIMIT $5::INT8
    ) AS d
    WHERE e.project_id = d.project_id AND e.event_id = d.event_id
    RETURNING e.event_id
), counted AS (
    UPDATE erasure_request SET event_count = event_count + (SELECT count(*) FROM emptied)
    WHERE project_id = $1::INT4 AND erasure_id = $2::UUID
    RETURNING erasure_id
)
SELECT count(*)::INT8 FROM emptied;

-- delete_conflicts
DELETE FROM conflict WHERE owner_id = ANY($1::UUID[]) OR claimant_id = ANY($1::UUID[]);

-- mark_cleared
UPDATE erasure_request SET cleared_at = COALESCE(cleared_at, now()) WHERE project_id = $1::INT4 AND erasure_id = $2::UUID;

-- find_returned
SELECT i.profile_id
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
WHERE i.not_before IS NULL OR i.not_before < $4::TIMESTAMPTZ
LIMIT 1;

-- mark_finished
UPDATE erasure_request SET finished_at = now(), identities = '[]'::JSONB, profile_ids = ARRAY[]::UUID[]
WHERE project_id = $1::INT4 AND erasure_id = $2::UUID AND finished_at IS NULL;

-- open_erasures
SELECT project_id, erasure_id, requested_at, is_forgotten, identities::TEXT, profile_ids
FROM erasure_request WHERE finished_at IS NULL AND sweep_at <= now()
ORDER BY sweep_at LIMIT $1::INT8;

-- load_erasure
SELECT erasure_id, requested_at, is_forgotten, identity_count, event_count, cleared_at, finished_at
FROM erasure_request WHERE project_id = $1::INT4 AND erasure_id = $2::UUID;

-- lift_block
UPDATE erasure SET is_forgotten = FALSE
WHERE project_id = $1::INT4 AND erasure_id = (SELECT e.erasure_id FROM erasure AS e WHERE e.project_id = $1::INT4 AND e.identity_hash = $2::BYTEA)
RETURNING erasure_id;

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
SELECT conflict_id, kind, value, owner_id, claimant_id, first_seen
FROM conflict
WHERE project_id = $1::INT4 AND (first_seen, conflict_id) < ($2::TIMESTAMPTZ, $3::UUID)
ORDER BY first_seen DESC, conflict_id DESC
LIMIT $4::INT8;

-- load_conflicts_of
SELECT conflict_id, kind, value, owner_id, claimant_id, first_seen
FROM conflict
WHERE (owner_id = ANY($1::UUID[]) OR claimant_id = ANY($1::UUID[])) AND conflict_id > $2::UUID
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
    ARRAY(
        SELECT DISTINCT i.value FROM unnest(p.merged_from || p.profile_id) AS t (id)
        JOIN membership AS m ON m.profile_id = t.id
        JOIN profile AS g ON g.project_id = m.project_id AND g.profile_id = m.group_id
        JOIN identity AS i ON i.profile_id = COALESCE(g.merged_into, g.profile_id) AND i.kind = 'group_id'
        ORDER BY i.value
    ),
    p.taken::INT8
FROM (
    SELECT w.*, sum(w.size) OVER (ORDER BY w.position ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS taken
    FROM (
        SELECT t.*, (octet_length(t.traits) + (
            SELECT COALESCE(sum(octet_length(i.value)), 0) FROM identity AS i WHERE i.profile_id = t.profile_id
        ))::INT8 AS size
        FROM (
            SELECT r.position, q.profile_id, q.merged_from, q.traits::TEXT AS traits, q.version, q.created_at, q.updated_at
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

-- load_identities
SELECT kind, value FROM identity WHERE profile_id = $1::UUID ORDER BY kind, value;

-- load_timeline
SELECT p.event_id, p.profile_id, p.type, p.name, p.message_id, p.occurred_at, p.received_at, p.properties, p.context
FROM (
    SELECT w.*, sum(w.size) OVER (ORDER BY w.occurred_at DESC, w.event_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - w.size AS before
    FROM (
        SELECT t.*, (octet_length(t.properties) + octet_length(t.context))::INT8 AS size
        FROM (
            SELECT r.event_id, r.profile_id, r.type, r.name, r.message_id, r.occurred_at, r.received_at, r.properties::TEXT AS properties, r.context::TEXT AS context
            FROM (
                SELECT e.*
                FROM unnest($2::UUID[]) AS t (profile_id)
                CROSS JOIN LATERAL (
                    SELECT * FROM event AS own
                    WHERE own.profile_id = t.profile_id AND own.project_id = $1::INT4
                      AND own.occurred_at >= $3::TIMESTAMPTZ AND own.occurred_at < $4::TIMESTAMPTZ
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
SELECT e.event_id, COALESCE(p.merged_into, e.profile_id), e.type, e.name, e.message_id, e.occurred_at, e.received_at, e.properties::TEXT, e.context::TEXT
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, event_id)
JOIN event AS e ON e.project_id = t.project_id AND e.event_id = t.event_id
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = e.profile_id;

-- load_rejections
SELECT rejection_id, received_at, code, field, message, message_id, item::TEXT
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

-- create_key
INSERT INTO api_key (key_hash, project_id, kind) VALUES ($1::BYTEA, $2::INT4, $3::TEXT)
ON CONFLICT (key_hash) DO NOTHING;

-- load_keys
SELECT k.key_hash, k.project_id, k.kind, p.identity_kinds::TEXT
FROM unnest($1::BYTEA[]) AS t (key_hash)
JOIN api_key AS k ON k.key_hash = t.key_hash
JOIN project AS p ON p.project_id = k.project_id
WHERE k.revoked_at IS NULL;

-- set_kinds
UPDATE project SET identity_kinds = $2::JSONB WHERE project_id = $1::INT4;

-- list_keys
SELECT p.name, k.key_hash, k.kind, to_char(k.created_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')::TEXT, k.revoked_at IS NOT NULL
FROM api_key AS k JOIN project AS p ON p.project_id = k.project_id
ORDER BY k.project_id, k.created_at, k.key_hash;

-- revoke_key
UPDATE api_key SET revoked_at = COALESCE(revoked_at, now())
WHERE key_hash = $1::BYTEA
RETURNING project_id;

-- load_retentions
SELECT project_id, now() - event_retention_days * '1 day'::INTERVAL, now() - rejection_retention_days * '1 day'::INTERVAL
FROM project ORDER BY project_id;

-- expire_events
WITH page AS (
    SELECT event_id, received_at FROM event
    WHERE project_id = $1::INT4 AND event_id > $2::UUID
    ORDER BY event_id LIMIT $4::INT8
), gone AS (
    DELETE FROM event WHERE project_id = $1::INT4 AND event_id IN (SELECT p.event_id FROM page AS p WHERE p.received_at < $3::TIMESTAMPTZ)
    RETURNING event_id
)
SELECT (SELECT p.event_id FROM page AS p ORDER BY p.event_id DESC LIMIT 1), (SELECT count(*) FROM gone)::INT8;

-- expire_rejections
WITH gone AS (
    DELETE FROM rejection WHERE project_id = $1::INT4 AND (received_at, rejection_id) IN (
        SELECT r.received_at, r.rejection_id FROM rejection AS r
        WHERE r.project_id = $1::INT4 AND r.received_at < $2::TIMESTAMPTZ
        ORDER BY r.received_at, r.rejection_id LIMIT $3::INT8
    )
    RETURNING rejection_id
)
SELECT count(*)::INT8 FROM gone;

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
