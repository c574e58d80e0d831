-- Names of erased people whose documents in a legacy store have to go, and stay away.
CREATE TABLE IF NOT EXISTS outbox_gone (
    project_id INT4 NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    mark UUID NOT NULL, -- another one with each erasure of the name
    marked_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    looks INT4 NOT NULL, -- how often the document was deleted since
    only_ours BOOL NOT NULL, -- a legacy store said itself that the person is deleted: what it has by now of somebody else stays
    PRIMARY KEY (project_id, kind, value) /*crdb USING HASH */
);
