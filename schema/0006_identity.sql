-- The names by which profiles are known. Values may be sequential, hence the hash.
CREATE TABLE IF NOT EXISTS identity (
    project_id INT4 NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    profile_id UUID NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    not_before TIMESTAMPTZ, -- NULL unless whoever had this name before was erased: what is not newer stays out
    PRIMARY KEY (project_id, kind, value) /*crdb USING HASH */
);
