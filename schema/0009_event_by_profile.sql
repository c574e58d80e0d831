-- A profile's timeline. profile_id is random, so the key spreads by itself.
CREATE INDEX IF NOT EXISTS event_by_profile ON event (profile_id, occurred_at DESC);
