//! From one call to a draft for the gate, by Segment's spec as SDKs really speak it (contract sections 3, 4 and 7).
//!
//! Routing data (`integrations`, `channel`, `_metadata`, `writeKey`) is read by nobody and not kept.

use super::asked::Asked;
use super::envelope::{Batch, Call, Raw};
use super::fields::{self, NOT_AN_ID, id, object, text, usable_id};
use super::names;
use super::signed::{self, Signing};
use super::when::{self, Clock, When};
use crate::api::document::Document;
use crate::domain::parting::UNSIGNED;
use crate::domain::{
    Class, Code, Command, Draft, EventDraft, EventType, Gate, GroupDraft, Json, KeyKind, Kinds,
    Limits, Name, ProjectId, Rejection, Stamp, Text, Timestamp, Warnings,
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
    /// How users are signed, where their names count by that alone.
    pub signing: Option<Signing>,
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
    context: Option<Json>,
    sent_at: Option<Timestamp>,
    /// Calls of the request.
    count: usize,
    /// Some call may carry a token.
    may_have_tokens: bool,
    /// What was mended of the batch itself: it holds for each of its calls.
    warnings: Warnings,
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
        let mut warnings = Warnings::default();
        Self {
            source,
            gate,
            body: &document.bytes,
            context: object(batch.context, "context", &document.bytes, &mut warnings),
            sent_at: when::sent_at(batch.sent_at, &mut warnings).or(source.sent_at),
            count: batch.calls.len(),
            may_have_tokens: signed::may_have_tokens(&document.bytes),
            warnings,
        }
    }

    /// Makes the command that a call asks for; `index` is its place in a batch.
    ///
    /// # Errors
    /// The first thing wrong with it that can't be mended, with all whom it names.
    pub fn command(&self, call: &Call<'_>, index: Option<usize>) -> Result<Command, Rejection> {
        self.read(call, index).map_err(|rejection| {
            let context = self.context(call, &mut Warnings::default());
            let names = names::of_refused(call, &context, self.body, &self.gate);
            Rejection { names, ..rejection }
        })
    }

    fn read(&self, call: &Call<'_>, index: Option<usize>) -> Result<Command, Rejection> {
        let mut warnings = self.warnings.clone();
        let asked = self.asked(call)?;
        names::measure(call, self.body, &self.gate)?;
        let (context, token) = self.context_and_token(call, &mut warnings);
        let mut content = self.content(asked, call, &context, &mut warnings)?;
        let own_kinds = names::in_context(&context, &self.gate);
        content.names.extend(own_kinds);
        if content.names.is_empty() {
            only_unusable(&warnings)?;
        }
        self.sign(&mut content, token, &mut warnings)?;
        let event = EventDraft {
            message_id: self.message_id(call, index, &mut warnings),
            event_type: asked.event_type(),
            name: content.name,
            properties: content.properties.unwrap_or_else(Json::empty_object),
            context,
        };
        let happened = self.occurred_at(call, index, &mut warnings);
        self.gate.command(Draft {
            names: content.names,
            explicit: content.explicit,
            event: Some(event),
            traits: content.traits,
            group: content.group,
            sequence: self.sequence(),
            earliest: Some(happened.earliest),
            warnings,
            ..Draft::at(happened.occurred_at)
        })
    }

    /// History out of an old store loses a tie with what came live.
    fn sequence(&self) -> i64 {
        match self.source.class {
            Class::Live | Class::Import => Stamp::LIVE,
            Class::Backfill => i64::MIN,
        }
    }

    /// The sender's id of a call; `None` where it gave none that can be one.
    pub fn message_id(
        &self,
        call: &Call<'_>,
        index: Option<usize>,
        warnings: &mut Warnings,
    ) -> Option<Text> {
        let key = self.source.idempotency_key.as_ref();
        let key = key.filter(|key| !self.gate.is_placeholder(key));
        // One that stands for nothing gives way to the request's; where there is none, the gate tells.
        let own = usable_id(call.message_id, "messageId", warnings);
        let own = own.filter(|own| key.is_none() || !self.gate.is_placeholder(own));
        if let Some(own) = own {
            return Some(Text::new(own, "messageId"));
        }
        let Some(key) = key else {
            // Of one that stands for nothing the gate tells.
            let key = self.source.idempotency_key.clone()?;
            return Some(Text::new(key, "Idempotency-Key"));
        };
        let message_id = match index {
            Some(index) => format!("{key}-{index}"),
            None => key.clone(),
        };
        Some(Text::new(message_id, "Idempotency-Key"))
    }

    fn asked(&self, call: &Call<'_>) -> Result<Asked, Rejection> {
        let path = self.source.path_type.as_deref().map(Cow::Borrowed);
        let name = path.or_else(|| fields::type_name(call.call_type));
        let known = name.as_deref().and_then(Asked::parse);
        known.ok_or_else(|| {
            let message = match name {
                None => "the call says no type",
                Some(_) => "this type of call is not one that is stored",
            };
            Rejection::of(Code::UnknownType, "type", message)
        })
    }

    /// Where users have to be signed, what an unsigned call says of a person is kept in its event alone, which tells so by its name.
    fn sign(
        &self,
        content: &mut Content,
        token: Option<String>,
        warnings: &mut Warnings,
    ) -> Result<(), Rejection> {
        let Some(signing) = &self.source.signing else {
            return Ok(());
        };
        let names = (std::mem::take(&mut content.names), content.explicit);
        let vouched = signing.hold(names, token, &self.gate, warnings)?;
        if vouched.is_unsigned && content.traits.take().is_some() {
            content.name = Some(Text::new(UNSIGNED, "type"));
        }
        (content.names, content.explicit) = (vouched.names, vouched.explicit);
        Ok(())
    }

    /// The call's context, and the token that it carries. A token is not kept, also where nobody asks for one.
    fn context_and_token(
        &self,
        call: &Call<'_>,
        warnings: &mut Warnings,
    ) -> (Json, Option<String>) {
        let context = self.context(call, warnings);
        match self.may_have_tokens {
            true => signed::without_token(context),
            false => (context, None),
        }
    }

    /// The call's context with what the batch adds to it (Segment merges them, contract section 4).
    fn context(&self, call: &Call<'_>, warnings: &mut Warnings) -> Json {
        let own = object(call.context, "context", self.body, warnings);
        match (own, &self.context) {
            (Some(own), Some(shared)) => self.gate.joined(&own, shared, "context", warnings),
            (Some(own), None) => own,
            (None, Some(shared)) => shared.clone(),
            (None, None) => Json::empty_object(),
        }
    }

    /// When the call happened; `index` is its place in a batch.
    pub fn occurred_at(
        &self,
        call: &Call<'_>,
        index: Option<usize>,
        warnings: &mut Warnings,
    ) -> When {
        let place = index.unwrap_or_default() + 1;
        let clock = Clock {
            received_at: self.source.received_at,
            sent_at: self.sent_at,
            followers: self.count.saturating_sub(place),
        };
        clock.occurred_at(call, warnings)
    }

    fn content(
        &self,
        asked: Asked,
        call: &Call<'_>,
        context: &Json,
        warnings: &mut Warnings,
    ) -> Result<Content, Rejection> {
        match asked {
            Asked::Merge => self.merge(call, warnings),
            Asked::Event(EventType::Identify) => Ok(self.identify(call, context, warnings)),
            Asked::Event(EventType::Track) => self.track(call, warnings),
            Asked::Event(EventType::Page | EventType::Screen) => Ok(self.view(call, warnings)),
            Asked::Event(EventType::Group) => self.group(call, warnings),
            Asked::Event(EventType::Alias) => self.alias(call, warnings),
        }
    }

    /// Traits may stand in `traits`, in `context.traits`, or in both (gotcha 13).
    fn identify(&self, call: &Call<'_>, context: &Json, warnings: &mut Warnings) -> Content {
        let own = object(call.traits, "traits", self.body, warnings);
        let traits = match (own, traits_of_context(context, warnings)) {
            (Some(own), Some(other)) if own != other => {
                self.gate.joined(&own, &other, "traits", warnings)
            }
            (Some(traits), _) | (None, Some(traits)) => traits,
            (None, None) => Json::empty_object(),
        };
        let mut names = self.who(call, warnings);
        names.extend(self.gate.names_in(&traits));
        warnings.leave_out(self.gate.mere_email(&traits).into_iter().collect());
        Content {
            properties: Some(traits.clone()),
            traits: Some(traits),
            names,
            ..Content::default()
        }
    }

    /// A track's name may be empty, but not absent (gotcha 19).
    fn track(&self, call: &Call<'_>, warnings: &mut Warnings) -> Result<Content, Rejection> {
        let event = text(call.event, "event", warnings)?.ok_or_else(|| missing("event"))?;
        Ok(Content {
            name: Some(Text::new(event, "event")),
            properties: Some(self.properties(call, warnings)),
            names: self.who(call, warnings),
            ..Content::default()
        })
    }

    /// Pages and screens; some senders put the name into the properties only.
    fn view(&self, call: &Call<'_>, warnings: &mut Warnings) -> Content {
        let properties = self.properties(call, warnings);
        let name = match usable_id(call.name, "name", warnings) {
            Some(name) => Some(Text::new(name, "name")),
            None => name_among(&properties),
        };
        Content {
            name,
            properties: Some(properties),
            names: self.who(call, warnings),
            ..Content::default()
        }
    }

    /// A group's traits are its own: `context.traits` are the person's (gotcha 13).
    fn group(&self, call: &Call<'_>, warnings: &mut Warnings) -> Result<Content, Rejection> {
        let group = id(call.group_id, "groupId")?.ok_or_else(|| missing("groupId"))?;
        let traits = object(call.traits, "traits", self.body, warnings);
        Ok(Content {
            group: Some(GroupDraft {
                name: self.gate.name("group_id", &group, "groupId"),
                traits: traits.clone(),
            }),
            name: Some(Text::new(group, "groupId")),
            properties: traits,
            names: self.who(call, warnings),
            ..Content::default()
        })
    }

    /// An alias of an id to itself is harmless (gotcha 18). Segment lets the anonymous id stand for a user id that is not there.
    fn alias(&self, call: &Call<'_>, warnings: &mut Warnings) -> Result<Content, Rejection> {
        let previous = usable_id(call.previous_id, "previousId", warnings);
        let user = self.name(call.user_id, "user_id", "userId", warnings);
        let visitor = self.name(call.anonymous_id, "anonymous_id", "anonymousId", warnings);
        if user.is_none() && visitor.is_none() && previous.is_none() {
            return Ok(Content::default());
        }
        let previous = previous.ok_or_else(|| missing("previousId"))?;
        let (lead, beside) = match (user, visitor) {
            (Some(user), visitor) => (user, visitor),
            (None, Some(visitor)) => (visitor, None),
            (None, None) => return Err(missing("userId")),
        };
        // Senders don't say which kind it was; claiming both makes the order of arrival matter to nobody. By their word it joins known people
        // as a user id alone: a stranger with the public key may have taken that text for an anonymous id.
        let both = ["user_id", "anonymous_id"];
        let both = both.map(|kind| self.gate.name(kind, &previous, "previousId"));
        let is_itself = lead.value() == both[0].value();
        let (mut names, mut explicit) = (vec![lead], 1);
        if !is_itself {
            names.extend(both);
            explicit += 1;
        }
        names.extend(beside);
        Ok(Content {
            name: Some(Text::new(previous, "previousId")),
            names,
            explicit,
            ..Content::default()
        })
    }

    /// RudderStack's merge: two names of one person, as an alias says it.
    fn merge(&self, call: &Call<'_>, warnings: &mut Warnings) -> Result<Content, Rejection> {
        let both = names::to_merge(call.merge_properties, self.body, &self.gate, warnings);
        let (names, previous) = both.ok_or_else(|| missing("mergeProperties"))?;
        let explicit = names.len();
        Ok(Content {
            name: Some(Text::new(previous, "mergeProperties")),
            names,
            explicit,
            ..Content::default()
        })
    }

    /// The ids of the call itself.
    fn who(&self, call: &Call<'_>, warnings: &mut Warnings) -> Vec<Name> {
        let user = self.name(call.user_id, "user_id", "userId", warnings);
        let visitor = self.name(call.anonymous_id, "anonymous_id", "anonymousId", warnings);
        user.into_iter().chain(visitor).collect()
    }

    fn name(
        &self,
        raw: Raw<'_>,
        kind: &str,
        field: &'static str,
        warnings: &mut Warnings,
    ) -> Option<Name> {
        let value = usable_id(raw, field, warnings)?;
        Some(self.gate.name(kind, &value, field))
    }

    /// The properties, with a `category` that stands beside them.
    fn properties(&self, call: &Call<'_>, warnings: &mut Warnings) -> Json {
        let properties = object(call.properties, "properties", self.body, warnings);
        let properties = properties.unwrap_or_else(Json::empty_object);
        let category = call.category.filter(|raw| raw.get() != "null");
        match category {
            Some(category) if properties.member("category").is_none() => {
                let beside = Json::of(&BTreeMap::from([("category", category)]));
                self.gate
                    .joined(&properties, &beside, "properties", warnings)
            }
            _ => properties,
        }
    }
}

fn name_among(properties: &Json) -> Option<Text> {
    let name = properties.member("name")?.as_text()?;
    (!name.is_empty()).then(|| Text::new(name, "properties.name"))
}

fn traits_of_context(context: &Json, warnings: &mut Warnings) -> Option<Json> {
    let traits = context
        .member("traits")
        .filter(|traits| !traits.is_null())?;
    if !traits.as_bytes().starts_with(b"{") {
        fields::warn_no_object(traits.as_str(), "context.traits", warnings);
        return None;
    }
    Some(traits)
}

/// Of a call that names nobody: the id that could have been one.
fn only_unusable(warnings: &Warnings) -> Result<(), Rejection> {
    let is_name = |field: &str| field != "messageId" && field != "name";
    let mut unusable = warnings.as_slice().iter();
    match unusable.find(|warning| warning.code == NOT_AN_ID && is_name(&warning.field)) {
        Some(warning) => {
            let message = format!("{} must be a text", warning.field);
            Err(Rejection::of(Code::InvalidField, &warning.field, message))
        }
        None => Ok(()),
    }
}

fn missing(field: &str) -> Rejection {
    Rejection::of(Code::MissingField, field, format!("the call needs {field}"))
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
