-- Why the name stayed: it is two people's, or would have made a hub of somebody.
ALTER TABLE conflict ADD COLUMN IF NOT EXISTS reason TEXT NOT NULL DEFAULT 'two_people';
