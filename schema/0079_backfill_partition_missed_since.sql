-- Since when deletions may have been missed: a compacted topic drops them some time after they were sent.
ALTER TABLE backfill_partition ADD COLUMN IF NOT EXISTS missed_since TIMESTAMPTZ; -- NULL where none can have been
