-- How far each partition has got. Kafka forgets a group's offsets; this does not.
CREATE TABLE IF NOT EXISTS backfill_partition (
    source TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INT4 NOT NULL,
    owner UUID NOT NULL, -- the assignment that may move it on: an earlier one has lost it and moves nothing
    first_offset INT8 NOT NULL, -- where it began; -1 before the first record
    next_offset INT8 NOT NULL, -- all before it is done; -1 before the first record
    end_offset INT8 NOT NULL, -- the end of what can be read, as last seen; -1 while unknown
    control INT8 NOT NULL, -- records that say nothing about anybody
    gaps INT8 NOT NULL, -- offsets without a record: marks of transactions, what was compacted
    bytes INT8 NOT NULL,
    last_at TIMESTAMPTZ, -- of the last record done; NULL before it
    last_digest BYTEA, -- by which the last record done is known again; NULL before it
    records_per_second FLOAT8 NOT NULL,
    pace TEXT NOT NULL, -- what holds it; empty where nothing does
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (source, topic, partition)
);
