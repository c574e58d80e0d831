-- How many reads each node has compared since comparing began, and how many of them differed.
CREATE TABLE IF NOT EXISTS read_comparison (
    project_id INT4 NOT NULL,
    since INT8 NOT NULL, -- the version of the migration by which comparing began
    node UUID NOT NULL, -- drawn at the start of the process: it writes its own sums, so that writing twice counts once
    reads INT8 NOT NULL,
    mismatches INT8 NOT NULL,
    PRIMARY KEY (project_id, since, node)
);
