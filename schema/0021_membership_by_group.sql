-- For the erasure of a group.
CREATE INDEX IF NOT EXISTS membership_by_group ON membership (group_id);
