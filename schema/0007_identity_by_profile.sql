-- For a profile's list of identities.
CREATE INDEX IF NOT EXISTS identity_by_profile ON identity (profile_id);
