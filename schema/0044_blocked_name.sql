-- Names that stand for nobody in a project from now on, because somebody said so. Few of each project, and read with its keys.
CREATE TABLE IF NOT EXISTS blocked_name (
    project_id INT4 NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    blocked_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, kind, value)
);
