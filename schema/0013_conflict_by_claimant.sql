-- For the erasure of a person.
CREATE INDEX IF NOT EXISTS conflict_by_claimant ON conflict (claimant_id);
