-- The names of people in it, as in rejection. NULL where nobody could be read, and of what was emptied.
ALTER TABLE backfill_rejection ADD COLUMN IF NOT EXISTS name_hashes JSONB;
