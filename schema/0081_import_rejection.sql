-- Records of files that could not be taken, by their number: a batch that comes again makes no second row.
CREATE TABLE IF NOT EXISTS import_rejection (
    project_id INT4 NOT NULL,
    job_id UUID NOT NULL,
    number INT8 NOT NULL, -- of the record in the file, from 1
    place TEXT NOT NULL, -- the line on which it starts, and which of that line it is
    record_at TIMESTAMPTZ NOT NULL, -- the file's time
    rejected_at TIMESTAMPTZ NOT NULL,
    code TEXT NOT NULL,
    field TEXT, -- NULL where no single field is at fault
    message TEXT NOT NULL,
    record BYTEA, -- the text as it was, cut; NULL of people who were erased
    record_bytes INT8 NOT NULL,
    name_hashes JSONB, -- the names of people in it, as in rejection; NULL where nobody could be read, and of what was emptied
    PRIMARY KEY (project_id, job_id, number)
);
