-- The name by which an event came, as 8 bytes of a hash: it tells whose the event is where a person is taken apart. NULL of what was
-- stored before this step, and of what was erased.
ALTER TABLE event ADD COLUMN IF NOT EXISTS via INT8;
