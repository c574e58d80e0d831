//! What the steps of a write share.

use super::links::KnownLinks;
use super::listed::Listed;
use crate::domain::ProjectId;
use crate::domain::profile::Room;
use crate::store::Store;
use uuid::Uuid;

/// The key of a command.
pub(super) type Key = (ProjectId, Uuid);

/// What writing needs.
pub(super) struct Tools {
    pub store: Store,
    pub links: KnownLinks,
    pub room: Room,
    pub listed: Listed,
}
