-- For those that have reached their age. Time is sequential, hence the hash.
CREATE INDEX IF NOT EXISTS import_rejection_by_time ON import_rejection (project_id, rejected_at, number) /*crdb USING HASH */;
