-- Where to look for the people of a list: everybody who ever was in it, whose profile tells whether they are. Within a list the key is a
-- random id. The other key is for the erasure of a person, and leads with that id.
CREATE TABLE IF NOT EXISTS static_list_member (
    project_id INT4 NOT NULL,
    list_id INT4 NOT NULL,
    profile_id UUID NOT NULL,
    PRIMARY KEY (project_id, list_id, profile_id),
    UNIQUE (profile_id, project_id, list_id)
);
