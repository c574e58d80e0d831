-- For the list of a project's conflicts, newest first, and for those that have reached their age. Time is sequential, hence the hash.
CREATE INDEX IF NOT EXISTS conflict_by_time ON conflict (project_id, first_seen, conflict_id) /*crdb USING HASH */;
