-- For emptying what is listed of an erased person. Its entries are hashes, so they spread by themselves.
CREATE INDEX IF NOT EXISTS import_rejection_by_name ON import_rejection USING GIN (name_hashes);
