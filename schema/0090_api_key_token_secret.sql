-- What signs the tokens that calls by a key need.
ALTER TABLE api_key ADD COLUMN IF NOT EXISTS token_secret TEXT; -- NULL where a key needs none
