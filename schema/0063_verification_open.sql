-- For those who look for work that is left.
CREATE INDEX IF NOT EXISTS verification_open ON verification (due_at) WHERE finished_at IS NULL;
