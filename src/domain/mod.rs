//! The pure core: what a caller may ask for, and what becomes of it.
//!
//! No async, I/O, clock, HTTP or SQL in here, so everything is tested as plain functions and laws.

pub mod command;
pub mod erasure;
pub mod identity;
pub mod ids;
pub mod json;
pub mod key;
pub mod kinds;
pub mod mend;
pub mod profile;
pub mod rejection;
mod stamped;
pub mod time;
mod tokens;

pub use command::{
    Command, Event, EventType, Group, Identity, IdentityKind, Item, Receipt, Rejected, Subject,
    TraitWrite,
};
pub use ids::{EventId, ProfileId, ProjectId};
pub use json::Json;
pub use key::{Caller, KeyHash, KeyKind};
pub use kinds::Kinds;
pub use rejection::{Code, Rejection};
pub use time::Timestamp;

#[cfg(test)]
mod world_tests;
