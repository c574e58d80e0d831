-- For those who look for work that is left.
CREATE INDEX IF NOT EXISTS split_open ON split (sweep_at) WHERE finished_at IS NULL;
