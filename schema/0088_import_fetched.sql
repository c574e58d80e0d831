-- Files of folders that schedules have begun to fetch: by name and tag, so that one that is late or is replaced is seen, and no other twice.
CREATE TABLE IF NOT EXISTS import_fetched (
    project_id INT4 NOT NULL,
    schedule_id UUID NOT NULL,
    name TEXT NOT NULL,
    tag TEXT NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL, -- when it was last there
    PRIMARY KEY (project_id, schedule_id, name, tag)
);
