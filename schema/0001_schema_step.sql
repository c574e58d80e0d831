-- What has been applied: one row for each file of this folder.
CREATE TABLE IF NOT EXISTS schema_step (
    name TEXT PRIMARY KEY,
    checksum TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
