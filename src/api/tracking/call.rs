//! From one call to one command, by Segment's spec as SDKs really speak it (contract sections 3, 4 and 7).
//!
//! Routing data (`integrations`, `channel`, `_metadata`, `writeKey`) is read by nobody and not kept.

use super::envelope::{Batch, Call, Document, Raw};
use super::fields::{self, id, invalid_time, is_storable, object, text, within};
use super::{names, sizes};
use crate::config::Limits;
use crate::domain::time::ClaimedTimes;
use crate::domain::{
    Code, Command, Event, EventId, EventType, Group, Identity, IdentityKind, Json, Kinds,
    ProjectId, Rejection, Timestamp, TraitWrite,
};
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// What a request says about all of its calls.
#[derive(Clone, Debug)]
pub struct Source {
    /// Whose data this is.
    pub project_id: ProjectId,
    /// What the project says about identities.
    pub kinds: Arc<Kinds>,
    /// When the request arrived.
    pub received_at: Timestamp,
    /// The header `SentAt`.
    pub sent_at: Option<Timestamp>,
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// The call type that the path names; it wins over the body's.
    pub path_type: Option<String>,
}

/// What surrounds a call: its request, and its batch where it has one.
pub struct Surroundings<'a> {
    source: &'a Source,
    limits: &'a Limits,
    body: &'a Bytes,
    /// Something in the body exceeds a limit on values, so that each has to be held against it.
    needs_checks: bool,
    context: Result<Option<Json>, Rejection>,
    sent_at: Option<Timestamp>,
}

/// A call's own name, what it is about and what it says: the parts that differ between types.
struct Content {
    name: Option<String>,
    properties: Json,
    traits: Option<BTreeMap<String, Json>>,
    identities: Vec<Identity>,
    explicit: usize,
    /// The group's id and what is said about it.
    group: Option<(Identity, BTreeMap<String, Json>)>,
}

impl<'a> Surroundings<'a> {
    /// Gathers what the calls of one request share; `batch` is empty for a single call.
    pub fn new(
        source: &'a Source,
        limits: &'a Limits,
        document: &'a Document,
        batch: &Batch<'_>,
    ) -> Self {
        Self {
            source,
            limits,
            body: &document.bytes,
            needs_checks: !document.is_within(limits.depth),
            context: object(batch.context, "context", &document.bytes)
                .and_then(|shared| bounded_context(shared, limits)),
            sent_at: fields::time(batch.sent_at, "sentAt")
                .ok()
                .flatten()
                .or(source.sent_at),
        }
    }

    /// Makes the command that a call asks for; `index` is its place in a batch.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn command(&self, call: &Call<'_>, index: Option<usize>) -> Result<Command, Rejection> {
        let event_type = self.event_type(call)?;
        let context = self.context(call)?;
        let Content {
            name,
            properties,
            traits,
            identities,
            explicit,
            group,
        } = self.content(event_type, call, &context)?;
        let message_id = match self.message_id(call, index)? {
            Some(message_id) => message_id,
            None => Uuid::now_v7().to_string(),
        };
        let occurred_at = self.occurred_at(call)?;
        let stated = |traits: BTreeMap<String, Json>| TraitWrite {
            at: occurred_at,
            traits: traits.into_iter().collect(),
        };
        Ok(Command {
            project_id: self.source.project_id,
            identities,
            explicit,
            traits: traits.map(stated),
            group: group.map(|(identity, traits)| Group {
                identity,
                traits: (!traits.is_empty()).then(|| stated(traits)),
            }),
            event: Event {
                id: EventId::of(&message_id),
                message_id,
                event_type,
                name,
                occurred_at,
                received_at: self.source.received_at,
                properties,
                context,
            },
        })
    }

    /// The sender's id of a call, held against its limit; `None` where it gave none.
    ///
    /// # Errors
    /// `InvalidField` or `TooLong`.
    pub fn message_id(
        &self,
        call: &Call<'_>,
        index: Option<usize>,
    ) -> Result<Option<String>, Rejection> {
        let limit = self.limits.message_id_bytes;
        if let Some(own) = id(call.message_id, "messageId")? {
            within(&own, "messageId", limit)?;
            return Ok(Some(own.into_owned()));
        }
        let Some(key) = &self.source.idempotency_key else {
            return Ok(None);
        };
        let message_id = match index {
            Some(index) => format!("{key}-{index}"),
            None => key.clone(),
        };
        within(&message_id, "Idempotency-Key", limit)?;
        Ok(Some(message_id))
    }

    fn event_type(&self, call: &Call<'_>) -> Result<EventType, Rejection> {
        let own = || {
            let own = text(call.call_type, "type").ok().flatten();
            own.map(Cow::into_owned)
        };
        let name = self.source.path_type.clone().or_else(own);
        let known = name.as_deref().and_then(EventType::parse);
        known.ok_or_else(|| {
            let message = match name {
                None => "the call says no type",
                Some(_) => "this type of call is not one that is stored",
            };
            Rejection::of(Code::UnknownType, "type", message)
        })
    }

    /// The call's context with what the batch adds to it (Segment merges them, contract section 4).
    fn context(&self, call: &Call<'_>) -> Result<Json, Rejection> {
        let shared = self.context.as_ref().map_err(Clone::clone)?;
        let own = object(call.context, "context", self.body)
            .and_then(|own| bounded_context(own, self.limits))?;
        let context = match (own, shared) {
            (Some(own), Some(shared)) => own.with_defaults(shared),
            (Some(own), None) => own,
            (None, Some(shared)) => shared.clone(),
            (None, None) => return Ok(Json::empty_object()),
        };
        self.check(&context, "context")?;
        Ok(context)
    }

    /// The event's time, moved where the sender's clock is wrong (gotchas 14 and 15).
    fn occurred_at(&self, call: &Call<'_>) -> Result<Timestamp, Rejection> {
        let candidates = [
            (call.timestamp, "timestamp"),
            (call.original_timestamp, "originalTimestamp"),
            (call.created_at, "createdAt"),
        ];
        let mut claimed = None;
        for (raw, field) in candidates {
            if claimed.is_none() {
                claimed = fields::time(raw, field)?.map(|time| (time, field));
            }
        }
        let own_sent_at = fields::time(call.sent_at, "sentAt").ok().flatten();
        let times = ClaimedTimes {
            occurred_at: claimed.map(|(time, _)| time),
            sent_at: own_sent_at.or(self.sent_at),
        };
        let corrected = times.corrected(self.source.received_at);
        let field = claimed.map_or("timestamp", |(_, field)| field);
        if is_storable(corrected) {
            Ok(corrected)
        } else {
            Err(invalid_time(field))
        }
    }

    fn content(
        &self,
        event_type: EventType,
        call: &Call<'_>,
        context: &Json,
    ) -> Result<Content, Rejection> {
        let own_kinds = names::in_context(context, &self.source.kinds, self.limits.identity_bytes)?;
        match event_type {
            EventType::Identify => self.identify(call, context, own_kinds),
            EventType::Track => self.track(call, own_kinds),
            EventType::Page | EventType::Screen => self.view(call, own_kinds),
            EventType::Group => self.group(call, own_kinds),
            EventType::Alias => self.alias(call, own_kinds),
        }
    }

    /// Traits may stand in `traits`, in `context.traits`, or in both (gotcha 13).
    fn identify(
        &self,
        call: &Call<'_>,
        context: &Json,
        own_kinds: Vec<Identity>,
    ) -> Result<Content, Rejection> {
        let mut identities = self.who(call, own_kinds)?;
        let own = self.checked_object(call.traits, "traits")?;
        let other = traits_of_context(context)?;
        let traits = match (own, other) {
            (Some(own), Some(other)) if own != other => own.with_defaults(&other),
            (Some(traits), _) | (None, Some(traits)) => traits,
            (None, None) => Json::empty_object(),
        };
        let members = traits.members().unwrap_or_default();
        sizes::traits(&members, self.limits)?;
        if let Some(email) = members.get("email").and_then(|email| self.email(email)) {
            identities.push(email);
        }
        let (kinds, limit) = (&self.source.kinds, self.limits.identity_bytes);
        identities.extend(names::in_traits(&members, kinds, limit));
        self.strongest_first(&mut identities);
        Ok(Content {
            name: None,
            properties: traits,
            traits: (!members.is_empty()).then_some(members),
            identities,
            explicit: 0,
            group: None,
        })
    }

    /// A track's name may be empty, but not absent (gotcha 19).
    fn track(&self, call: &Call<'_>, own_kinds: Vec<Identity>) -> Result<Content, Rejection> {
        let identities = self.who(call, own_kinds)?;
        let event = text(call.event, "event")?.ok_or_else(|| missing("event"))?;
        Ok(Content {
            name: Some(self.name(event, "event")?),
            properties: self.properties(call)?,
            traits: None,
            identities,
            explicit: 0,
            group: None,
        })
    }

    /// Pages and screens; some senders put the name into the properties only.
    fn view(&self, call: &Call<'_>, own_kinds: Vec<Identity>) -> Result<Content, Rejection> {
        let identities = self.who(call, own_kinds)?;
        let properties = self.properties(call)?;
        let name = match id(call.name, "name")? {
            Some(name) => Some(self.name(name, "name")?),
            None => self.name_among(&properties)?,
        };
        Ok(Content {
            name,
            properties,
            traits: None,
            identities,
            explicit: 0,
            group: None,
        })
    }

    /// A group's traits are its own: `context.traits` are the person's (gotcha 13).
    fn group(&self, call: &Call<'_>, own_kinds: Vec<Identity>) -> Result<Content, Rejection> {
        let identities = self.who(call, own_kinds)?;
        let group = id(call.group_id, "groupId")?.ok_or_else(|| missing("groupId"))?;
        let group = self.identity_text(group, "groupId")?;
        let traits = self.checked_object(call.traits, "traits")?;
        let properties = traits.unwrap_or_else(Json::empty_object);
        let members = properties.members().unwrap_or_default();
        sizes::traits(&members, self.limits)?;
        Ok(Content {
            group: Some((Identity::new(IdentityKind::GroupId, &group), members)),
            name: Some(group),
            properties,
            traits: None,
            identities,
            explicit: 0,
        })
    }

    /// An alias of an id to itself is harmless (gotcha 18).
    fn alias(&self, call: &Call<'_>, own_kinds: Vec<Identity>) -> Result<Content, Rejection> {
        let previous = id(call.previous_id, "previousId")?;
        let user = id(call.user_id, "userId")?;
        if user.is_none() && previous.is_none() {
            return Err(missing_identity());
        }
        let previous =
            self.identity_text(previous.ok_or_else(|| missing("previousId"))?, "previousId")?;
        let user = self.identity_text(user.ok_or_else(|| missing("userId"))?, "userId")?;
        let mut identities = vec![Identity::new(IdentityKind::UserId, &user)];
        if user != previous {
            // Senders don't say which kind it was; claiming both makes the order of arrival matter to nobody.
            identities.push(Identity::new(IdentityKind::UserId, &previous));
            identities.push(Identity::new(IdentityKind::AnonymousId, &previous));
        }
        let explicit = identities.len();
        if let Some(visitor) = id(call.anonymous_id, "anonymousId")? {
            let visitor = Identity::new(
                IdentityKind::AnonymousId,
                &self.identity_text(visitor, "anonymousId")?,
            );
            identities.push(visitor);
        }
        identities.extend(own_kinds);
        names::without_repeats(&mut identities);
        Ok(Content {
            name: Some(previous),
            properties: Json::empty_object(),
            traits: None,
            identities,
            explicit,
            group: None,
        })
    }

    /// The ids of the call itself and those of the project's own kinds, strongest first.
    fn who(&self, call: &Call<'_>, own_kinds: Vec<Identity>) -> Result<Vec<Identity>, Rejection> {
        let named = [
            (IdentityKind::UserId, call.user_id, "userId"),
            (IdentityKind::AnonymousId, call.anonymous_id, "anonymousId"),
        ];
        let mut identities = Vec::with_capacity(3);
        for (kind, raw, field) in named {
            if let Some(value) = id(raw, field)? {
                within(&value, field, self.limits.identity_bytes)?;
                identities.push(Identity::new(kind, &value));
            }
        }
        if !own_kinds.is_empty() {
            identities.extend(own_kinds);
            self.strongest_first(&mut identities);
        }
        if identities.is_empty() {
            return Err(missing_identity());
        }
        Ok(identities)
    }

    fn strongest_first(&self, identities: &mut Vec<Identity>) {
        self.source.kinds.sort(identities);
        names::without_repeats(identities);
    }

    /// An email names a person only where it looks like one and fits.
    fn email(&self, value: &Json) -> Option<Identity> {
        let text: String = serde_json::from_slice(value.as_bytes()).ok()?;
        let (local, domain) = text.trim().split_once('@')?;
        let plausible = !local.is_empty() && !domain.is_empty() && !domain.contains('@');
        let identity = Identity::new(IdentityKind::Email, &text);
        (plausible && identity.value.len() <= self.limits.identity_bytes).then_some(identity)
    }

    /// The properties, with a `category` that stands beside them.
    fn properties(&self, call: &Call<'_>) -> Result<Json, Rejection> {
        let properties = object(call.properties, "properties", self.body)?;
        let mut properties = properties.unwrap_or_else(Json::empty_object);
        if let Some(category) = call.category.filter(|raw| raw.get() != "null") {
            let beside = Json::of(&BTreeMap::from([("category", category)]));
            if !has_category(&properties) {
                properties = properties.with_defaults(&beside);
            }
        }
        self.check_properties(&properties, "properties")?;
        Ok(properties)
    }

    fn name_among(&self, properties: &Json) -> Result<Option<String>, Rejection> {
        let members = properties.members().unwrap_or_default();
        let name = members.get("name");
        let name = name.and_then(|name| serde_json::from_slice::<String>(name.as_bytes()).ok());
        name.filter(|name| !name.is_empty())
            .map(|name| self.name(name.into(), "properties.name"))
            .transpose()
    }

    fn checked_object(&self, raw: Raw<'_>, field: &str) -> Result<Option<Json>, Rejection> {
        let object = object(raw, field, self.body)?;
        if let Some(object) = &object {
            self.check_properties(object, field)?;
        }
        Ok(object)
    }

    /// Holds what becomes an event's properties against the limits.
    fn check_properties(&self, json: &Json, field: &str) -> Result<(), Rejection> {
        self.check(json, field)?;
        sizes::properties(json, field, self.limits.event_properties)
    }

    fn check(&self, json: &Json, field: &str) -> Result<(), Rejection> {
        if self.needs_checks {
            json.check(field, self.limits.depth)?;
        }
        Ok(())
    }

    fn name(&self, name: Cow<'_, str>, field: &str) -> Result<String, Rejection> {
        within(&name, field, self.limits.name_bytes)?;
        Ok(name.into_owned())
    }

    fn identity_text(&self, value: Cow<'_, str>, field: &str) -> Result<String, Rejection> {
        within(&value, field, self.limits.identity_bytes)?;
        Ok(value.into_owned())
    }
}

/// Trees are built of a context: its keys count before.
fn bounded_context(context: Option<Json>, limits: &Limits) -> Result<Option<Json>, Rejection> {
    if let Some(context) = &context {
        sizes::properties(context, "context", limits.event_properties)?;
    }
    Ok(context)
}

/// Looks for the key before the costly way, since most senders put it there themselves.
fn has_category(properties: &Json) -> bool {
    memchr::memmem::find(properties.as_bytes(), b"category").is_some()
        && properties
            .members()
            .is_some_and(|members| members.contains_key("category"))
}

fn traits_of_context(context: &Json) -> Result<Option<Json>, Rejection> {
    if memchr::memmem::find(context.as_bytes(), b"traits").is_none() {
        return Ok(None);
    }
    let traits = context.members().unwrap_or_default().remove("traits");
    match traits.filter(|traits| !traits.is_null()) {
        None => Ok(None),
        Some(traits) if traits.as_bytes().starts_with(b"{") => Ok(Some(traits)),
        Some(_) => Err(fields::not_an_object("context.traits")),
    }
}

fn missing(field: &str) -> Rejection {
    Rejection::of(Code::MissingField, field, format!("the call needs {field}"))
}

fn missing_identity() -> Rejection {
    Rejection {
        code: Code::MissingIdentity,
        field: None,
        message: "the call names nobody: it needs userId or anonymousId".to_owned(),
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
