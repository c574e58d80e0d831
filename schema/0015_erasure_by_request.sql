-- For lifting a block from all names of a person.
CREATE INDEX IF NOT EXISTS erasure_by_request ON erasure (erasure_id);
