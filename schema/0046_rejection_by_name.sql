-- For emptying what is listed of an erased person. Its entries are hashes, so they spread by themselves.
CREATE INDEX IF NOT EXISTS rejection_by_name ON rejection USING GIN (name_hashes);
