//! A mapping in reverse: what Roster knows of a person as a document of the legacy store.
//!
//! What the mapping reads is written back where it reads it from, in the spelling that the document has where that says the same. What
//! it drops stays as it is in the document that is there. Reading the document gives back all that the mapping maps: `laws_*` below.

use super::document::Document;
use super::envelope::Envelope;
use super::kind::Kind;
use super::place::{Place, Pointer, View};
use super::shape::{Dots, Shape};
use super::{Form, Mapping, Reading, Record};
use crate::domain::{Gate, Kinds, Rejection, Timestamp};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How deep JSON within a text may be nested.
const DEPTH: usize = 100;

/// What a document is made of.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// Kinds and values, the name known longest first.
    pub identities: Vec<(String, String)>,
    /// What was stated, with its time; `null` where a trait was removed.
    pub traits: BTreeMap<String, (Timestamp, Value)>,
    /// What was stated before that is gone, by a whole document or an erasure.
    pub floor: Option<Timestamp>,
}

/// A mapping in reverse.
#[derive(Clone, Debug)]
pub struct Reverse {
    pub(super) document: Document,
    pub(super) kind: String,
    pub(super) kinds: Kinds,
    pub(super) shared: Vec<Shared>,
}

/// A place of a name that a trait is read from too.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) kind: String,
    pub(super) place: Pointer,
    pub(super) its_trait: String,
}

impl Mapping {
    /// The mapping in reverse. `kind` is the identity that is a document's id, where the mapping does not say it.
    ///
    /// # Errors
    /// Why documents can't be made by it.
    pub fn reverse(&self, kind: Option<&str>) -> Result<Reverse, String> {
        let Form::Document(document) = &self.form else {
            return Err(
                "the mapping reads no documents: there is nothing to write back".to_owned(),
            );
        };
        if document.envelope == Envelope::Debezium {
            return Err("the mapping reads change records, not documents of an index".to_owned());
        }
        if document.event.is_some() {
            return Err("the mapping reads events, not only documents of people".to_owned());
        }
        if self.project.is_some() {
            return Err("the mapping reads people of many projects".to_owned());
        }
        let id = Place::Record(Pointer::parse("/_id").unwrap_or_default());
        let says = |places: &[Place]| places.contains(&id);
        let own = document.identities.0.iter();
        let own = own.filter(|(_, places)| says(places)).map(|(kind, _)| kind);
        let kind = kind.or(own.map(String::as_str).next());
        let untold = || {
            "the mapping does not say which identity is a document's _id: name it as document_kind"
                .to_owned()
        };
        let reverse = Reverse {
            document: (**document).clone(),
            kind: kind.ok_or_else(untold)?.to_owned(),
            kinds: Kinds::default(),
            shared: Vec::new(),
        };
        Ok(Reverse {
            shared: reverse.shared_places(),
            ..reverse
        })
    }
}

impl Reverse {
    /// The kind of identity that is the id of a document.
    pub fn document_kind(&self) -> &str {
        &self.kind
    }

    /// True where documents may say that they are deleted.
    pub fn marks_deletions(&self) -> bool {
        !self.document.delete.mark.is_empty()
    }

    /// The ids that a person's document may have: the first keeps it, the others are to go.
    pub fn ids<'p>(&self, person: &'p Person) -> Vec<&'p str> {
        values(person, &self.kind)
    }

    /// Reads a document as the store gives it back by its id: `_id`, `_index`, `_source`. `source` is what stands in `_source`. What has
    /// no time counts as older than all that has one.
    ///
    /// # Errors
    /// Why the mapping can't take it.
    pub fn read(&self, hit: &Bytes, source: &Bytes, gate: &Gate<'_>) -> Result<Reading, Rejection> {
        let value = match self.document.envelope {
            Envelope::Elasticsearch => hit,
            _ => source,
        };
        let record = Record {
            key: None,
            value: Some(value),
            headers: &[],
            at: None,
            from: None,
        };
        self.document.read(&record, gate, Timestamp::MIN)
    }

    /// The document of a person, with what is there laid under it. Before all of the legacy store was taken in, the person is not
    /// whole: what is not known of them stays. Afterwards nothing names them by what is not theirs.
    pub fn document_of(&self, person: &Person, old: Option<&Value>, is_whole: bool) -> Value {
        let shape = &self.document.shape;
        let old_row = old.and_then(Value::as_object).cloned().unwrap_or_default();
        let mut old_row = Value::Object(old_row);
        if is_whole {
            self.forget_others(person, &mut old_row);
        }
        let old_root = shape.root.find(&old_row).and_then(Value::as_object);
        let old_root = old_root.cloned().unwrap_or_default();
        let traits = traits(shape, person, (!is_whole).then(|| old_root.clone()));
        let known = (!is_whole).then_some(&person.traits);
        let mut root = unshaped(shape, traits, &old_root, known);
        keep_unread(shape, &old_root, &mut root);
        let mut row = if shape.root == Pointer::default() {
            root
        } else {
            let mut row = old_row.clone();
            shape.root.put(&mut row, root);
            row
        };
        self.put_names(person, &mut row);
        self.put_times(person, &old_row, &mut row);
        self.unmark(&mut row);
        row
    }

    /// A document as the value of a record that the mapping reads, under the id as its key.
    pub fn record_of(&self, id: &str, version: i64, document: Value) -> Value {
        match self.document.envelope {
            Envelope::Elasticsearch => {
                json!({"_id": id, "_version": version, "_source": document})
            }
            _ => document,
        }
    }

    fn put_times(&self, person: &Person, old: &Value, row: &mut Value) {
        let time = &self.document.time;
        let newest = person.traits.values().map(|(at, _)| *at).max();
        let of_all = time.at.iter().find_map(in_row).zip(newest);
        let of_traits = time.traits.iter().filter_map(|(name, place)| {
            let (at, _) = person.traits.get(name)?;
            Some((in_row(place)?, *at))
        });
        for (place, at) in of_all.into_iter().chain(of_traits) {
            let there = place.find(old);
            let known = there.and_then(|value| time.moments.read(value));
            let value = match there.filter(|_| known.is_some_and(|known| known >= at)) {
                Some(value) => value.clone(),
                None => time.moments.write_cut(at),
            };
            place.put(row, value);
        }
    }

    /// Who is there is not deleted.
    fn unmark(&self, row: &mut Value) {
        for place in &self.document.delete.mark {
            let view = View {
                row,
                record: &Value::Null,
                key: None,
                headers: &[],
            };
            if self.document.marks(view)
                && let Some(pointer) = in_row(place)
            {
                pointer.take(row);
            }
        }
    }
}

pub(super) fn in_row(place: &Place) -> Option<&Pointer> {
    match place {
        Place::Row(pointer) => Some(pointer),
        _ => None,
    }
}

pub(super) fn values<'p>(person: &'p Person, kind: &str) -> Vec<&'p str> {
    let own = person.identities.iter().filter(|(own, _)| own == kind);
    own.map(|(_, value)| value.as_str()).collect()
}

impl Shape {
    /// The trait that a text at a place of a row is read as, if it would be written back there.
    pub(super) fn trait_at(&self, place: &Pointer) -> Option<String> {
        let shape = Shape {
            types: Vec::new(),
            ..bare(self)
        };
        let (mut row, mut again) = (json!({}), json!({}));
        place.put(&mut row, json!("a text"));
        let root = self.root.find(&row)?.as_object()?.clone();
        let traits = shape.apply(root, false, DEPTH, &mut Vec::new()).traits;
        let name = traits.keys().next()?.clone();
        let root = unshaped(&shape, traits, &Map::new(), None);
        self.root.put(&mut again, root);
        (again == row).then_some(name)
    }
}

/// What the person has; over what the document says where they are not whole.
fn traits(shape: &Shape, person: &Person, under: Option<Map<String, Value>>) -> Map<String, Value> {
    let bare = bare(shape);
    let under = under.map(|root| bare.apply(root, false, DEPTH, &mut Vec::new()).traits);
    let mut traits = under.unwrap_or_default();
    for (name, (_, value)) in &person.traits {
        if value.is_null() && !shape.defaults.contains_key(name) {
            traits.remove(name);
        } else {
            // A null stands where the mapping would give what is missing a value.
            traits.insert(name.clone(), value.clone());
        }
    }
    traits
}

/// What reads a document without making up or leaving out anything.
fn bare(shape: &Shape) -> Shape {
    Shape {
        defaults: Map::new(),
        placeholders: Vec::new(),
        ..shape.clone()
    }
}

/// The way of `Shape::apply`, from its end to its beginning. What the mapping could not convert stays as it is, but for what is known
/// better (`known`; `None` where all is).
fn unshaped(
    shape: &Shape,
    traits: Map<String, Value>,
    old_root: &Map<String, Value>,
    known: Option<&BTreeMap<String, (Timestamp, Value)>>,
) -> Value {
    let read = old_root.iter().filter(|(name, _)| shape.is_chosen(name));
    let read = read.map(|(name, value)| (name.clone(), value.clone()));
    let old = Value::Object(shape.with_dots(Value::Object(read.collect()), &mut Vec::new()));
    let mut root = Value::Object(traits);
    for (pointer, kind) in &shape.types {
        let renamed = shape.rename.iter().find(|(_, to)| to == pointer);
        let there = renamed.and_then(|(from, _)| from.find(&old));
        let there = there.or_else(|| pointer.find(&old));
        if let Some(value) = pointer.find_mut(&mut root) {
            *value = spelled(kind, value.take(), there);
        } else if let Some(there) = there
            && known
                .is_some_and(|known| !pointer.first().is_some_and(|own| known.contains_key(own)))
            && kind.convert(there.clone(), DEPTH).is_none()
        {
            pointer.put(&mut root, there.clone());
        }
    }
    rename_back(shape, &old, known.is_none(), &mut root);
    let root = match root {
        Value::Object(members) if shape.dots == Dots::Flatten => nested(members),
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let kept = root.into_iter();
    let kept = kept.filter(|(name, _)| !shape.is_dropped(name) && shape.is_chosen(name));
    Value::Object(kept.collect())
}

/// What stands under its new name in the document already stays there. What the old name hides there is nothing that Roster can know,
/// so that it stays too until all is known.
fn rename_back(shape: &Shape, old: &Value, is_whole: bool, root: &mut Value) {
    if shape.rename.is_empty() {
        return;
    }
    let mut rest = old.clone();
    for (from, _) in &shape.rename {
        from.take(&mut rest);
    }
    let stays = |from: &Pointer, to: &Pointer, root: &Value| {
        let is_new = from.find(old).is_none() && from.find(root).is_none();
        is_new && to.find(&rest).is_some()
    };
    let moved = shape.rename.iter();
    let moved: Vec<_> = moved.filter(|(from, to)| !stays(from, to, root)).collect();
    // All are taken before any is put, so that two may change places.
    let taken: Vec<_> = moved
        .into_iter()
        .filter_map(|(from, to)| Some((from, to, to.take(root)?)))
        .collect();
    for (from, to, value) in taken {
        if !from.put(root, value.clone()) {
            to.put(root, value);
        } else if let Some(hidden) = to.find(&rest).filter(|_| !is_whole) {
            to.put_new(root, hidden.clone());
        }
    }
}

/// A name of which a part is a name of its own stays as it is, or one would hide the other.
fn nested(flat: Map<String, Value>) -> Map<String, Value> {
    let is_name = |part: &str| flat.contains_key(part);
    let mut root = Map::new();
    for (name, value) in &flat {
        let has_name_in_it = name.match_indices('.').any(|(at, _)| is_name(&name[..at]));
        if has_name_in_it || !super::shape::insert(&mut root, name, value.clone()) {
            root.insert(name.clone(), value.clone());
        }
    }
    root
}

/// What the mapping drops or does not choose is not Roster's to change.
fn keep_unread(shape: &Shape, old_root: &Map<String, Value>, root: &mut Value) {
    let old = Value::Object(old_root.clone());
    for pointer in &shape.drop {
        pointer.take(root);
        if let Some(value) = pointer.find(&old) {
            pointer.put_within(root, value.clone());
        }
    }
    let Some(root) = root.as_object_mut() else {
        return;
    };
    for (name, value) in old_root {
        if shape.is_dropped(name) || !shape.is_chosen(name) {
            root.insert(name.clone(), value.clone());
        }
    }
}

/// A value in the spelling of the document: as it stands there, where that reads the same.
fn spelled(kind: &Kind, value: Value, there: Option<&Value>) -> Value {
    if let Some(there) = there
        && kind.convert(there.clone(), DEPTH).as_ref() == Some(&value)
    {
        return there.clone();
    }
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        (Kind::JsonText | Kind::Json, value) => Value::String(value.to_string()),
        (Kind::Time(_), Value::Array(elements)) => {
            let elements = elements.into_iter();
            Value::Array(
                elements
                    .map(|element| spelled(kind, element, None))
                    .collect(),
            )
        }
        (Kind::Time(moments), Value::String(text)) => {
            let at = Timestamp::parse(&text);
            at.map_or(Value::String(text), |at| moments.write(at))
        }
        (_, value) => value,
    }
}

#[cfg(test)]
#[path = "reverse_tests.rs"]
mod reverse_tests;
