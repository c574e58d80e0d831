-- Files that are fetched again and again, by the calendar.
CREATE TABLE IF NOT EXISTS import_schedule (
    project_id INT4 NOT NULL,
    schedule_id UUID NOT NULL,
    cron TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    source TEXT NOT NULL, -- as it is shown: without a query; a folder where it ends with a slash
    address TEXT, -- never shown; NULL where the source says all
    layout TEXT NOT NULL, -- JSON: how files are read
    mapping TEXT, -- TOML; NULL where the format says all
    created_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ, -- NULL before the first run
    last_job UUID, -- NULL before the first run that began a job
    runs INT8 NOT NULL, -- those that began something or had nothing new
    skipped INT8 NOT NULL, -- those that found the one before still at work
    reason TEXT NOT NULL, -- why the last run came to nothing; empty where it did not
    PRIMARY KEY (project_id, schedule_id)
);
