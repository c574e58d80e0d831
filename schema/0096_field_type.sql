-- The tracking plans of projects: the type of each field, fixed by its first value. Read and written by whole keys and by category.
CREATE TABLE IF NOT EXISTS field_type (
    project_id INT4 NOT NULL,
    category TEXT NOT NULL, -- user, group, or event: with the name of the event behind it
    name TEXT NOT NULL, -- the path within the object: address.city
    type TEXT NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project_id, category, name) /*crdb USING HASH */
);
