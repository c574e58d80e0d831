//! The names of a person within their document.

use super::beneath::texts;
use super::place::Pointer;
use super::reverse::{Person, Reverse, Shared, in_row, values};
use crate::domain::Kinds;
use serde_json::Value;

impl Reverse {
    /// With what the project says about identities: names are compared as it does.
    #[must_use]
    pub fn with_kinds(self, kinds: Kinds) -> Self {
        Self { kinds, ..self }
    }

    /// True of a kind whose names stand where a trait is read from too.
    pub fn is_trait_too(&self, kind: &str) -> bool {
        self.shared.iter().any(|shared| shared.kind == kind)
    }

    /// The places of names that traits are read from too.
    pub(super) fn shared_places(&self) -> Vec<Shared> {
        let shared = self.name_places().filter_map(|(kind, place)| {
            Some(Shared {
                kind: kind.to_owned(),
                place: place.clone(),
                its_trait: self.document.shape.trait_at(place)?,
            })
        });
        shared.collect()
    }

    /// A place that names the person already stays as it is.
    pub(super) fn put_names(&self, person: &Person, row: &mut Value) {
        for (kind, places) in &self.document.identities.0 {
            let own = values(person, kind);
            let place = places.iter().find_map(in_row);
            let Some(place) = place.filter(|_| !own.is_empty()) else {
                continue;
            };
            let there = texts(place.find(row));
            let is_named = !there.is_empty() && self.are_own(kind, &own, &there);
            if !is_named && !self.is_told(person, kind, place) {
                place.put(row, one_or_all(&own));
            }
        }
    }

    /// Takes names out of a document that are not the person's.
    pub(super) fn forget_others(&self, person: &Person, row: &mut Value) {
        for (kind, place) in self.name_places() {
            let own = values(person, kind);
            let is_own = self.are_own(kind, &own, &texts(place.find(row)));
            if !is_own && !self.is_told(person, kind, place) {
                place.take(row);
            }
        }
    }

    /// True where a trait of the person tells what stands at a place of names, though that may be somebody else's. What decides whom
    /// the document is about is theirs, whatever a trait says: its id, and what is as strong.
    fn is_told(&self, person: &Person, kind: &str, place: &Pointer) -> bool {
        let is_it = |shared: &&Shared| shared.kind == kind && shared.place == *place;
        let shared = self.shared.iter().find(is_it);
        let mut kinds = self.document.identities.0.iter().map(|(kind, _)| kind);
        shared.is_some_and(|shared| person.traits.contains_key(&shared.its_trait))
            && kinds.any(|kind| *kind == self.kind)
            && self.kinds.strength_of(kind) < self.kinds.strength_of(&self.kind)
    }

    fn are_own(&self, kind: &str, own: &[&str], names: &[String]) -> bool {
        let mut names = names.iter().map(|name| self.kinds.identity(kind, name));
        names.all(|name| own.contains(&name.value.as_str()))
    }
}

fn one_or_all(own: &[&str]) -> Value {
    match own {
        [one] => (*one).into(),
        all => all.into(),
    }
}
