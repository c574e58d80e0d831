-- Every step of a migration: who took it, when, why, and what its gates saw.
CREATE TABLE IF NOT EXISTS migration_step (
    project_id INT4 NOT NULL,
    version INT8 NOT NULL, -- of the migration behind the step
    step_id UUID NOT NULL, -- drawn by whoever took it: a repeat whose answer was lost knows itself
    verb TEXT NOT NULL,
    from_state TEXT, -- NULL before the first plan
    to_state TEXT NOT NULL,
    operator TEXT NOT NULL,
    reason TEXT NOT NULL, -- empty where none was given
    is_forced BOOL NOT NULL,
    gates JSONB NOT NULL,
    taken_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project_id, version)
);
