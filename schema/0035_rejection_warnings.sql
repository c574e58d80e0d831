-- What was mended of an item that was stored; NULL of what was refused.
ALTER TABLE rejection ADD COLUMN IF NOT EXISTS warnings JSONB;
