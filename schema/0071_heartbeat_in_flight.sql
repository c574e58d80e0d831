-- For how long a node may still write what it has begun: whoever waits for that waits for the longest.
ALTER TABLE heartbeat ADD COLUMN IF NOT EXISTS in_flight_ms INT8; -- NULL until a node that says so has had the slot
