-- How far a project believes its write keys.
ALTER TABLE project ADD COLUMN IF NOT EXISTS identity_rules JSONB NOT NULL DEFAULT '{}';
