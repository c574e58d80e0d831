//! What is answered to whoever sent something.

use super::{Rejection, Warning};

/// The answer to one item, after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The event is a new row; of a command without one, something was not known before.
    Stored,
    /// Of a command without an event: everything was known.
    Unchanged,
    /// Stored, but for something of it that had no place.
    StoredWithout(Box<Warning>),
    /// The event was there already.
    Duplicate,
    /// Another event was there under its message id, so that it is not stored; it is listed among the rejections.
    Taken(Rejection),
    /// Refused, and listed among the rejections.
    Rejected(Rejection),
}

impl Receipt {
    /// True where something was not known before.
    pub const fn is_stored(&self) -> bool {
        matches!(self, Self::Stored | Self::StoredWithout(_))
    }
}
