-- For those that are to be given up or forgotten. Time is sequential, hence the hash.
CREATE INDEX IF NOT EXISTS import_job_by_expiry ON import_job (expires_at) /*crdb USING HASH */;
