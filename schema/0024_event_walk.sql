-- How far the walk over a project's events has got that deletes the old ones; only of projects whose events have an age.
CREATE TABLE IF NOT EXISTS event_walk (
    project_id INT4 PRIMARY KEY,
    after UUID NOT NULL, -- all zeros at the beginning
    due_at TIMESTAMPTZ NOT NULL,
    attempts INT4 NOT NULL -- failures in a row
);
