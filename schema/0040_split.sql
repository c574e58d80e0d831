-- People who were taken apart: who came out of whom, and which events are left to move. The id is random, so the key spreads by itself.
CREATE TABLE IF NOT EXISTS split (
    project_id INT4 NOT NULL,
    profile_id UUID NOT NULL, -- who came out
    from_id UUID NOT NULL, -- of whom
    requested_at TIMESTAMPTZ NOT NULL,
    source_ids UUID[] NOT NULL, -- profiles whose events are looked through; empty once finished
    vias INT8[] NOT NULL, -- the names that were taken out, as events carry them; empty once finished
    event_count INT8 NOT NULL,
    progress TEXT NOT NULL, -- how far the walk over the events has got; empty at its beginning
    moved_at TIMESTAMPTZ, -- NULL while events are left
    sweep_at TIMESTAMPTZ NOT NULL, -- when nothing can be in flight any more
    finished_at TIMESTAMPTZ, -- NULL until the sweep
    attempts INT4 NOT NULL DEFAULT 0, -- sweeps that failed in a row
    PRIMARY KEY (project_id, profile_id)
);
