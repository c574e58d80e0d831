-- When an app makes a user of somebody whom it does not know yet: what its SDK is told.
ALTER TABLE project ADD COLUMN IF NOT EXISTS unknown_user_criteria JSONB; -- NULL where the project has none
