-- Files that the service fetches by itself: from where each is, and what it was when that began. How far it is stands in import_job.
CREATE TABLE IF NOT EXISTS import_pull (
    project_id INT4 NOT NULL,
    job_id UUID NOT NULL,
    source TEXT NOT NULL, -- as it is shown: without a query
    address TEXT, -- never shown; NULL where the source says all, and of what is over
    tag TEXT, -- what the store says to tell one file from another; NULL before the first piece, and where it says nothing
    size INT8, -- bytes; NULL before the first piece, and where the server does not say it
    attempts INT4 NOT NULL, -- failures in a row
    created_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL, -- of one that is over: when it is forgotten
    finished_at TIMESTAMPTZ, -- NULL while it may go on
    PRIMARY KEY (project_id, job_id)
);
