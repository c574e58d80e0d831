-- There are more kinds of keys than the two of the beginning: which there are is for the program to say.
ALTER TABLE api_key DROP CONSTRAINT IF EXISTS api_key_kind_check /*crdb, DROP CONSTRAINT IF EXISTS check_kind */;
