-- Identities that calls gave to one person while they belong to another: for people to look at, never merged by themselves.
CREATE TABLE IF NOT EXISTS conflict (
    project_id INT4 NOT NULL,
    conflict_id UUID NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    owner_id UUID NOT NULL,
    claimant_id UUID NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project_id, conflict_id)
);
