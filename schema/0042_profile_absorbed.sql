-- People whom a profile absorbed through names that are no user ids: beyond a number it is a hub.
ALTER TABLE profile ADD COLUMN IF NOT EXISTS absorbed_count INT4 NOT NULL DEFAULT 0;
