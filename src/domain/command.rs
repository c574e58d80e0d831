//! What a caller may ask for, once it is valid, and what is answered.
//!
//! Every road in (tracking API, later imports, Kafka and other dialects) ends in these types, and there is one way on. A `Command`
//! is made by the gate alone (`gate.rs`): its fields can't be named outside this module.

use super::identity::Identity;
use super::{
    Emails, EventId, Json, KeyKind, ProjectId, Receipt, Rejected, Stamp, Timestamp, TypeRule,
    Warning, Warnings,
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
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

    /// What it holds in memory until it is answered, its receipt included.
    pub fn bytes(&self) -> usize {
        let own = match self {
            Self::Command(command) => command.bytes(),
            // The receipt repeats the reason.
            Self::Rejected(rejected) => {
                let names = rejected.names.iter();
                rejected.item.as_bytes().len()
                    + 2 * rejected.rejection.message.len()
                    + names.map(Identity::bytes).sum::<usize>()
            }
        };
        size_of::<Self>() + size_of::<Receipt>() + own
    }

    /// The same without what stands in `body`, of which its values may be views.
    pub fn bytes_beside(&self, body: &Bytes) -> usize {
        let views = self.command().map_or(0, |command| {
            let values = command.values().filter(|value| value.is_view_of(body));
            values.map(|value| value.as_bytes().len()).sum()
        });
        self.bytes() - views
    }

    /// What writing it costs, in bytes of a plain event: batches are cut by it and lanes served by it.
    pub fn cost(&self) -> usize {
        /// A row's keys, its place in two indexes, its part of a statement.
        const ROW: usize = 512;
        /// A look-up, a merge of traits and a write of them: about three rows, measured (`docs/benchmarks.md`).
        const PROFILE: usize = 1_536;
        let own = match self {
            Self::Command(command) => {
                let names = command.subjects().map(|subject| subject.identities.len());
                let profiles =
                    usize::from(command.traits.is_some()) + usize::from(command.group.is_some());
                names.sum::<usize>() * ROW / 2 + profiles * PROFILE
            }
            Self::Rejected(_) => 0,
        };
        ROW + self.bytes() + own
    }
}

/// The class of traffic that a command belongs to: what gives way to what under load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Somebody waits for the answer.
    #[default]
    Live,
    /// History that a customer pushes: files, `/v1/import`.
    Import,
    /// Profiles out of a legacy store.
    Backfill,
}

impl Class {
    /// All, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Live, Self::Import, Self::Backfill];

    /// The name in settings and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Import => "import",
            Self::Backfill => "backfill",
        }
    }
}

/// One valid thing to do: something that a profile did, or what is known of it, or both. `Gate::command` makes it, and nothing else
/// can: no road names its fields.
///
/// ```compile_fail,E0451
/// fn tampered(command: roster::domain::Command) -> roster::domain::Command {
///     roster::domain::Command { identities: Vec::new(), ..command }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Command {
    pub(super) project_id: ProjectId,
    pub(super) class: Class,
    pub(super) by: KeyKind,
    pub(super) key: Uuid,
    pub(super) identities: Vec<Identity>,
    pub(super) explicit: usize,
    pub(super) apart: usize,
    pub(super) emails: Emails,
    pub(super) occurred_at: Timestamp,
    pub(super) earliest: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) event: Option<Event>,
    pub(super) traits: Option<TraitWrite>,
    /// Few have one, and it is large.
    pub(super) group: Option<Box<Group>>,
    pub(super) erases: bool,
    /// What its project's plan of fields comes to; off once it was held against that.
    pub(super) types: TypeRule,
    pub(super) warnings: Warnings,
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
    /// By whose word.
    pub by: KeyKind,
    pub identities: &'a [Identity],
    /// Who else its command is about: what one of them is refused, both are.
    pub beside: &'a [Identity],
    pub explicit: usize,
    /// So many of the last identities are claimed for the person by somebody who is not believed: they only show a conflict.
    pub apart: usize,
    /// Names that do not count at all.
    pub left_out: &'a [Identity],
    /// What it says of the emails among them.
    pub emails: Emails,
    /// The earliest time at which it may have happened: what was erased later than that is not brought back by it.
    pub earliest: Timestamp,
    pub received_at: Timestamp,
    pub traits: Option<&'a TraitWrite>,
}

impl<'a> Subject<'a> {
    /// The identities that count.
    pub fn own(&self) -> &'a [Identity] {
        &self.identities[..self.identities.len() - self.apart]
    }

    /// The identities that are only claimed.
    pub fn claimed(&self) -> &'a [Identity] {
        &self.identities[self.identities.len() - self.apart..]
    }
}

impl Command {
    /// Whose data this is.
    pub fn project_id(&self) -> ProjectId {
        self.project_id
    }

    /// The class of traffic it belongs to.
    pub fn class(&self) -> Class {
        self.class
    }

    /// By whose word: a write key's counts for less than a server key's.
    pub fn by(&self) -> KeyKind {
        self.by
    }

    /// Its name within all projects: the event's key where it has an event, else drawn for this command alone.
    pub fn key(&self) -> (ProjectId, Uuid) {
        (self.project_id, self.key)
    }

    /// Who it is about, strongest first; never empty, no repeats. What is only claimed (`Subject::apart`) comes last.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// When it happened, or was true; never later than receipt.
    pub fn occurred_at(&self) -> Timestamp {
        self.occurred_at
    }

    /// The earliest time at which it may have happened.
    pub fn earliest(&self) -> Timestamp {
        self.earliest
    }

    /// When it arrived.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// What happened; `None` of commands that only say what is true of somebody: they are idempotent by the merge alone.
    pub fn event(&self) -> Option<&Event> {
        self.event.as_ref()
    }

    /// The group that the person belongs to from now on.
    pub fn group(&self) -> Option<&Group> {
        self.group.as_deref()
    }

    /// True where all that is older than its time is to go, and to be kept from coming back. It then says nothing else.
    pub fn erases(&self) -> bool {
        self.erases
    }

    /// What was mended of it.
    pub fn warnings(&self) -> &[Warning] {
        self.warnings.as_slice()
    }

    /// What an answer that tells them takes.
    pub fn warning_bytes(&self) -> usize {
        self.warnings.text_bytes()
    }

    /// Keeps the item as it came, for who looks up what was mended of it; where nothing was, there is nothing to keep.
    pub fn keep_item(&mut self, item: impl FnOnce() -> Json) {
        if !self.warnings.is_empty() {
            self.warnings.keep(item());
        }
    }

    /// The id of the erasure that it asks for: a repeat asks for the same one.
    pub fn erasure_id(&self) -> Uuid {
        let names = self.identities.iter();
        let names: Vec<_> = names
            .map(|name| (name.kind.as_str(), &name.value))
            .collect();
        let at = self.occurred_at.micros();
        super::ids::hashed(&format!("{} {at} {names:?}", self.project_id.0))
    }

    /// True where it says nothing about a person or a group: an event and nothing else.
    pub fn is_event_only(&self) -> bool {
        self.event.is_some() && self.traits.is_none() && self.group.is_none()
    }

    /// Whom it is about: the person first.
    pub fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        let person = Subject {
            project_id: self.project_id,
            by: self.by,
            identities: &self.identities,
            beside: self
                .group()
                .map_or(&[], |group| std::slice::from_ref(&group.identity)),
            explicit: self.explicit,
            apart: self.apart,
            left_out: self.warnings.left_out(),
            emails: self.emails,
            earliest: self.earliest,
            received_at: self.received_at,
            traits: self.traits.as_ref(),
        };
        let group = self.group().map(|group| Subject {
            identities: std::slice::from_ref(&group.identity),
            beside: person.own(),
            explicit: 0,
            apart: 0,
            left_out: &[],
            emails: Emails::Named,
            traits: group.traits.as_ref(),
            ..person
        });
        std::iter::once(person).chain(group)
    }

    /// The names in it, also those that do not count: whoever has one of them is named in what is listed of it.
    pub fn names(&self) -> impl Iterator<Item = &Identity> {
        let names = self.subjects().flat_map(|subject| subject.identities);
        names.chain(self.warnings.left_out())
    }

    fn values(&self) -> impl Iterator<Item = &Json> {
        let event = self.event.iter();
        let event = event.flat_map(|event| [&event.properties, &event.context]);
        let traits = self.subjects().filter_map(|subject| subject.traits);
        event.chain(traits.flat_map(|write| write.traits.iter().map(|(_, value)| value)))
    }

    fn bytes(&self) -> usize {
        let names = self.subjects().flat_map(|subject| subject.identities);
        let traits = self.subjects().filter_map(|subject| subject.traits);
        names.map(Identity::bytes).sum::<usize>()
            + traits.map(TraitWrite::bytes).sum::<usize>()
            + self.event.as_ref().map_or(0, Event::bytes)
            + self.warnings.bytes()
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
    /// An object: properties, or the traits of `identify` and `group`.
    pub properties: Json,
    /// An object.
    pub context: Json,
}

impl Event {
    /// What its row holds.
    pub fn bytes(&self) -> usize {
        self.message_id.len()
            + self.name.as_ref().map_or(0, String::len)
            + self.properties.as_bytes().len()
            + self.context.as_bytes().len()
    }
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

/// What a write of traits says about those that it does not name, and about what lies within them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Each trait is replaced whole; others are left alone.
    #[default]
    Single,
    /// Where a trait is an object only its keys are replaced, one level down (Iterable's `mergeNestedObjects`).
    Nested,
    /// The traits are all there are: what is older than this and not among them is gone.
    Document,
}

/// Traits stated together: each key with its raw JSON value, `null` to remove it; keys are unique and sorted.
#[derive(Clone, Debug)]
pub struct TraitWrite {
    /// When they were true.
    pub stamp: Stamp,
    pub mode: Mode,
    /// Top-level traits.
    pub traits: Vec<(String, Json)>,
    /// Traits of which is known that they were true at another time.
    pub times: BTreeMap<String, Stamp>,
}

impl TraitWrite {
    /// When one of the traits was true.
    pub fn stamp_of(&self, name: &str) -> Stamp {
        self.times.get(name).copied().unwrap_or(self.stamp)
    }

    /// The same without some traits.
    pub fn without(&self, names: &BTreeSet<String>) -> Self {
        let mut write = self.clone();
        write.traits.retain(|(name, _)| !names.contains(name));
        write
    }

    /// What it holds.
    fn bytes(&self) -> usize {
        let one = |(name, value): &(String, Json)| {
            size_of::<(String, Json)>() + name.len() + value.as_bytes().len()
        };
        self.traits.iter().map(one).sum()
    }
}
