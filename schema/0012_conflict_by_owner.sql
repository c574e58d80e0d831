-- For the erasure of a person.
CREATE INDEX IF NOT EXISTS conflict_by_owner ON conflict (owner_id);
