-- Who does what only one node may do at a time. Advisory locks would do on PostgreSQL, but are no locks on CockroachDB.
CREATE TABLE IF NOT EXISTS lease (
    name TEXT PRIMARY KEY,
    owner UUID NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
