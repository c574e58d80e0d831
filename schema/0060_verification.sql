-- Verifications of migrations: what was compared, and what it came to.
CREATE TABLE IF NOT EXISTS verification (
    project_id INT4 NOT NULL,
    verification_id UUID NOT NULL, -- drawn by whoever asked: a repeat whose answer was lost knows itself
    direction TEXT NOT NULL, -- forward: Roster has what the legacy store has; reverse: the other way round
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ, -- NULL while it goes on
    due_at TIMESTAMPTZ NOT NULL,
    attempts INT4 NOT NULL, -- failures in a row
    reason TEXT NOT NULL, -- of the last failure; of one that is finished: why it came to nothing. Empty where it went well
    checked INT8 NOT NULL, -- documents and people
    missing INT8 NOT NULL,
    different INT8 NOT NULL,
    extra INT8 NOT NULL,
    rejected INT8 NOT NULL,
    superseded INT8 NOT NULL,
    erased INT8 NOT NULL,
    progress JSONB NOT NULL, -- how far it is; src/verify/progress.rs
    PRIMARY KEY (project_id, verification_id)
);
