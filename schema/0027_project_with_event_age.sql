-- For the walk over events: projects whose events stay for ever cost it nothing.
CREATE INDEX IF NOT EXISTS project_with_event_age ON project (project_id) WHERE event_retention_days IS NOT NULL;
