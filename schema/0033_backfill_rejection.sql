-- Records that could not be taken, by their place in Kafka: a record that comes again makes no second row.
CREATE TABLE IF NOT EXISTS backfill_rejection (
    project_id INT4 NOT NULL, -- 0 where nobody knows whose it is
    source TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INT4 NOT NULL,
    record_offset INT8 NOT NULL,
    record_at TIMESTAMPTZ, -- Kafka's timestamp; NULL where it has none
    rejected_at TIMESTAMPTZ NOT NULL,
    code TEXT NOT NULL,
    field TEXT, -- NULL where no single field is at fault
    message TEXT NOT NULL,
    record_key BYTEA, -- cut; NULL where it has none, and of people who were erased
    record BYTEA, -- cut; NULL of a tombstone, and of people who were erased
    record_bytes INT8 NOT NULL,
    attempts INT4 NOT NULL,
    PRIMARY KEY (project_id, source, topic, partition, record_offset)
);
