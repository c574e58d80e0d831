-- Sweeps that failed in a row: each one more makes the next wait longer.
ALTER TABLE erasure_request ADD COLUMN IF NOT EXISTS attempts INT4 NOT NULL DEFAULT 0;
