//! What a sample of records is like: for `roster backfill check`.
