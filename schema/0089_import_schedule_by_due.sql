-- For those that are due. Time is sequential, hence the hash.
CREATE INDEX IF NOT EXISTS import_schedule_by_due ON import_schedule (due_at) /*crdb USING HASH */;
