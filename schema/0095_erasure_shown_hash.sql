-- What of a forgotten name a project shows that wants to: an unsalted hash, so that others can keep away from the person too.
ALTER TABLE erasure ADD COLUMN IF NOT EXISTS shown_hash TEXT; -- NULL unless the project had said so when the person was forgotten
