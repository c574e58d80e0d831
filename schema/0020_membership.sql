-- Who belongs to which group; both are profiles. The key leads with a random id, which spreads by itself, and is read by it.
CREATE TABLE IF NOT EXISTS membership (
    project_id INT4 NOT NULL,
    profile_id UUID NOT NULL,
    group_id UUID NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (profile_id, group_id)
);
