-- Lists of people that somebody fills and empties. A row stays when its list is deleted, so that a number is never given twice.
CREATE TABLE IF NOT EXISTS static_list (
    project_id INT4 NOT NULL,
    list_id INT4 NOT NULL,
    name TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    deleted_at TIMESTAMPTZ, -- NULL while the list is there
    PRIMARY KEY (project_id, list_id)
);
