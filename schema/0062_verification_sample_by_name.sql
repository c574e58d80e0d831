-- For emptying what is listed of an erased person. Its entries are hashes, so they spread by themselves.
CREATE INDEX IF NOT EXISTS verification_sample_by_name ON verification_sample USING GIN (name_hashes);
