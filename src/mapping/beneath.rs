//! What is laid under the document of a person: documents that are there, without what may not stay in them.

use super::names;
use super::place::Pointer;
use super::reverse::{Reverse, in_row};
use crate::domain::Timestamp;
use serde_json::{Map, Value};

impl Reverse {
    /// Of the documents of one person's ids one, in which nothing of any is lost: what is newer lies over what is older, and over that of
    /// its time what stands in the first. Which id it is stays as the first says it.
    pub fn together(&self, first: Option<Value>, others: Vec<Value>) -> Option<Value> {
        let others = others.into_iter().map(|other| self.without_id(other));
        let mut all: Vec<Value> = others.chain(first).collect();
        all.sort_by_key(|row| self.time_of(row));
        all.into_iter()
            .reduce(|under, over| self.laid(&under, &over))
    }

    fn without_id(&self, mut row: Value) -> Value {
        let places = self.name_places();
        for (_, place) in places.filter(|(kind, _)| *kind == self.document_kind()) {
            place.take(&mut row);
        }
        row
    }

    fn time_of(&self, row: &Value) -> Option<Timestamp> {
        let time = &self.document.time;
        let mut places = time.at.iter().filter_map(in_row);
        places.find_map(|place| time.moments.read(place.find(row)?))
    }

    fn laid(&self, under: &Value, over: &Value) -> Value {
        let root = &self.document.shape.root;
        let traits = members(root.find(under), root.find(over));
        let mut row = members(Some(under), Some(over));
        root.put(&mut row, traits);
        for (kind, place) in self.name_places() {
            let is_one = |one: &str, other: &str| {
                self.kinds.identity(kind, one) == self.kinds.identity(kind, other)
            };
            if let Some(all) = both(place.find(under), place.find(over), is_one) {
                place.put(&mut row, all);
            }
        }
        row
    }

    pub(super) fn name_places(&self) -> impl Iterator<Item = (&str, &Pointer)> {
        let kinds = self.document.identities.0.iter();
        kinds.flat_map(|(kind, places)| {
            let places = places.iter().filter_map(in_row);
            places.map(move |place| (kind.as_str(), place))
        })
    }
}

fn members(under: Option<&Value>, over: Option<&Value>) -> Value {
    let both = [under, over].into_iter().flatten();
    let both = both.filter_map(Value::as_object).flatten();
    let own = |(name, value): (&String, &Value)| (name.clone(), value.clone());
    Value::Object(both.map(own).collect::<Map<_, _>>())
}

pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    names::texts(value.cloned().unwrap_or_default()).0
}

/// The names of two documents, where there are several: neither may hide what the other one has.
fn both(
    one: Option<&Value>,
    other: Option<&Value>,
    is_one: impl Fn(&str, &str) -> bool,
) -> Option<Value> {
    let (mut all, others) = (texts(one), texts(other));
    for name in others {
        if !all.iter().any(|own| is_one(own, &name)) {
            all.push(name);
        }
    }
    (all.len() > 1).then(|| all.into())
}
