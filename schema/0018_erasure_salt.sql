-- One row: what names are hashed with, so that nobody finds a hash in a table of known names.
CREATE TABLE IF NOT EXISTS erasure_salt (
    id INT4 PRIMARY KEY,
    salt UUID NOT NULL
);
