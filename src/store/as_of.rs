//! Reads that need not be of this very moment.

/// Behind the tables of a statement that only reads: some seconds ago, from whatever copy is near, so that it neither waits for a write nor
/// makes one wait.
macro_rules! lately {
    () => {
        " /*crdb AS OF SYSTEM TIME follower_read_timestamp() */"
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
