-- Topics of legacy profiles that are taken in: whether, since when, and why not.
CREATE TABLE IF NOT EXISTS backfill_source (
    source TEXT PRIMARY KEY,
    state TEXT NOT NULL, -- running, paused
    reason TEXT NOT NULL, -- empty while running
    started_at TIMESTAMPTZ NOT NULL, -- the time of records that have none of their own: all live traffic since is newer
    changed_at TIMESTAMPTZ NOT NULL
);
