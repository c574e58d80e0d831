//! The gate: the one place where what a road has read becomes a `Command`.
//!
//! A road reads its own dialect into a `Draft`, in which nothing has been judged. Limits, the order of identities and what counts
//! as one are decided here, so that they are the same for all roads. `gate_tests.rs` has a road of ten lines.

use super::command::{Class, Command, Event, EventType, Group, Mode, TraitWrite};
use super::identity::{Identity, IdentityKind};
use super::kinds::Kinds;
use super::limits::Limits;
use super::{
    Code, EmailRule, Emails, EventId, Json, KeyKind, ProjectId, Rejection, Stamp, Timestamp,
    TypeRule, Warnings, sizes, surplus,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem::take;
use uuid::Uuid;

/// What holds for all drafts of one request, file or topic.
#[derive(Clone, Copy)]
pub struct Gate<'a> {
    pub project_id: ProjectId,
    pub class: Class,
    /// By whose word: a write key's counts for less than a server key's. Sources that an operator set up count as the latter.
    pub by: KeyKind,
    /// What the project says about identities.
    pub kinds: &'a Kinds,
    pub limits: &'a Limits,
    /// When it arrived: no command is later.
    pub received_at: Timestamp,
    /// Depth and numbers of all values are known to keep the limits.
    pub is_measured: bool,
}

/// A name as a road read it.
#[derive(Clone, Debug)]
pub struct Name {
    pub(super) identity: Identity,
    /// As the sender spells it; `None` of a mere hint: a trait that may be a name and is only a trait where it can't be.
    pub(super) field: Option<Cow<'static, str>>,
}

/// What a road has read of one thing to do.
#[derive(Debug)]
pub struct Draft {
    pub names: Vec<Name>,
    /// So many of the first names are one person's by the caller's word, whoever they belonged to: `alias`. Else 0. The first of them
    /// is whose it is: of the others a write key can't claim what may be another known person's, which is any user id.
    pub explicit: usize,
    /// The first name says whose it is, and whoever that is gets a user id among the others where it is nobody's: no two people are
    /// joined by it. For projects in which a user id follows the email that it is said with.
    pub leads: bool,
    /// What is asked for the emails among the names.
    pub emails: Emails,
    /// When it happened, or was true.
    pub occurred_at: Timestamp,
    /// The earliest time at which it may have happened, where a wrong clock leaves that open.
    pub earliest: Option<Timestamp>,
    pub event: Option<EventDraft>,
    /// An object: what is said about the person. Without any, a whole document says that nothing is left.
    pub traits: Option<Json>,
    pub mode: Mode,
    /// What was true before that time and is not stated is gone, although what is stated is newer. Not of a whole document, which says that
    /// of its own time.
    pub whole_since: Option<Timestamp>,
    /// Of what is stated at one time, what decides before the values do: a version, a log position. Of live traffic `Stamp::LIVE`,
    /// which comes last; of a record that has none `i64::MIN`.
    pub sequence: i64,
    /// When single traits were true, where that is known; not in a whole document, which is true as of its own time.
    pub times: BTreeMap<String, Timestamp>,
    pub group: Option<GroupDraft>,
    /// What is older than `occurred_at` is to be erased, and to be kept from coming back; nothing else is said then.
    pub erases: bool,
    /// What the road mended; the gate adds what it does.
    pub warnings: Warnings,
}

/// An event as a road read it.
#[derive(Clone, Debug)]
pub struct EventDraft {
    /// `None` where the sender gave none: one is drawn, and a resend is another event.
    pub message_id: Option<Text>,
    pub event_type: EventType,
    pub name: Option<Text>,
    pub properties: Json,
    pub context: Json,
}

/// A group as a road read it.
#[derive(Debug)]
pub struct GroupDraft {
    pub name: Name,
    /// An object.
    pub traits: Option<Json>,
}

/// A text with the field that it stands in.
#[derive(Clone, Debug)]
pub struct Text {
    pub value: String,
    pub field: Cow<'static, str>,
}

impl Text {
    /// A text from a field.
    pub fn new(value: impl Into<String>, field: impl Into<Cow<'static, str>>) -> Self {
        let (value, field) = (value.into(), field.into());
        Self { value, field }
    }

    /// Holds it against its limit.
    ///
    /// # Errors
    /// `TooLong`.
    pub fn within(self, limit: usize) -> Result<String, Rejection> {
        sizes::text(&self.value, &self.field, limit)?;
        Ok(self.value)
    }
}

impl Name {
    /// The id as it will be stored.
    pub fn value(&self) -> &str {
        &self.identity.value
    }

    /// The same without the field that it stands in.
    pub fn into_identity(self) -> Identity {
        self.identity
    }
}

impl Draft {
    /// Says nothing yet about anybody.
    pub fn at(occurred_at: Timestamp) -> Self {
        Self {
            names: Vec::new(),
            explicit: 0,
            leads: false,
            emails: Emails::Named,
            occurred_at,
            earliest: None,
            event: None,
            traits: None,
            mode: Mode::Single,
            whole_since: None,
            sequence: Stamp::LIVE,
            times: BTreeMap::new(),
            group: None,
            erases: false,
            warnings: Warnings::default(),
        }
    }
}

impl Gate<'_> {
    /// A name that stands in `field`.
    pub fn name(&self, kind: &str, value: &str, field: impl Into<Cow<'static, str>>) -> Name {
        Name {
            identity: self.kinds.identity(kind, value),
            field: Some(field.into()),
        }
    }

    /// The names among somebody's traits: an email, and what is called as a kind of the project's own.
    pub fn names_in(&self, traits: &Json) -> Vec<Name> {
        let hint = |kind: &str, text: String| Name {
            identity: self.kinds.identity(kind, &text),
            field: None,
        };
        let email = IdentityKind::Email;
        let email =
            (self.email_rule() != EmailRule::Nothing).then(|| traits.member(email.as_str()));
        let email = email.flatten().and_then(|email| email.as_text());
        let email = email.map(|text| hint(IdentityKind::Email.as_str(), text));
        let own = self.kinds.custom.iter();
        let own =
            own.filter_map(|kind| Some(hint(&kind.name, traits.member(&kind.name)?.as_id()?)));
        email.into_iter().chain(own).collect()
    }

    /// The email among somebody's traits where the project's rules make it no name: whose it is still tells whether it may be kept.
    pub fn mere_email(&self, traits: &Json) -> Option<Identity> {
        let is_mere = self.email_rule() == EmailRule::Nothing;
        let email = is_mere.then(|| traits.member(IdentityKind::Email.as_str()));
        let email = Identity::new(IdentityKind::Email, &email.flatten()?.as_text()?);
        let is_held = email.value.len() <= self.limits.identity_bytes;
        (is_held && email.is_plausible()).then_some(email)
    }

    /// An object with what another one adds to it. Held against the limit of keys first, since both are built for it.
    pub fn joined(&self, own: &Json, more: &Json, field: &str, warnings: &mut Warnings) -> Json {
        let most = self.limits.event_properties;
        let fitted = [own, more].map(|one| surplus::keys(one.clone(), field, most, warnings));
        fitted[0].with_defaults(&fitted[1])
    }

    /// Makes a valid command.
    ///
    /// # Errors
    /// The first thing wrong with the draft.
    pub fn command(&self, mut draft: Draft) -> Result<Command, Rejection> {
        let names = |draft: Draft| draft.names.into_iter().map(|name| name.identity);
        self.judge(&mut draft)
            .map_err(|rejection| rejection.about(names(draft)))
    }

    /// Takes the names last, so that what is wrong with anything else can be told with them.
    fn judge(&self, draft: &mut Draft) -> Result<Command, Rejection> {
        let occurred_at = self.time(draft.occurred_at)?;
        if draft.erases {
            return self.erasing(draft, occurred_at);
        }
        let mut warnings = take(&mut draft.warnings);
        let event = draft
            .event
            .take()
            .map(|event| self.event(event, &mut warnings));
        let event = event.transpose()?;
        let stamp = Stamp::of(occurred_at, draft.sequence);
        let times = self.times(take(&mut draft.times), draft.mode, draft.sequence)?;
        let whole = (draft.mode, stamp, times);
        let mut traits = self.traits(draft.traits.take(), whole, &mut warnings)?;
        if let Some(since) = draft.whole_since {
            let since = Stamp::of(self.time(since)?, draft.sequence);
            traits = Some(whole_since(traits, stamp, since));
        }
        let group = draft
            .group
            .take()
            .and_then(|group| self.real_group(group, &mut warnings));
        let group = group.map(|group| self.group(group, stamp, &mut warnings));
        let group = group.transpose()?.map(Box::new);
        let (names, claimed) = self.believed(take(&mut draft.names), draft.explicit);
        let joined = if self.may_join() { draft.explicit } else { 0 };
        let explicit = joined.max(usize::from(draft.leads));
        let (mut identities, explicit) = self.identities(names, explicit, &mut warnings)?;
        let apart = self.claims(claimed, &mut identities, &mut warnings);
        Ok(Command {
            project_id: self.project_id,
            class: self.class,
            by: self.by,
            key: event.as_ref().map_or_else(Uuid::new_v4, |event| event.id.0),
            identities,
            explicit,
            apart,
            emails: draft.emails,
            occurred_at,
            earliest: draft.earliest.map_or(occurred_at, |at| at.min(occurred_at)),
            received_at: self.received_at,
            event,
            traits,
            group,
            erases: draft.erases,
            types: self.kinds.rules.types,
            warnings,
        })
    }

    /// Says nothing but that what is older is to go.
    fn erasing(&self, draft: &mut Draft, occurred_at: Timestamp) -> Result<Command, Rejection> {
        let mut warnings = take(&mut draft.warnings);
        let (identities, _) = self.identities(take(&mut draft.names), 0, &mut warnings)?;
        Ok(Command {
            project_id: self.project_id,
            class: self.class,
            by: self.by,
            key: Uuid::new_v4(),
            identities,
            explicit: 0,
            apart: 0,
            emails: Emails::Named,
            occurred_at,
            earliest: occurred_at,
            received_at: self.received_at,
            event: None,
            traits: None,
            group: None,
            erases: true,
            types: TypeRule::Off,
            warnings,
        })
    }

    fn times(
        &self,
        times: BTreeMap<String, Timestamp>,
        mode: Mode,
        sequence: i64,
    ) -> Result<BTreeMap<String, Stamp>, Rejection> {
        if mode == Mode::Document && !times.is_empty() {
            let message =
                "a whole document is true as of its own time: its traits have none of their own";
            return Err(Rejection::of(Code::InvalidTime, "times", message));
        }
        let stamped = |(name, at)| Ok((name, Stamp::of(self.time(at)?, sequence)));
        times.into_iter().map(stamped).collect()
    }

    fn time(&self, at: Timestamp) -> Result<Timestamp, Rejection> {
        let is_storable = (Timestamp::MIN..Timestamp::MAX).contains(&at);
        let message = "the time must lie in the years 1 to 9998";
        is_storable
            .then(|| at.min(self.received_at))
            .ok_or_else(|| Rejection::of(Code::InvalidTime, "timestamp", message))
    }

    fn event(&self, draft: EventDraft, warnings: &mut Warnings) -> Result<Event, Rejection> {
        let limits = self.limits;
        let name = draft.name.map(|name| name.within(limits.name_bytes));
        let message_id = self.message_id(draft.message_id, warnings)?;
        let field = match draft.event_type {
            EventType::Identify | EventType::Group => "traits",
            _ => "properties",
        };
        self.measure(&draft.properties, field)?;
        self.measure(&draft.context, "context")?;
        let most = limits.event_properties;
        let properties = surplus::keys(draft.properties, field, most, warnings);
        let event = Event {
            id: EventId::of(&message_id),
            message_id,
            event_type: draft.event_type,
            name: name.transpose()?,
            properties,
            context: draft.context,
        };
        sizes::event(&event, limits.event_bytes)?;
        Ok(event)
    }

    fn measure(&self, json: &Json, field: &str) -> Result<(), Rejection> {
        if self.is_measured {
            return Ok(());
        }
        json.check(field, self.limits.depth)
    }

    /// What has no room is left out, but for a whole document: there it would mean that it is gone.
    fn traits(
        &self,
        traits: Option<Json>,
        (mode, stamp, times): (Mode, Stamp, BTreeMap<String, Stamp>),
        warnings: &mut Warnings,
    ) -> Result<Option<TraitWrite>, Rejection> {
        let (limits, is_whole) = (self.limits, mode == Mode::Document);
        let mut object = traits.unwrap_or_else(Json::empty_object);
        self.measure(&object, "traits")?;
        if is_whole {
            sizes::properties(&object, "traits", limits.event_properties)?;
        } else {
            object = surplus::keys(object, "traits", limits.event_properties, warnings);
        }
        let mut traits = object.members().unwrap_or_default();
        if is_whole {
            sizes::traits(&traits, limits)?;
        } else {
            surplus::traits(&mut traits, limits, warnings);
        }
        // A document that states nothing says that nothing is left.
        let says_something = is_whole || !traits.is_empty();
        let traits = traits.into_iter().collect();
        Ok(says_something.then_some(TraitWrite {
            stamp,
            mode,
            traits,
            times,
        }))
    }

    fn group(
        &self,
        draft: GroupDraft,
        stamp: Stamp,
        warnings: &mut Warnings,
    ) -> Result<Group, Rejection> {
        let unseen = &mut Warnings::default();
        let (mut names, _) = self.identities(vec![draft.name], 0, unseen)?;
        let single = (Mode::Single, stamp, BTreeMap::new());
        Ok(Group {
            identity: names.remove(0),
            traits: self.traits(draft.traits, single, warnings)?,
        })
    }
}

/// What was true at `stamp`, as a document that is whole as of another time.
fn whole_since(traits: Option<TraitWrite>, stamp: Stamp, since: Stamp) -> TraitWrite {
    let (traits, mut times) =
        traits.map_or_else(Default::default, |write| (write.traits, write.times));
    for (name, _) in &traits {
        times.entry(name.clone()).or_insert(stamp);
    }
    TraitWrite {
        stamp: since,
        mode: Mode::Document,
        traits,
        times,
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
pub(super) mod tests;
