-- Names that were erased, as salted hashes: what must not come back. The hash is random, so the key spreads by itself.
CREATE TABLE IF NOT EXISTS erasure (
    project_id INT4 NOT NULL,
    identity_hash BYTEA NOT NULL,
    erasure_id UUID NOT NULL,
    erased_at TIMESTAMPTZ NOT NULL,
    is_forgotten BOOL NOT NULL, -- newer data is refused too
    PRIMARY KEY (project_id, identity_hash)
);
