//! Documents and rows that are events: what a mapping says of their name, their id and their properties.

use super::kind::Kind;
use super::names;
use super::place::{Place, Pointer, View, text_bytes};
use super::shape::{self, Bad};
use super::{Record, extended};
use crate::domain::{
    Code, EventDraft, EventId, EventType, Gate, Json, Limits, Rejection, Text, Warning,
};
use serde_json::{Map, Value};

/// Where an event's parts stand.
#[derive(Clone, Debug)]
pub struct EventAt {
    pub name: EventName,
    pub kind: EventType,
    pub id: Vec<Place>,
    /// An object that has all properties.
    pub root: Option<Pointer>,
    /// Properties by their names.
    pub named: Vec<(String, Place)>,
    /// Members whose names begin so are properties, by what follows.
    pub prefix: Option<String>,
    pub types: Vec<(Pointer, Kind)>,
}

/// An event's name.
#[derive(Clone, Debug)]
pub enum EventName {
    Is(String),
    At(Place),
}

impl EventAt {
    /// Reads the event of a record. One without an id of its own is named by its place, or by the whole record where it has none.
    ///
    /// # Errors
    /// `MissingField` where it has no name, and what does not convert where that is not to be left out.
    pub fn read(
        &self,
        view: View<'_>,
        record: &Record<'_>,
        gate: &Gate<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<EventDraft, Rejection> {
        let name = match &self.name {
            EventName::Is(name) => Some(name.clone()),
            EventName::At(place) => text_of(place, view),
        };
        let Some(name) = name else {
            return Err(Rejection::of(
                Code::MissingField,
                "event.name",
                "an event has a name",
            ));
        };
        let own_id = self.id.iter().find_map(|place| text_of(place, view));
        let own_id = own_id.filter(|id| !gate.is_placeholder(id));
        let id = own_id.unwrap_or_else(|| derived(view, record));
        let properties = self.properties(view, gate.limits, warnings)?;
        Ok(EventDraft {
            message_id: Some(Text::new(id, "event.id")),
            event_type: self.kind,
            name: Some(Text::new(name, "event.name")),
            properties: Json::of(&properties),
            context: Json::empty_object(),
        })
    }

    fn properties(
        &self,
        view: View<'_>,
        limits: &Limits,
        warnings: &mut Vec<Warning>,
    ) -> Result<Value, Rejection> {
        let mut all = Map::new();
        let root = self
            .root
            .as_ref()
            .and_then(|pointer| pointer.find(view.row));
        all.extend(root.and_then(Value::as_object).cloned().unwrap_or_default());
        if let (Some(prefix), Some(row)) = (&self.prefix, view.row.as_object()) {
            let own = row
                .iter()
                .filter_map(|(name, value)| Some((name.strip_prefix(prefix.as_str())?, value)));
            all.extend(own.map(|(name, value)| (name.to_owned(), value.clone())));
        }
        let mut left = limits.event_bytes;
        for (name, place) in &self.named {
            let Some(value) = place.find(view) else {
                continue;
            };
            left = left
                .checked_sub(name.len() + text_bytes(&value))
                .ok_or_else(|| too_large(limits.event_bytes))?;
            all.insert(name.clone(), value);
        }
        let mut properties = Value::Object(all);
        for (pointer, kind) in &self.types {
            match shape::typed(pointer, kind, &mut properties, limits.depth) {
                Some(Bad::LeftOut(warning)) => warnings.push(warning),
                Some(Bad::Refused(rejection)) => return Err(rejection),
                None => {}
            }
        }
        Ok(properties)
    }

    /// The places that it names.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let name = match &self.name {
            EventName::At(place) => Some(place),
            EventName::Is(_) => None,
        };
        name.into_iter()
            .chain(&self.id)
            .chain(self.named.iter().map(|(_, place)| place))
    }
}

/// A mapping may name one place thousands of times: what they come to is known before all of it is there.
fn too_large(most: usize) -> Rejection {
    let message = format!("the event's properties have more bytes than the limit of {most}");
    Rejection::of(Code::EventTooLarge, "properties", message)
}

fn text_of(place: &Place, view: View<'_>) -> Option<String> {
    names::texts(extended::plain(place.find(view)?))
        .0
        .into_iter()
        .next()
}

fn derived(view: View<'_>, record: &Record<'_>) -> String {
    let canonical = Json::of(view.record).canonical();
    match record.from {
        Some(from) => from.event_id(canonical.as_bytes()),
        None => EventId::of(&canonical).0.to_string(),
    }
}
