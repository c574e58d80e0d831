-- What became of the records of each partition, by project; project 0 where nobody knows whose they are.
CREATE TABLE IF NOT EXISTS backfill_count (
    source TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INT4 NOT NULL,
    project_id INT4 NOT NULL,
    stored INT8 NOT NULL,
    unchanged INT8 NOT NULL,
    rejected INT8 NOT NULL,
    PRIMARY KEY (source, topic, partition, project_id)
);
