-- How far the documents of an index were looked through for people who were erased before anything was mirrored.
ALTER TABLE mirror ADD COLUMN IF NOT EXISTS swept JSONB; -- NULL once all were; src/mirror/sweep.rs
