-- Tenants. The id is small because every index repeats it.
CREATE TABLE IF NOT EXISTS project (
    project_id INT4 PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    event_retention_days INT4, -- NULL: events stay
    rejection_retention_days INT4 NOT NULL DEFAULT 30,
    identity_kinds JSONB NOT NULL DEFAULT '{"custom": [], "device_tokens": false}' -- the project's own kinds of identity
);
