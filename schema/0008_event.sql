-- What profiles did. The key is the message id (or its hash): an event is stored once, for ever.
CREATE TABLE IF NOT EXISTS event (
    project_id INT4 NOT NULL,
    event_id UUID NOT NULL,
    profile_id UUID NOT NULL,
    type TEXT NOT NULL,
    name TEXT, -- NULL where the call has none
    message_id TEXT, -- NULL where event_id spells it
    occurred_at TIMESTAMPTZ NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    properties JSONB NOT NULL,
    context JSONB NOT NULL,
    PRIMARY KEY (project_id, event_id) /*crdb USING HASH */
);
