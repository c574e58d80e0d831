-- People: their traits, and when each was true.
CREATE TABLE IF NOT EXISTS profile (
    project_id INT4 NOT NULL,
    profile_id UUID NOT NULL,
    traits JSONB NOT NULL,
    stamps JSONB NOT NULL,
    version INT8 NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    merged_into UUID, -- NULL while the profile stands for itself; else where its person lives on, never a chain
    merged_from UUID[] NOT NULL DEFAULT ARRAY[]::UUID[], -- profiles whose events belong to this one's timeline
    PRIMARY KEY (project_id, profile_id) /*crdb USING HASH */
);
