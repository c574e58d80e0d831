-- Where to look for the people of a device: everybody who was ever said to have it, whose profile tells whether they do. The token is here
-- as a hash, since some are longer than a key may be. The other key is for the erasure of a person, and leads with a random id.
CREATE TABLE IF NOT EXISTS device_holder (
    project_id INT4 NOT NULL,
    token_hash TEXT NOT NULL,
    profile_id UUID NOT NULL,
    PRIMARY KEY (project_id, token_hash, profile_id),
    UNIQUE (profile_id, project_id, token_hash)
);
