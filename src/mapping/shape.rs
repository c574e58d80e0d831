//! From the row of a record to traits: what is dropped, moved, typed, added, and what is left alone.

use super::cell;
use super::extended;
use super::kind::Kind;
use super::place::Pointer;
use crate::domain::{Code, Rejection, Warning};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ptr;

/// Levels that dots in names come to: more than `limits.depth` can be, so that what has as many is refused.
const MOST_LEVELS: usize = 128;

/// Bytes of names without levels: many times what a person can have.
const MOST_NAMES: usize = 4 << 20;

/// What a mapping says about traits.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub root: Pointer,
    /// The traits are all there are: what a record lacks is gone as of its time.
    pub whole: bool,
    pub drop: Vec<Pointer>,
    /// Traits whose names begin so are dropped.
    pub drop_prefixes: Vec<String>,
    pub rename: Vec<(Pointer, Pointer)>,
    pub types: Vec<(Pointer, Kind)>,
    /// Typed values of MongoDB become plain ones.
    pub extended_json: bool,
    pub dots: Dots,
    pub defaults: Map<String, Value>,
    /// Values that mean: unchanged, and not repeated here.
    pub placeholders: Vec<String>,
    pub chosen: Chosen,
    /// A record with a value that does not convert is refused whole.
    pub is_strict: bool,
}

/// Which members are traits, where not all are.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// As the mapping says it; `*` is whatever has no other meaning.
    pub only: Option<Vec<String>>,
    /// What is named among the types or renamed is a trait too.
    pub named: Vec<String>,
    /// Members that have another meaning.
    pub other: Vec<String>,
    /// Members that begin so are an event's.
    pub prefix: Option<String>,
    /// Records are events: what is not named is none of the person's.
    pub is_event: bool,
}

impl Chosen {
    /// True where only some are: of a row the columns that are asked for.
    fn is_choice(&self, is_row: bool) -> bool {
        self.only.is_some() || self.is_event || is_row
    }

    fn has(&self, name: &str) -> bool {
        let only = self.only.iter().flatten();
        let is_events = self
            .prefix
            .as_deref()
            .is_some_and(|prefix| name.starts_with(prefix));
        let has_meaning = is_events || self.other.iter().any(|own| own == name);
        let is_only = |own: &String| own == name || (own == "*" && !has_meaning);
        self.named.iter().any(|own| own == name) || only.into_iter().any(is_only)
    }
}

/// What becomes of dots in names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dots {
    #[default]
    Keep,
    /// `{"a.b": 1}` becomes `{"a": {"b": 1}}`.
    Expand,
    /// `{"a": {"b": 1}}` becomes `{"a.b": 1}`.
    Flatten,
}

/// The traits of one record.
#[derive(Debug)]
pub struct Shaped {
    pub traits: Map<String, Value>,
    /// Something of the person is not repeated in this record, so that it is not the whole, whatever the mapping says.
    pub has_unchanged: bool,
    /// Why the record is refused, where it is.
    pub refused: Option<Rejection>,
}

/// What becomes of a value that does not convert.
pub enum Bad {
    LeftOut(Warning),
    Refused(Rejection),
}

impl Shape {
    /// Shapes an object.
    pub fn apply(
        &self,
        mut row: Map<String, Value>,
        is_row: bool,
        depth: usize,
        warnings: &mut Vec<Warning>,
    ) -> Shaped {
        if self.chosen.is_choice(is_row) {
            row.retain(|name, _| self.chosen.has(name));
        }
        let mut root = Value::Object(row);
        for pointer in &self.drop {
            pointer.take(&mut root);
        }
        if self.extended_json {
            root = extended::plain(root);
        }
        let mut traits = self.with_dots(root, warnings);
        traits.retain(|name, _| !self.is_dropped(name));
        let mut root = self.renamed(Value::Object(traits), warnings);
        let has_unchanged = self.without_unchanged(&mut root, warnings);
        if is_row {
            self.note_damage(&root, warnings);
        }
        let mut refused = None;
        for (pointer, kind) in &self.types {
            match typed(pointer, kind, &mut root, depth) {
                Some(Bad::LeftOut(warning)) if self.is_strict => {
                    refused.get_or_insert_with(|| refusal(&warning.field, warning.message.clone()));
                }
                Some(Bad::LeftOut(warning)) => warnings.push(warning),
                Some(Bad::Refused(rejection)) => _ = refused.get_or_insert(rejection),
                None => {}
            }
        }
        let mut traits = object(root);
        for (name, value) in &self.defaults {
            traits.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Shaped {
            traits,
            has_unchanged,
            refused,
        }
    }

    /// True for members of a document that may be traits.
    pub fn is_chosen(&self, name: &str) -> bool {
        !self.chosen.is_choice(false) || self.chosen.has(name)
    }

    /// True for names that begin as those that are left out.
    pub fn is_dropped(&self, name: &str) -> bool {
        self.drop_prefixes
            .iter()
            .any(|prefix| name.starts_with(prefix))
    }

    /// The object with its dots as the mapping wants them.
    pub fn with_dots(&self, root: Value, warnings: &mut Vec<Warning>) -> Map<String, Value> {
        match self.dots {
            Dots::Keep => object(root),
            Dots::Expand => expanded(object(root), MOST_LEVELS, warnings),
            Dots::Flatten => {
                let mut flat = Flat::default();
                flat.take("", object(root), warnings);
                flat.members
            }
        }
    }

    fn renamed(&self, mut root: Value, warnings: &mut Vec<Warning>) -> Value {
        // All are taken before any is put, so that two may change places.
        let taken = self.rename.iter();
        let taken: Vec<_> = taken
            .filter_map(|(from, to)| Some((to, from.take(&mut root)?)))
            .collect();
        for (to, value) in taken {
            if !to.put(&mut root, value) {
                let message = "something that is no object stands in the way of this name";
                warnings.push(Warning::of("name_conflict", to.to_string(), message));
            }
        }
        root
    }

    /// A trait that holds a placeholder anywhere is left out whole, since it is written whole.
    fn without_unchanged(&self, root: &mut Value, warnings: &mut Vec<Warning>) -> bool {
        let Some(traits) = root
            .as_object_mut()
            .filter(|_| !self.placeholders.is_empty())
        else {
            return false;
        };
        let before = traits.len();
        traits.retain(|name, value| {
            let is_known = !self.holds_placeholder(value);
            if !is_known {
                let message = "unchanged, and not repeated in the record: it is left alone";
                warnings.push(Warning::of("unchanged", name.clone(), message));
            }
            is_known
        });
        traits.len() < before
    }

    /// Where each digit counts, as it does not where a mapping says that there are numbers.
    fn note_damage(&self, root: &Value, warnings: &mut Vec<Warning>) {
        let has_digits = |value: &Value| {
            let is_it =
                |own: &&(Pointer, Kind)| own.0.find(root).is_some_and(|at| ptr::eq(at, value));
            let typed = self.types.iter().find(is_it);
            typed.is_none_or(|(_, kind)| matches!(kind, Kind::Text | Kind::Integer))
        };
        for (name, value) in root.as_object().into_iter().flatten() {
            let damage = cell::damage(name, value);
            warnings.extend(damage.filter(|_| has_digits(value)));
        }
    }

    fn holds_placeholder(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.placeholders.iter().any(|own| own == text),
            Value::Array(elements) => elements.iter().any(|value| self.holds_placeholder(value)),
            Value::Object(members) => members.values().any(|value| self.holds_placeholder(value)),
            _ => false,
        }
    }
}

/// Converts the value at a place; tells what becomes of one that does not convert, and takes it out.
pub fn typed(pointer: &Pointer, kind: &Kind, root: &mut Value, depth: usize) -> Option<Bad> {
    let value = pointer.find_mut(root)?;
    if let Some(converted) = kind.convert(value.take(), depth) {
        *value = converted;
        return None;
    }
    pointer.take(root);
    let field = pointer.to_string();
    if matches!(kind, Kind::Json) {
        return Some(Bad::Refused(refusal(&field, "it is no JSON")));
    }
    let message = format!("it does not read as {}: it is left out", kind.as_str());
    Some(Bad::LeftOut(Warning::of("not_converted", field, message)))
}

fn refusal(field: &str, message: impl Into<String>) -> Rejection {
    Rejection::of(Code::InvalidField, field, message)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// What is written nested wins over what is written with dots. Names are taken apart at so many dots at most: deeper trees can't be walked,
/// and less deep ones are refused already.
fn expanded(
    members: Map<String, Value>,
    most: usize,
    warnings: &mut Vec<Warning>,
) -> Map<String, Value> {
    let (dotted, nested): (BTreeMap<_, _>, BTreeMap<_, _>) = members
        .into_iter()
        .partition(|(name, _)| has_inner_dot(name));
    let nested = nested.into_iter();
    let mut root: Map<String, Value> = nested
        .map(|(name, value)| {
            (
                name,
                expanded_value(value, most.saturating_sub(1), warnings),
            )
        })
        .collect();
    for (name, value) in dotted {
        let name = unreserved(name);
        let parts = name.split('.').count();
        let value = expanded_value(value, most.saturating_sub(parts), warnings);
        if !insert_within(&mut root, &name, value, most) {
            let message = "written both nested and with a dot: the nested form is taken";
            warnings.push(Warning::of("name_conflict", name, message));
        }
    }
    root
}

/// Taken apart at its dots, no part of a name may mean something to our JSON library.
fn unreserved(name: String) -> String {
    name.replace("$serde_json::private::", "\u{fffd}serde_json::private::")
}

fn has_inner_dot(name: &str) -> bool {
    name.contains('.') && name.split('.').all(|part| !part.is_empty())
}

fn expanded_value(value: Value, most: usize, warnings: &mut Vec<Warning>) -> Value {
    match value {
        Value::Object(members) => Value::Object(expanded(members, most, warnings)),
        Value::Array(elements) => {
            let elements = elements.into_iter();
            Value::Array(
                elements
                    .map(|value| expanded_value(value, most, warnings))
                    .collect(),
            )
        }
        other => other,
    }
}

/// False where something is there already.
pub(super) fn insert(root: &mut Map<String, Value>, dotted: &str, value: Value) -> bool {
    insert_within(root, dotted, value, MOST_LEVELS)
}

/// The same, over so many levels at most: what is left of the name stays one.
fn insert_within(root: &mut Map<String, Value>, dotted: &str, value: Value, most: usize) -> bool {
    let Some((first, rest)) = dotted.split_once('.').filter(|_| most > 0) else {
        let is_new = !root.contains_key(dotted);
        if is_new {
            root.insert(dotted.to_owned(), value);
        }
        return is_new;
    };
    let empty = || Value::Object(Map::new());
    let below = root.entry(first.to_owned()).or_insert_with(empty);
    below
        .as_object_mut()
        .is_some_and(|below| insert_within(below, rest, value, most - 1))
}

/// What an object comes to without levels.
#[derive(Default)]
struct Flat {
    members: Map<String, Value>,
    /// Bytes of their names.
    bytes: usize,
}

impl Flat {
    /// Each name has those above it in front, so that a few long ones come to hundreds of megabytes: at the limit it ends.
    fn take(&mut self, prefix: &str, members: Map<String, Value>, warnings: &mut Vec<Warning>) {
        // Objects first, so that what is nested wins here too.
        let (objects, others): (Vec<_>, Vec<_>) = members
            .into_iter()
            .partition(|(_, value)| value.as_object().is_some_and(|inner| !inner.is_empty()));
        for (name, value) in objects {
            self.take(&format!("{prefix}{name}."), object(value), warnings);
        }
        for (name, value) in others {
            let name = format!("{prefix}{name}");
            if self.members.contains_key(&name) {
                let message = "written both nested and with a dot: the nested form is taken";
                warnings.push(Warning::of("name_conflict", name, message));
            } else if self.bytes > MOST_NAMES {
                let message = "the names before it have too many bytes without levels";
                warnings.push(Warning::of("names_too_long", String::new(), message));
                return;
            } else {
                self.bytes += name.len();
                self.members.insert(name, value);
            }
        }
    }
}
