-- How far the relay of each project is.
CREATE TABLE IF NOT EXISTS mirror (
    project_id INT4 PRIMARY KEY,
    is_active BOOL NOT NULL, -- false where the migration does not mirror, and its marks are gone
    walk_at TIMESTAMPTZ NOT NULL, -- when no statement can be running any more that began before changes were marked
    walk_after UUID NOT NULL, -- the last profile that the walk has marked
    is_walked BOOL NOT NULL,
    is_whole BOOL NOT NULL, -- Roster has all that the legacy store had: documents are what Roster says
    due_at TIMESTAMPTZ NOT NULL,
    attempts INT4 NOT NULL, -- failures in a row
    reason TEXT NOT NULL, -- of the last failure; empty where the last try went well
    published INT8 NOT NULL,
    foreign_writes INT8 NOT NULL,
    watched JSONB NOT NULL, -- how far it was looked who else writes; src/mirror/watch.rs
    watched_at TIMESTAMPTZ NOT NULL
);
