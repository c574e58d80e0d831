-- For those that are to be gone on with or forgotten. Time is sequential, hence the hash.
CREATE INDEX IF NOT EXISTS import_pull_by_due ON import_pull (due_at) /*crdb USING HASH */;
