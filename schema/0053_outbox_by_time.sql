-- The oldest marks of a project. It leads with a time that grows, hence the hash.
CREATE INDEX IF NOT EXISTS outbox_by_time ON outbox (project_id, marked_at) /*crdb USING HASH */;
