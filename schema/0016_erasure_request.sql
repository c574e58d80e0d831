-- Erasures as they were asked for: their receipts, and what is left to do. Names stay here only until the work is done.
CREATE TABLE IF NOT EXISTS erasure_request (
    project_id INT4 NOT NULL,
    erasure_id UUID NOT NULL,
    requested_at TIMESTAMPTZ NOT NULL,
    is_forgotten BOOL NOT NULL,
    identity_count INT8 NOT NULL,
    event_count INT8 NOT NULL,
    identities JSONB NOT NULL, -- pairs of kind and value; empty once finished
    profile_ids UUID[] NOT NULL, -- empty once finished
    cleared_at TIMESTAMPTZ, -- NULL while events are left
    sweep_at TIMESTAMPTZ NOT NULL, -- when nothing can be in flight any more
    finished_at TIMESTAMPTZ, -- NULL until the sweep
    PRIMARY KEY (project_id, erasure_id)
);
