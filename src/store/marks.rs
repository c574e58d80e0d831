//! Marks: which profiles of projects that mirror have changed since they were last published.
//!
//! A mark is written by the very statement that changes the profile. Each statement draws another one for all its profiles, so that
//! whoever has published deletes the mark that he read and no newer one. `DO UPDATE` and not `DO NOTHING`: the row is locked, so that a deletion in
//! flight sees the new mark.

/// The part of a statement that marks what another part (`$from`) has changed: rows with `project_id` and `profile_id`.
macro_rules! marked {
    ($from:literal) => {
        concat!(
            "marked AS (
    INSERT INTO outbox AS o (project_id, profile_id, mark, marked_at)
    SELECT c.project_id, c.profile_id, (SELECT gen_random_uuid()), now()
    FROM ",
            $from,
            " AS c JOIN migration AS m ON m.project_id = c.project_id AND m.mirrors
    ON CONFLICT (project_id, profile_id) DO UPDATE SET mark = excluded.mark
    RETURNING o.profile_id
)"
        )
    };
}
pub(super) use marked;
