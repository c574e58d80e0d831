//! What a caller may ask for, once it is valid, and what is answered.
//!
//! Every road in (tracking API, later imports, Kafka and other dialects) ends in these types, and there is one way on.

use super::{Code, EventId, Json, ProjectId, Rejection, Timestamp};
use std::sync::Arc;
use uuid::Uuid;

/// One thing that arrived: valid, or refused and worth a record.
#[derive(Clone, Debug)]
pub enum Item {
    /// A valid thing to do.
    Command(Command),
    /// Something that can't be taken; it is kept so that a person can look it up.
    Rejected(Rejected),
}

impl Item {
    /// The command, where it is one.
    pub fn command(&self) -> Option<&Command> {
        match self {
            Self::Command(command) => Some(command),
            Self::Rejected(_) => None,
        }
    }

    /// About what it takes in memory and in a statement.
    pub fn bytes(&self) -> usize {
        /// Keys, times and names, roughly.
        const FIXED: usize = 256;
        match self {
            Self::Command(command) => {
                FIXED
                    + command.event.properties.as_bytes().len()
                    + command.event.context.as_bytes().len()
            }
            Self::Rejected(rejected) => FIXED + rejected.item.as_bytes().len(),
        }
    }
}

/// One valid thing to do: something that a profile did, with the traits it states.
#[derive(Clone, Debug)]
pub struct Command {
    /// Whose data this is.
    pub project_id: ProjectId,
    /// Who it is about, strongest first; never empty, no repeats.
    pub identities: Vec<Identity>,
    /// So many of the first identities are one person's by the caller's word, whoever they belonged to: `alias`. Else 0.
    pub explicit: usize,
    /// What happened.
    pub event: Event,
    /// What the call says about the person; `None` for all calls that write no traits.
    pub traits: Option<TraitWrite>,
    /// The group that the call puts the person into.
    pub group: Option<Group>,
}

/// A company, a team, an account: a profile of its own, to which people belong.
#[derive(Clone, Debug)]
pub struct Group {
    pub identity: Identity,
    /// What the call says about the group.
    pub traits: Option<TraitWrite>,
}

/// Whom a command is about: its person, and its group where it has one.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub project_id: ProjectId,
    pub identities: &'a [Identity],
    pub explicit: usize,
    pub occurred_at: Timestamp,
    pub received_at: Timestamp,
    pub traits: Option<&'a TraitWrite>,
}

impl Command {
    /// Whom it is about: the person first.
    pub fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        let person = Subject {
            project_id: self.project_id,
            identities: &self.identities,
            explicit: self.explicit,
            occurred_at: self.event.occurred_at,
            received_at: self.event.received_at,
            traits: self.traits.as_ref(),
        };
        let group = self.group.as_ref().map(|group| Subject {
            identities: std::slice::from_ref(&group.identity),
            explicit: 0,
            traits: group.traits.as_ref(),
            ..person
        });
        std::iter::once(person).chain(group)
    }

    /// The key of its event, within all projects.
    pub fn key(&self) -> (ProjectId, EventId) {
        (self.project_id, self.event.id)
    }
}

/// A (kind, value) that names a profile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// What sort of name this is.
    pub kind: IdentityKind,
    /// The name itself, normalised by its kind.
    pub value: String,
}

impl Identity {
    /// Makes an identity, its value normalised as its kind asks: emails trimmed and lower-cased, all else as sent.
    pub fn new(kind: IdentityKind, value: &str) -> Self {
        let value = match kind {
            IdentityKind::Email => value.trim().to_lowercase(),
            _ => value.to_owned(),
        };
        Self { kind, value }
    }
}

/// The kinds of identity, in the order of their strength.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityKind {
    /// The customer's own id of a person.
    UserId,
    /// An email address.
    Email,
    /// A kind that the project made.
    Custom(Arc<str>),
    /// An SDK's id of a device or browser.
    AnonymousId,
    /// The customer's own id of a group; never beside a person's.
    GroupId,
}

impl IdentityKind {
    /// The name in SQL, URLs and replies.
    pub fn as_str(&self) -> &str {
        match self {
            Self::UserId => "user_id",
            Self::Email => "email",
            Self::Custom(name) => name,
            Self::AnonymousId => "anonymous_id",
            Self::GroupId => "group_id",
        }
    }

    /// Reads a kind's name; any name that is not built in is a custom kind.
    pub fn parse(name: &str) -> Self {
        match name {
            "user_id" => Self::UserId,
            "email" => Self::Email,
            "anonymous_id" => Self::AnonymousId,
            "group_id" => Self::GroupId,
            other => Self::Custom(other.into()),
        }
    }
}

/// Something that a profile did, as it will be stored.
#[derive(Clone, Debug)]
pub struct Event {
    /// The key, derived from `message_id`.
    pub id: EventId,
    /// The sender's own id of this call.
    pub message_id: String,
    /// Which call it was.
    pub event_type: EventType,
    /// What the call is about: a track's event, a page's or screen's name, a group's id, an alias's previous id.
    pub name: Option<String>,
    /// When it happened, corrected, never later than `received_at`.
    pub occurred_at: Timestamp,
    /// When the request that carried it arrived.
    pub received_at: Timestamp,
    /// An object: properties, or the traits of `identify` and `group`.
    pub properties: Json,
    /// An object.
    pub context: Json,
}

/// The calls that are stored as events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// Says who somebody is.
    Identify,
    /// Says that somebody did something.
    Track,
    /// A page was seen.
    Page,
    /// A screen was seen.
    Screen,
    /// Somebody belongs to a group.
    Group,
    /// Two ids are one person's.
    Alias,
}

impl EventType {
    /// The name in SQL, requests and replies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Track => "track",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }

    /// Reads a type's name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Identify,
            Self::Track,
            Self::Page,
            Self::Screen,
            Self::Group,
            Self::Alias,
        ]
        .into_iter()
        .find(|known| known.as_str() == name)
    }
}

/// Traits stated at one time: each key with its raw JSON value, `null` to remove it; keys are unique and sorted.
#[derive(Clone, Debug)]
pub struct TraitWrite {
    /// When they were true: their stamp.
    pub at: Timestamp,
    /// Top-level traits.
    pub traits: Vec<(String, Json)>,
}

/// A refused item on its way into the `rejection` table.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Whose data this is.
    pub project_id: ProjectId,
    /// The row's id: a UUIDv7 drawn on receipt, so that a repeated statement writes it once.
    pub id: Uuid,
    /// When the request that carried it arrived.
    pub received_at: Timestamp,
    /// Why.
    pub rejection: Rejection,
    /// The sender's own id of the call, cut to its limit, where it had one.
    pub message_id: Option<String>,
    /// Whom it names, as far as that could be read: of a person who was forgotten, nothing may be kept.
    pub names: Vec<Identity>,
    /// The item itself; where it was cut or is too deep to be kept as JSON, a JSON string of its beginning.
    pub item: Json,
}

impl Rejected {
    /// A command that could be read but not done. Of an erased person's only the type is kept.
    pub fn command(command: &Command, id: Uuid, rejection: Rejection) -> Self {
        let event = &command.event;
        let mut item =
            serde_json::json!({"type": event.event_type.as_str(), "messageId": event.message_id});
        if rejection.code != Code::Erased {
            item["name"] = serde_json::json!(event.name);
        }
        Self {
            project_id: command.project_id,
            id,
            received_at: event.received_at,
            rejection,
            message_id: Some(event.message_id.clone()),
            names: Vec::new(),
            item: Json::of(&item),
        }
    }
}

/// The answer to one item, after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The event is a new row.
    Stored,
    /// The event was there already.
    Duplicate,
    /// Refused, and listed among the rejections.
    Rejected(Rejection),
}
