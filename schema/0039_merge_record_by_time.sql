-- For those that have reached their age. Time is sequential, hence the hash.
CREATE INDEX IF NOT EXISTS merge_record_by_time ON merge_record (project_id, merged_at, absorbed_id) /*crdb USING HASH */;
