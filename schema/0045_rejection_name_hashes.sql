-- The names of people in it, as erasure.identity_hash in hexadecimal: what is listed of somebody who is erased is emptied. NULL where
-- nobody could be read, and of what was emptied.
ALTER TABLE rejection ADD COLUMN IF NOT EXISTS name_hashes JSONB;
