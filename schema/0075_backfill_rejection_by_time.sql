-- For those that have reached their age. Time is sequential, hence the hash.
CREATE INDEX IF NOT EXISTS backfill_rejection_by_time ON backfill_rejection (project_id, rejected_at, record_offset) /*crdb USING HASH */;
