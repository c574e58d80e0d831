-- How far each project is on its way out of a legacy store.
CREATE TABLE IF NOT EXISTS migration (
    project_id INT4 PRIMARY KEY,
    state TEXT NOT NULL,
    version INT8 NOT NULL, -- grows by one with each step: of two operators one wins
    mirrors BOOL NOT NULL, -- changes are marked in outbox. Every write reads this row: nothing that changes often stands here
    document_kind TEXT NOT NULL, -- the kind of identity that is the id of a document
    settings JSONB NOT NULL, -- the plan; src/store/migration.rs
    changed_at TIMESTAMPTZ NOT NULL
);
