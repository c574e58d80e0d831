-- One row: who may change the schema now. Advisory locks would do on PostgreSQL, but are no locks on CockroachDB.
CREATE TABLE IF NOT EXISTS schema_lease (
    id INT4 PRIMARY KEY,
    owner UUID NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
