-- Credentials; the key itself is never stored.
CREATE TABLE IF NOT EXISTS api_key (
    key_hash BYTEA PRIMARY KEY,
    project_id INT4 NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('write', 'server')),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    revoked_at TIMESTAMPTZ -- NULL while the key works
);
