-- As of when a person was erased: what is told to who reads a topic.
ALTER TABLE outbox_gone ADD COLUMN IF NOT EXISTS erased_at TIMESTAMPTZ; -- NULL where a node of an older version noted the name
