-- Drawn once and never changed: with another one, every erased name would be unknown.
INSERT INTO erasure_salt (id, salt) VALUES (1, gen_random_uuid()) ON CONFLICT (id) DO NOTHING;
