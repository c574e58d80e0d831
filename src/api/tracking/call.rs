//! From one call to a draft for the gate, by Segment's spec as SDKs really speak it (contract sections 3, 4 and 7).
//!
//! Routing data (`integrations`, `channel`, `_metadata`, `writeKey`) is read by nobody and not kept.

use super::envelope::{Batch, Call, Raw};
use super::fields::{self, id, object, text};
use super::names;
use crate::api::document::Document;
use crate::domain::time::ClaimedTimes;
use crate::domain::{
    Class, Code, Command, Draft, EventDraft, EventType, Gate, GroupDraft, Json, KeyKind, Kinds,
    Limits, Name, ProjectId, Rejection, Stamp, Text, Timestamp,
};
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a request says about all of its calls.
#[derive(Clone, Debug)]
pub struct Source {
    /// Whose data this is.
    pub project_id: ProjectId,
    /// How urgent it is.
    pub class: Class,
    /// What sort of key it came with.
    pub by: KeyKind,
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
    gate: Gate<'a>,
    body: &'a Bytes,
    context: Result<Option<Json>, Rejection>,
    sent_at: Option<Timestamp>,
}

/// What a call is about and what it says: the parts that differ between types.
#[derive(Default)]
struct Content {
    name: Option<Text>,
    properties: Option<Json>,
    traits: Option<Json>,
    names: Vec<Name>,
    explicit: usize,
    group: Option<GroupDraft>,
}

impl<'a> Surroundings<'a> {
    /// Gathers what the calls of one request share; `batch` is empty for a single call.
    pub fn new(
        source: &'a Source,
        limits: &'a Limits,
        document: &'a Document,
        batch: &Batch<'_>,
    ) -> Self {
        let gate = Gate {
            project_id: source.project_id,
            class: source.class,
            by: source.by,
            kinds: &source.kinds,
            limits,
            received_at: source.received_at,
            is_measured: document.is_within(limits.depth),
        };
        Self {
            source,
            gate,
            body: &document.bytes,
            context: object(batch.context, "context", &document.bytes),
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
        let (context, times) = (self.context(call)?, self.times(call)?);
        let mut content = self.content(event_type, call, &context)?;
        let own_kinds = names::in_context(&context, &self.gate);
        content.names.extend(own_kinds);
        let event = EventDraft {
            message_id: self.message_id(call, index)?,
            event_type,
            name: content.name,
            properties: content.properties.unwrap_or_else(Json::empty_object),
            context,
        };
        self.gate.command(Draft {
            names: content.names,
            explicit: content.explicit,
            event: Some(event),
            traits: content.traits,
            group: content.group,
            sequence: self.sequence(),
            earliest: Some(times.earliest(self.source.received_at)),
            ..Draft::at(times.corrected(self.source.received_at))
        })
    }

    /// History out of an old store loses a tie with what came live.
    fn sequence(&self) -> i64 {
        match self.source.class {
            Class::Live | Class::Import => Stamp::LIVE,
            Class::Backfill => i64::MIN,
        }
    }

    /// The sender's id of a call; `None` where it gave none.
    ///
    /// # Errors
    /// `InvalidField`.
    pub fn message_id(
        &self,
        call: &Call<'_>,
        index: Option<usize>,
    ) -> Result<Option<Text>, Rejection> {
        let key = self.source.idempotency_key.as_ref();
        let key = key.filter(|key| !self.gate.is_placeholder(key));
        // One that stands for nothing gives way to the request's; where there is none, the gate tells.
        let own = id(call.message_id, "messageId")?;
        let own = own.filter(|own| key.is_none() || !self.gate.is_placeholder(own));
        if let Some(own) = own {
            return Ok(Some(Text::new(own, "messageId")));
        }
        Ok(key.map(|key| {
            let message_id = match index {
                Some(index) => format!("{key}-{index}"),
                None => key.clone(),
            };
            Text::new(message_id, "Idempotency-Key")
        }))
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
        let own = object(call.context, "context", self.body)?;
        Ok(match (own, shared) {
            (Some(own), Some(shared)) => self.gate.joined(&own, shared, "context")?,
            (Some(own), None) => own,
            (None, Some(shared)) => shared.clone(),
            (None, None) => Json::empty_object(),
        })
    }

    /// The event's time, moved where the sender's clock is wrong (gotchas 14 and 15).
    ///
    /// # Errors
    /// `InvalidTime`.
    pub fn occurred_at(&self, call: &Call<'_>) -> Result<Timestamp, Rejection> {
        Ok(self.times(call)?.corrected(self.source.received_at))
    }

    /// What the call says about its time.
    fn times(&self, call: &Call<'_>) -> Result<ClaimedTimes, Rejection> {
        let candidates = [
            (call.timestamp, "timestamp"),
            (call.original_timestamp, "originalTimestamp"),
            (call.created_at, "createdAt"),
        ];
        let mut claimed = None;
        for (raw, field) in candidates {
            if claimed.is_none() {
                claimed = fields::time(raw, field)?;
            }
        }
        let own_sent_at = fields::time(call.sent_at, "sentAt").ok().flatten();
        Ok(ClaimedTimes {
            occurred_at: claimed,
            sent_at: own_sent_at.or(self.sent_at),
        })
    }

    fn content(
        &self,
        event_type: EventType,
        call: &Call<'_>,
        context: &Json,
    ) -> Result<Content, Rejection> {
        match event_type {
            EventType::Identify => self.identify(call, context),
            EventType::Track => self.track(call),
            EventType::Page | EventType::Screen => self.view(call),
            EventType::Group => self.group(call),
            EventType::Alias => self.alias(call),
        }
    }

    /// Traits may stand in `traits`, in `context.traits`, or in both (gotcha 13).
    fn identify(&self, call: &Call<'_>, context: &Json) -> Result<Content, Rejection> {
        let own = object(call.traits, "traits", self.body)?;
        let traits = match (own, traits_of_context(context)?) {
            (Some(own), Some(other)) if own != other => self.gate.joined(&own, &other, "traits")?,
            (Some(traits), _) | (None, Some(traits)) => traits,
            (None, None) => Json::empty_object(),
        };
        let mut names = self.who(call)?;
        names.extend(self.gate.names_in(&traits));
        Ok(Content {
            properties: Some(traits.clone()),
            traits: Some(traits),
            names,
            ..Content::default()
        })
    }

    /// A track's name may be empty, but not absent (gotcha 19).
    fn track(&self, call: &Call<'_>) -> Result<Content, Rejection> {
        let event = text(call.event, "event")?.ok_or_else(|| missing("event"))?;
        Ok(Content {
            name: Some(Text::new(event, "event")),
            properties: Some(self.properties(call)?),
            names: self.who(call)?,
            ..Content::default()
        })
    }

    /// Pages and screens; some senders put the name into the properties only.
    fn view(&self, call: &Call<'_>) -> Result<Content, Rejection> {
        let properties = self.properties(call)?;
        let name = match id(call.name, "name")? {
            Some(name) => Some(Text::new(name, "name")),
            None => name_among(&properties),
        };
        Ok(Content {
            name,
            properties: Some(properties),
            names: self.who(call)?,
            ..Content::default()
        })
    }

    /// A group's traits are its own: `context.traits` are the person's (gotcha 13).
    fn group(&self, call: &Call<'_>) -> Result<Content, Rejection> {
        let group = id(call.group_id, "groupId")?.ok_or_else(|| missing("groupId"))?;
        let traits = object(call.traits, "traits", self.body)?;
        Ok(Content {
            group: Some(GroupDraft {
                name: self.gate.name("group_id", &group, "groupId"),
                traits: traits.clone(),
            }),
            name: Some(Text::new(group, "groupId")),
            properties: traits,
            names: self.who(call)?,
            ..Content::default()
        })
    }

    /// An alias of an id to itself is harmless (gotcha 18).
    fn alias(&self, call: &Call<'_>) -> Result<Content, Rejection> {
        let previous = id(call.previous_id, "previousId")?;
        let user = id(call.user_id, "userId")?;
        if user.is_none() && previous.is_none() {
            return Ok(Content::default());
        }
        let previous = previous.ok_or_else(|| missing("previousId"))?;
        let user = user.ok_or_else(|| missing("userId"))?;
        let mut names = vec![self.gate.name("user_id", &user, "userId")];
        if user != previous {
            // Senders don't say which kind it was; claiming both makes the order of arrival matter to nobody.
            let both = ["user_id", "anonymous_id"];
            names.extend(both.map(|kind| self.gate.name(kind, &previous, "previousId")));
        }
        let explicit = names.len();
        names.extend(self.name(call.anonymous_id, "anonymous_id", "anonymousId")?);
        Ok(Content {
            name: Some(Text::new(previous, "previousId")),
            names,
            explicit,
            ..Content::default()
        })
    }

    /// The ids of the call itself.
    fn who(&self, call: &Call<'_>) -> Result<Vec<Name>, Rejection> {
        let user = self.name(call.user_id, "user_id", "userId")?;
        let visitor = self.name(call.anonymous_id, "anonymous_id", "anonymousId")?;
        Ok(user.into_iter().chain(visitor).collect())
    }

    fn name(
        &self,
        raw: Raw<'_>,
        kind: &str,
        field: &'static str,
    ) -> Result<Option<Name>, Rejection> {
        let value = id(raw, field)?;
        Ok(value.map(|value| self.gate.name(kind, &value, field)))
    }

    /// The properties, with a `category` that stands beside them.
    fn properties(&self, call: &Call<'_>) -> Result<Json, Rejection> {
        let properties = object(call.properties, "properties", self.body)?;
        let properties = properties.unwrap_or_else(Json::empty_object);
        let category = call.category.filter(|raw| raw.get() != "null");
        match category {
            Some(category) if properties.member("category").is_none() => {
                let beside = Json::of(&BTreeMap::from([("category", category)]));
                self.gate.joined(&properties, &beside, "properties")
            }
            _ => Ok(properties),
        }
    }
}

fn name_among(properties: &Json) -> Option<Text> {
    let name = properties.member("name")?.as_text()?;
    (!name.is_empty()).then(|| Text::new(name, "properties.name"))
}

fn traits_of_context(context: &Json) -> Result<Option<Json>, Rejection> {
    match context.member("traits").filter(|traits| !traits.is_null()) {
        None => Ok(None),
        Some(traits) if traits.as_bytes().starts_with(b"{") => Ok(Some(traits)),
        Some(_) => Err(fields::not_an_object("context.traits")),
    }
}

fn missing(field: &str) -> Rejection {
    Rejection::of(Code::MissingField, field, format!("the call needs {field}"))
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
