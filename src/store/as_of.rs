//! Reads that need not be of this very moment.

/// Behind the tables of a statement that only reads: so long ago that any copy can answer, so that it neither waits for a write nor makes
/// one wait. An interval and not `follower_read_timestamp()`, which older versions do not have.
macro_rules! lately {
    () => {
        " /*crdb AS OF SYSTEM TIME '-5s' */"
    };
}
pub(super) use lately;

/// As of when people are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    Now,
    /// On CockroachDB some seconds ago: what differs then is looked at again.
    Lately,
}
