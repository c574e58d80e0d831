-- Documents that a legacy store refuses.
CREATE TABLE IF NOT EXISTS mirror_refusal (
    project_id INT4 NOT NULL,
    profile_id UUID NOT NULL,
    reason TEXT NOT NULL,
    refused_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project_id, profile_id) /*crdb USING HASH */
);
