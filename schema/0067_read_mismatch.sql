-- In what compared reads differed, by the first name of the path; of each the last one that was seen. It says nothing of anybody but the id.
CREATE TABLE IF NOT EXISTS read_mismatch (
    project_id INT4 NOT NULL,
    since INT8 NOT NULL, -- as in read_comparison
    node UUID NOT NULL,
    field TEXT NOT NULL, -- of a node at most 51
    mismatches INT8 NOT NULL,
    profile_id UUID, -- NULL of somebody whom only the legacy store knows
    path TEXT NOT NULL,
    ours TEXT NOT NULL, -- what stands there, described and not repeated
    theirs TEXT NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project_id, since, node, field)
);
