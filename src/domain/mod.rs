//! The pure core: what a caller may ask for, and what becomes of it.
//!
//! No async, I/O, clock, HTTP or SQL in here, so everything is tested as plain functions and laws.

mod allowed;
mod barred;
mod belief;
mod canonical;
pub mod command;
pub mod containment;
mod crowd;
pub mod difference;
pub mod elements;
pub mod erasure;
mod field_type;
pub mod gate;
mod gate_names;
mod given;
mod hub;
pub mod identity;
pub mod ids;
mod in_order;
pub mod json;
pub mod key;
pub mod kinds;
mod limits;
pub mod loose_time;
mod member;
pub mod mend;
pub mod migration;
pub mod migration_gates;
pub mod parting;
mod placeholder;
mod plain_date;
pub mod plan;
pub mod profile;
pub mod reads;
mod receipt;
mod rejected;
pub mod rejection;
mod rules;
mod signer;
pub mod sizes;
pub mod split;
mod stamp;
mod stamped;
mod stated;
mod surplus;
pub mod time;
mod tokens;
pub mod tracking_plan;
pub mod type_check;
mod typed_command;
pub mod versions;
pub mod warning;

pub use allowed::Allowed;
pub use command::{Class, Command, Event, EventType, Group, Item, Mode, Subject, TraitWrite};
pub use field_type::FieldType;
pub use gate::{Draft, EventDraft, Gate, GroupDraft, Name, Text};
pub use given::Emails;
pub use identity::{Identity, IdentityKey, IdentityKind, ProfileKey};
pub use ids::{EventId, NameByPlace, ProfileId, ProjectId};
pub use json::{Json, number_text};
pub use key::{Caller, KeyHash, KeyKind, TokenSecret};
pub use kinds::Kinds;
pub use limits::Limits;
pub use member::edited;
pub use plain_date::plain_date;
pub use receipt::Receipt;
pub use rejected::Rejected;
pub use rejection::{Code, Rejection};
pub use rules::{EmailRule, ProjectType, Rules, TypeRule};
pub use signer::{Signer, Vouched};
pub use stamp::Stamp;
pub use time::Timestamp;
pub use tokens::count_keys;
pub use warning::{Warning, Warnings};

#[cfg(test)]
mod migration_tests;
#[cfg(test)]
mod world_tests;
