-- What nodes write to know that a write works. Few rows, shared by all nodes: nobody reads them.
CREATE TABLE IF NOT EXISTS heartbeat (
    slot INT4 PRIMARY KEY,
    node UUID NOT NULL,
    beaten_at TIMESTAMPTZ NOT NULL
);
