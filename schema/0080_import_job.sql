-- Files that are taken in: how each is to be read, how far it has got, and what became of its records.
CREATE TABLE IF NOT EXISTS import_job (
    project_id INT4 NOT NULL,
    job_id UUID NOT NULL, -- version 7: newer jobs are larger
    name TEXT NOT NULL, -- the file's own; event ids are derived from it
    layout TEXT NOT NULL, -- JSON: how the file is read
    mapping TEXT, -- TOML; NULL where the format says all
    file_time TIMESTAMPTZ NOT NULL, -- the time of records that have none
    length INT8, -- bytes of the upload; NULL until it is known
    compression TEXT, -- NULL until the first bytes, and of a plain file
    next_offset INT8 NOT NULL, -- bytes of the upload that are done
    checksum INT8 NOT NULL, -- FNV-1a of these bytes
    records INT8 NOT NULL, -- records that are done
    kept BYTEA, -- what a successor needs beside the offset, the open last record too; NULL before the first step, of a compressed file, and after the end
    lines INT8 NOT NULL,
    blank INT8 NOT NULL,
    stored INT8 NOT NULL,
    unchanged INT8 NOT NULL,
    duplicate INT8 NOT NULL,
    rejected INT8 NOT NULL,
    warned INT8 NOT NULL,
    seen TEXT, -- JSON: what the file turned out to be; NULL before the first step
    records_per_second FLOAT8 NOT NULL,
    bytes_per_second FLOAT8 NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    sender INT8 NOT NULL, -- grows with each that sends; only the last may write
    step INT8 NOT NULL, -- grows with each step; a repeat of one is seen by it
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ, -- NULL while it may go on
    expires_at TIMESTAMPTZ NOT NULL, -- an open one is given up then, a finished one forgotten
    PRIMARY KEY (project_id, job_id)
);
