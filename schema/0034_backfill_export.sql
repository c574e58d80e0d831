-- How far documents of a legacy store were sent into a topic.
CREATE TABLE IF NOT EXISTS backfill_export (
    name TEXT PRIMARY KEY, -- the index and the topic
    state JSONB NOT NULL, -- by shard; src/export/state.rs
    updated_at TIMESTAMPTZ NOT NULL
);
