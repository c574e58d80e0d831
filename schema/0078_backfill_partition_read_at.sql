-- When a partition was last known to be read to its end, or to move on.
ALTER TABLE backfill_partition ADD COLUMN IF NOT EXISTS read_at TIMESTAMPTZ; -- NULL until a node that notes it has had the partition
