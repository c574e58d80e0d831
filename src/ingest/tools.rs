//! What the steps of a write share.

use super::listed::Listed;
use crate::domain::ProjectId;
use crate::domain::profile::Room;
use crate::store::Store;
use std::sync::atomic::AtomicBool;
use uuid::Uuid;

/// The key of a command.
pub(super) type Key = (ProjectId, Uuid);

/// What writing needs.
pub(super) struct Tools {
    pub store: Store,
    pub room: Room,
    pub listed: Listed,
    /// The last look for erased names found some: the next batch asks before it writes, instead of being told by the write.
    pub expects_erased: AtomicBool,
}
