-- Bytes of traits and stamps as text, so that a reader knows what it would hold before it reads. 0: not written since this step.
ALTER TABLE profile ADD COLUMN IF NOT EXISTS size_bytes INT4 NOT NULL DEFAULT 0;
