-- Profiles of which only what is older than the erasure goes. NULL where the whole person does.
ALTER TABLE erasure_request ADD COLUMN IF NOT EXISTS kept_ids UUID[];
