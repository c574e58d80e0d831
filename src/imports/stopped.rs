//! Why an import goes no further.

use crate::files::Unusable;

/// What a sender is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    #[error("there is no such import")]
    NoSuchImport,
    /// The upload is at another byte than the sender thinks.
    #[error("the upload is at byte {0}")]
    Elsewhere(u64),
    /// Two say different lengths, or more came than was said.
    #[error("the upload has {0} bytes by what was said before")]
    OtherLength(u64),
    #[error("somebody else sends this file now")]
    TakenOver,
    #[error("the import is paused: {0}")]
    Paused(String),
    /// It is over: done, failed, cancelled, incomplete.
    #[error("the import is over: {0}")]
    Over(String),
    /// The whole file can't be read.
    #[error("{0}")]
    Refused(Unusable),
    #[error(
        "this is not the file that the import began with: the first {0} bytes are others. Send it as a new import"
    )]
    Changed(u64),
    #[error("as many files as this service takes in at once are being taken in: come again")]
    Busy,
    #[error("the service is stopping")]
    Draining,
    #[error("the database does not answer")]
    Unavailable,
}
