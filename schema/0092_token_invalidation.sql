-- Tokens of people that count no more, by the salted hashes of their names. The hash is random, so the key spreads by itself. The other
-- key is for those that came last: a few a second at most, so that it needs no hash.
CREATE TABLE IF NOT EXISTS token_invalidation (
    project_id INT4 NOT NULL,
    name_hash BYTEA NOT NULL,
    issued_before TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project_id, name_hash),
    UNIQUE (changed_at, project_id, name_hash)
);
