-- Differences that verifications found, a few of each.
CREATE TABLE IF NOT EXISTS verification_sample (
    project_id INT4 NOT NULL,
    verification_id UUID NOT NULL,
    number INT4 NOT NULL,
    kind TEXT NOT NULL,
    document_id TEXT, -- NULL of people who were erased
    field TEXT, -- NULL where somebody is not there at all, and of people who were erased
    ours TEXT, -- cut; NULL where Roster has nothing, and of people who were erased
    theirs TEXT, -- cut; NULL where the legacy store has nothing, and of people who were erased
    found_at TIMESTAMPTZ NOT NULL,
    name_hashes JSONB, -- the names of the person, as in rejection; NULL where nobody could be read, and of what was emptied
    PRIMARY KEY (project_id, verification_id, number)
);
