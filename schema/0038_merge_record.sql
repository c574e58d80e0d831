-- What a merge needs to be undone: the names and traits that the absorbed profile had, and what the survivor had before. A profile is
-- absorbed once at a time; its id is random, so the key spreads by itself.
CREATE TABLE IF NOT EXISTS merge_record (
    absorbed_id UUID PRIMARY KEY,
    project_id INT4 NOT NULL,
    survivor_id UUID NOT NULL,
    merged_at TIMESTAMPTZ NOT NULL,
    is_explicit BOOL NOT NULL, -- somebody asked for it: an alias, or a merge by hand
    identities JSONB NOT NULL, -- pairs of kind and value
    traits JSONB NOT NULL,
    stamps JSONB NOT NULL,
    before_traits JSONB, -- of the survivor, what the merge may have replaced; NULL where the survivor is another one now
    before_stamps JSONB -- NULL with the traits
);
