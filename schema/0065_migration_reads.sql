-- Where the profiles of a project are read from: src/domain/reads.rs.
ALTER TABLE migration ADD COLUMN IF NOT EXISTS reads JSONB; -- NULL where nobody has said it: they are read as if there were no migration
