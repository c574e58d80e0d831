-- Profiles that changed since they were last published; only of projects that mirror.
CREATE TABLE IF NOT EXISTS outbox (
    project_id INT4 NOT NULL,
    profile_id UUID NOT NULL,
    mark UUID NOT NULL, -- another one with each change: who has published deletes the one that he read
    marked_at TIMESTAMPTZ NOT NULL, -- of the oldest change that is not published
    PRIMARY KEY (project_id, profile_id) /*crdb USING HASH */
);
