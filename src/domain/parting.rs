//! Whose traits are whose when a person is taken apart: a fold over what each side is known to have said.
//!
//! What came from the side that goes is taken back, value by value and only with its very stamp, and what the other side had said
//! before shows again. What neither side is known to have said stays where it is, and is told.

use super::profile::{Room, Traits};
use super::stamped::{Stamped, Trait};
use super::{Json, Limits, Mode, Stamp, Timestamp, TraitWrite};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The name of the event of an `identify` whose traits are nobody's, since no token said who that is. No sender can give an `identify` a
/// name, so none can make the mark.
pub const UNSIGNED: &str = "unsigned";
/// Values of which is known that somebody said them, in one split.
const MOST_SAID: usize = 1_000_000;

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who goes.
    Taken,
    /// Who stays.
    Kept,
    /// It can't be told.
    Unknown,
}

/// Values with their stamps that somebody is known to have said, ever: of each a hash.
#[derive(Clone, Debug, Default)]
pub struct Said {
    values: HashSet<u64>,
    floors: BTreeSet<Stamp>,
}

impl Said {
    /// Adds all of some traits; of more than a million values no more are kept.
    pub fn add(&mut self, traits: &Traits) {
        self.floors.insert(traits.floor);
        for (name, known) in &traits.all {
            let below = known.below.iter().map(|(key, one)| (Some(&**key), one));
            for (key, one) in below.chain([(None, &known.whole)]) {
                if self.values.len() < MOST_SAID {
                    self.values.insert(hashed(name, key, one));
                }
            }
        }
    }

    /// What is left of a trait.
    fn rest(&self, name: &str, known: &Trait) -> Option<Trait> {
        known.without(|key, one| self.values.contains(&hashed(name, key, one)))
    }
}

fn hashed(name: &str, key: Option<&str>, one: &Stamped) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, key, one.at, one.value.canonical()).hash(&mut hasher);
    hasher.finish()
}

/// What is known of who said what.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    taken: Traits,
    /// All that the side that goes ever said: what it says now has replaced some of it.
    said: Said,
    kept: Traits,
    unknown: Vec<Traits>,
    /// Traits that one of the two lost when they were joined.
    lost: BTreeSet<String>,
}

/// The traits of both sides.
#[derive(Debug)]
pub struct Parted {
    pub taken: Traits,
    pub kept: Traits,
    /// Names of traits that went.
    pub moved: Vec<String>,
    /// Names of traits of which an older value shows again.
    pub restored: Vec<String>,
    /// Names of traits that nobody is known to have said: they stay.
    pub stayed: Vec<String>,
}

/// What an `identify` says, by its event: its properties are its traits. Nothing where nobody signed it.
pub fn stated(
    at: Timestamp,
    (name, properties): (Option<&str>, &Json),
    limits: &Limits,
) -> Option<TraitWrite> {
    if name == Some(UNSIGNED) {
        return None;
    }
    let traits = properties.members().unwrap_or_default().into_iter();
    let fits = |(_, value): &(String, Json)| value.as_bytes().len() <= limits.trait_bytes;
    Some(TraitWrite {
        stamp: Stamp::of(at, Stamp::LIVE),
        mode: Mode::Single,
        traits: traits.filter(fits).collect(),
        times: BTreeMap::new(),
    })
}

impl Traits {
    /// What a merge with another profile may replace: its undoing needs that.
    pub fn at_stake(&self, other: &Self) -> Self {
        let all = self.all.iter();
        let is_at_stake = |name: &String| other.floor > self.floor || other.all.contains_key(name);
        let all = all.filter(|(name, _)| is_at_stake(name));
        Self {
            all: all
                .map(|(name, known)| (name.clone(), known.clone()))
                .collect(),
            floor: self.floor,
        }
    }

    /// What is left without all that was said.
    pub fn without(&self, said: &Said) -> Self {
        let all = self.all.iter();
        let all = all.filter_map(|(name, known)| Some((name.clone(), said.rest(name, known)?)));
        let is_said = said.floors.contains(&self.floor);
        Self {
            all: all.collect(),
            floor: if is_said { Stamp::NEVER } else { self.floor },
        }
    }

    /// The names of all that are present.
    fn names(&self) -> impl Iterator<Item = &String> {
        let present = self.all.iter();
        present
            .filter(|(_, known)| !known.value().is_null())
            .map(|(name, _)| name)
    }

    /// True where something is known of a trait, if only that it was removed.
    pub fn says(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// Takes some traits as they are in another.
    pub fn take_from<'a>(&mut self, other: &Self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            if let Some(known) = other.all.get(name) {
                self.all.insert(name.clone(), known.clone());
            }
        }
    }

    /// The value of one; `null` where it is not there.
    pub fn value(&self, name: &str) -> Json {
        self.all.get(name).map_or_else(Json::null, Trait::value)
    }
}

impl Evidence {
    /// Somebody is known to have written this.
    pub fn wrote(&mut self, side: Side, write: &TraitWrite) {
        match side {
            Side::Taken => {
                let mut one = Traits::default();
                one.merge(write);
                self.had(side, one);
            }
            Side::Kept => drop(self.kept.merge(write)),
            Side::Unknown => {}
        }
    }

    /// Somebody is known to have written this, which must not be said again: who goes leaves it, and nobody gets it.
    pub fn wrote_in_vain(&mut self, side: Side, write: &TraitWrite) {
        if side == Side::Taken && !write.traits.is_empty() {
            let mut one = Traits::default();
            one.merge(write);
            self.said.add(&one);
        }
    }

    /// Somebody is known to have had these traits.
    pub fn had(&mut self, side: Side, traits: Traits) {
        match side {
            Side::Taken => {
                self.said.add(&traits);
                self.taken.absorb(&traits);
            }
            Side::Kept => self.kept.absorb(&traits),
            Side::Unknown => self.unknown.push(traits),
        }
    }

    /// These were at stake in the merge that is undone: they are looked at again, also where nobody took them back.
    pub fn lost(&mut self, traits: &Traits) {
        self.lost.extend(traits.all.keys().cloned());
    }

    /// All that the side that goes is known to have said.
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// Takes what there is now apart.
    pub fn part(mut self, present: &Traits, room: &Room) -> Parted {
        for unknown in &mut self.unknown {
            *unknown = unknown.without(&self.said);
        }
        let mut kept = self.remaining(present);
        kept.shrink(room);
        let is_older = |name: &&String| {
            let before = present.all.get(*name);
            before.map(Trait::value) != Some(kept.value(name))
        };
        let restored = kept.names().filter(is_older).cloned().collect();
        let is_nobodys = |name: &&String| {
            let known = self.said.rest(name, &present.all[*name]);
            let kept = self.kept.all.get(*name);
            let is_kept = |key: Option<&str>, one: &Stamped| {
                kept.is_some_and(|kept| match key {
                    Some(key) => kept.below.get(key) == Some(one),
                    None => kept.whole == *one,
                })
            };
            known.and_then(|known| known.without(is_kept)).is_some()
        };
        let stayed = present.names().filter(is_nobodys).cloned().collect();
        let mut taken = self.taken;
        taken.shrink(room);
        let moved = taken.names().cloned().collect();
        Parted {
            taken,
            kept,
            moved,
            restored,
            stayed,
        }
    }

    /// What is left where all that was taken back is gone and what stayed shows again.
    fn remaining(&self, present: &Traits) -> Traits {
        let is_lowered = present.floor != Stamp::NEVER
            && self.said.floors.contains(&present.floor)
            && present.floor != self.kept.floor;
        let floors = self.unknown.iter().map(|traits| traits.floor);
        let floor = if is_lowered {
            floors.fold(self.kept.floor, Stamp::max)
        } else {
            present.floor
        };
        let mut rest = Traits {
            floor,
            ..Traits::default()
        };
        let said = self.unknown.iter().chain([&self.kept]);
        let names: BTreeSet<&String> = said
            .flat_map(|traits| traits.all.keys())
            .chain(present.all.keys())
            .collect();
        for name in names {
            let known = present.all.get(name);
            let left = known.and_then(|known| self.said.rest(name, known));
            let is_touched = is_lowered || left.as_ref() != known || self.lost.contains(name);
            let said = self.unknown.iter().chain([&self.kept]);
            let said = said
                .filter_map(|traits| traits.all.get(name))
                .filter(|_| is_touched);
            for one in left.iter().chain(said) {
                rest.join(name, one);
            }
        }
        rest
    }
}

#[cfg(test)]
#[path = "parting_tests.rs"]
mod tests;
