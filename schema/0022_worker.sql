-- Work that no request waits for: who is at it, how far it has got, and when it is due again.
CREATE TABLE IF NOT EXISTS worker (
    name TEXT PRIMARY KEY,
    owner UUID NOT NULL,
    token INT8 NOT NULL, -- grows with each turn: a holder that is late knows another one, and can write nothing
    expires_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    progress TEXT NOT NULL -- the worker's own note to its successor; empty where there is nothing to go on from
);
