//! What records have at the places that a mapping names: a key that is never met shows a typo, a time of 1970 a wrong unit.

use super::document::{Document, view};
use super::envelope::Envelope;
use super::event::EventAt;
use super::extended;
use super::kind::Kind;
use super::moment::Moments;
use super::opened::Opened;
use super::place::{Place, Pointer};
use super::shape::{Dots, Shape};
use super::{Form, Record};
use crate::domain::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// Deeper records are refused before anybody looks.
const DEPTH: usize = 100;

/// The places of one mapping, and which of its keys no record has met yet.
#[derive(Debug)]
pub struct Places {
    envelope: Envelope,
    keys: Vec<Key>,
    times: Times,
    root: Pointer,
    traits: Vec<Named>,
    /// It is Roster's own format, in which `times` has those of single traits.
    has_times: bool,
    unmet: BTreeMap<String, String>,
}

/// One key of the file.
#[derive(Debug)]
struct Key {
    name: String,
    places: Vec<Place>,
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Other,
    /// A time of the record itself.
    Time,
    TimeOfTrait,
}

/// A key that says something about one trait.
#[derive(Debug)]
struct Named {
    name: String,
    pointer: Pointer,
    stage: Stage,
}

/// Which traits a key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Those that come.
    Raw,
    /// Those that are written.
    Done,
    /// The same, and it is a time.
    DoneAsTime,
}

/// How times are written.
#[derive(Debug)]
enum Times {
    Mapped(Moments),
    /// As SDKs write them.
    OfCalls,
}

/// What one record has.
#[derive(Debug, Default)]
pub struct Sight {
    /// Each time with its place.
    pub times: Vec<(String, Timestamp)>,
    /// The record says when it was true.
    pub has_time: bool,
}

impl Places {
    /// Those of a mapping.
    pub fn of(form: &Form) -> Self {
        match form {
            Form::Own => Self {
                has_times: true,
                ..Self::plain(
                    &["/updated_at", "/deleted_at", "/at"],
                    Times::Mapped(Moments::own()),
                )
            },
            Form::Columns => Self::plain(&[], Times::OfCalls),
            Form::Calls | Form::Messages => Self::plain(
                &["/timestamp", "/originalTimestamp", "/createdAt"],
                Times::OfCalls,
            ),
            Form::Document(document) => Self::mapped(document),
        }
    }

    /// Of a format in which nothing can be misspelt.
    fn plain(pointers: &[&str], times: Times) -> Self {
        let places = pointers.iter().filter_map(|text| Place::parse(text).ok());
        Self {
            envelope: Envelope::Bare,
            keys: vec![key("", &places.collect::<Vec<_>>(), Role::Time)],
            times,
            root: Pointer::default(),
            traits: Vec::new(),
            has_times: false,
            unmet: BTreeMap::new(),
        }
    }

    fn mapped(document: &Document) -> Self {
        let keys = keys(document);
        let traits = of_traits(&document.shape);
        let named = keys.iter().map(|key| (key.name.clone(), key.shown()));
        let of_traits = traits.iter();
        let of_traits = of_traits.map(|key| (key.name.clone(), key.pointer.to_string()));
        Self {
            envelope: document.envelope,
            unmet: named.chain(of_traits).collect(),
            keys,
            times: Times::Mapped(document.time.moments.clone()),
            root: document.shape.root.clone(),
            traits,
            has_times: false,
        }
    }

    /// Keys that no record has met, with what they look for.
    pub fn unmet(&self) -> &BTreeMap<String, String> {
        &self.unmet
    }

    /// Looks at a record.
    pub fn look(&mut self, record: &Record<'_>) -> Sight {
        let Ok(Opened::Content(content)) = self.envelope.open(record, DEPTH) else {
            return Sight::default();
        };
        if let Some(root) = self.root.find(&content.row) {
            self.meet(root, &[Stage::Raw]);
        }
        let mut sight = Sight {
            times: content
                .at
                .map(|at| ("envelope".to_owned(), at))
                .into_iter()
                .collect(),
            has_time: content.at.is_some(),
        };
        let view = view(&content, record);
        for key in &self.keys {
            let values = key
                .places
                .iter()
                .filter_map(|place| Some((place, place.find(view)?)));
            for (place, value) in values.filter(|(_, value)| !value.is_null()) {
                self.unmet.remove(&key.name);
                let at = self.times.read(value).filter(|_| key.role != Role::Other);
                sight.has_time |= at.is_some() && key.role == Role::Time;
                sight.times.extend(at.map(|at| (place.to_string(), at)));
            }
        }
        sight.times.extend(self.own_times(&content.row));
        sight
    }

    /// Of Roster's own format: the times of single traits, whatever they are called.
    fn own_times(&self, row: &Value) -> Vec<(String, Timestamp)> {
        let times = row.get("times").filter(|_| self.has_times);
        let times = times.and_then(Value::as_object).into_iter().flatten();
        let read = times.filter_map(|(name, value)| {
            let at = self.times.read(value.clone())?;
            Some((format!("/times/{name}"), at))
        });
        read.collect()
    }

    /// Looks at traits as they are written; tells the times among them.
    pub fn look_at_traits(&mut self, traits: &Value) -> Vec<(String, Timestamp)> {
        self.meet(traits, &[Stage::Done, Stage::DoneAsTime]);
        let times = self
            .traits
            .iter()
            .filter(|key| key.stage == Stage::DoneAsTime);
        let times = times.filter_map(|key| {
            let at = Timestamp::parse(key.pointer.find(traits)?.as_str()?)?;
            Some((format!("trait {}", key.pointer), at))
        });
        times.collect()
    }

    /// A trait that did not convert was there, though it is left out.
    pub fn meet_unconverted(&mut self, pointer: &str) {
        for key in &self.traits {
            if key.pointer.to_string() == pointer {
                self.unmet.remove(&key.name);
            }
        }
    }

    fn meet(&mut self, root: &Value, stages: &[Stage]) {
        for key in self.traits.iter().filter(|key| stages.contains(&key.stage)) {
            if key.pointer.find(root).is_some() {
                self.unmet.remove(&key.name);
            }
        }
    }
}

impl Key {
    fn shown(&self) -> String {
        let places: Vec<String> = self.places.iter().map(Place::to_string).collect();
        places.join(", ")
    }
}

impl Times {
    fn read(&self, value: Value) -> Option<Timestamp> {
        match (self, value) {
            (Self::Mapped(moments), value) => moments.read(&extended::plain(value)),
            (Self::OfCalls, Value::String(text)) => Timestamp::parse(&text),
            (Self::OfCalls, Value::Number(number)) => Timestamp::from_epoch(number.as_f64()?),
            (Self::OfCalls, _) => None,
        }
    }
}

fn key(name: &str, places: &[Place], role: Role) -> Key {
    Key {
        name: name.to_owned(),
        places: places.to_vec(),
        role,
    }
}

/// The keys that name places of records; the places of one key stand for each other.
fn keys(document: &Document) -> Vec<Key> {
    let (time, delete) = (&document.time, &document.delete);
    let identities = document.identities.0.iter();
    let identities =
        identities.map(|(kind, places)| key(&format!("[identities] {kind}"), places, Role::Other));
    let own = [
        key("[time] at", &time.at, Role::Time),
        key("[time] sequence", &time.sequence, Role::Other),
        key("[delete] mark", &delete.mark, Role::Other),
        key("[delete] at", &delete.at, Role::Time),
    ];
    let traits = time.traits.iter().map(|(name, place)| {
        let name = format!("[time.traits] {name}");
        key(&name, std::slice::from_ref(place), Role::TimeOfTrait)
    });
    let group = document.group.iter();
    let group = group.map(|group| key("[group] id", std::slice::from_ref(&group.id), Role::Other));
    let event = document.event.iter().flat_map(EventAt::places);
    let event = event.map(|place| {
        key(
            &format!("[event] {place}"),
            std::slice::from_ref(place),
            Role::Other,
        )
    });
    let all = identities
        .chain(own)
        .chain(traits)
        .chain(group)
        .chain(event);
    all.filter(|key| !key.places.is_empty()).collect()
}

/// What is said about traits by name. Where names with dots are taken apart, what comes has not yet the names of the file.
fn of_traits(shape: &Shape) -> Vec<Named> {
    let named = |key: &str, pointer: &Pointer, stage| Named {
        name: format!("{key} {pointer}"),
        pointer: pointer.clone(),
        stage,
    };
    let drop = shape.drop.iter();
    let drop = drop.map(|pointer| named("[traits] drop", pointer, Stage::Raw));
    let rename = shape.rename.iter().filter(|_| shape.dots == Dots::Keep);
    let rename = rename.map(|(from, _)| named("[traits.rename]", from, Stage::Raw));
    let types = shape.types.iter().map(|(pointer, kind)| match kind {
        Kind::Time(_) => named("[traits.types]", pointer, Stage::DoneAsTime),
        _ => named("[traits.types]", pointer, Stage::Done),
    });
    drop.chain(rename).chain(types).collect()
}
