//! The section of a mapping file that makes events.

use super::event::{EventAt, EventName};
use super::file_types::typed;
use super::moment::Moments;
use super::place::{Place, Pointer};
use super::section::Section;
use crate::domain::EventType;

/// What it says; `None` with a complaint where it names no event.
pub(super) fn event(section: &mut Section, moments: &Moments) -> Option<EventAt> {
    let name = name(section);
    let kind = kind(section);
    let id = section.places("id").unwrap_or_default();
    let prefix = section.text("prefix").filter(|text| !text.is_empty());
    let (mut root, mut named) = (None, Vec::new());
    if section
        .left
        .get("properties")
        .is_some_and(toml::Value::is_table)
    {
        named = properties(section);
    } else if let Some(text) = section.text("properties") {
        root = Pointer::parse(&text);
        if root.is_none() {
            section.complain(format!("properties: {text:?} is no JSON pointer"));
        }
    }
    let types = section.section("types").map(|mut types| {
        let all = typed(&mut types, moments);
        section.take_in(types);
        all
    });
    let types = types.unwrap_or_default();
    Some(EventAt {
        name: name?,
        kind,
        id,
        root,
        named,
        prefix,
        types,
    })
}

/// A place, or the name itself.
fn name(section: &mut Section) -> Option<EventName> {
    let Some(text) = section.text("name").filter(|text| !text.trim().is_empty()) else {
        section.complain("name is the event's name, or the place where it stands");
        return None;
    };
    let is_place = ["/", "record:", "key:", "header:"]
        .iter()
        .any(|start| text.starts_with(start));
    if is_place {
        section.place("name", &text).map(EventName::At)
    } else {
        Some(EventName::Is(text))
    }
}

fn kind(section: &mut Section) -> EventType {
    let kind = section.text("kind");
    let known = kind
        .as_deref()
        .map_or(Some(EventType::Track), EventType::parse);
    let known =
        known.filter(|kind| matches!(kind, EventType::Track | EventType::Page | EventType::Screen));
    known.unwrap_or_else(|| {
        section.complain("kind is track, page or screen");
        EventType::Track
    })
}

fn properties(section: &mut Section) -> Vec<(String, Place)> {
    let Some(mut inner) = section.section("properties") else {
        return Vec::new();
    };
    let names: Vec<String> = inner.left.keys().cloned().collect();
    let mut all = Vec::new();
    for name in names {
        let text = inner.text(&name);
        let place = text.and_then(|text| inner.place(&name, &text));
        all.extend(place.map(|place| (name, place)));
    }
    section.take_in(inner);
    all
}
