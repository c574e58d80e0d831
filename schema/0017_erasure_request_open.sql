-- For those who look for work that is left.
CREATE INDEX IF NOT EXISTS erasure_request_open ON erasure_request (sweep_at) WHERE finished_at IS NULL;
