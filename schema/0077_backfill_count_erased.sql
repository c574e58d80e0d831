-- How many of the rejected records were about people who were erased here: that is as it should be.
ALTER TABLE backfill_count ADD COLUMN IF NOT EXISTS erased INT8 NOT NULL DEFAULT 0;
