//! A profile's traits, and the merge that makes them converge.
//!
//! Every trait carries the time at which it was true. The newest wins, trait by trait; at equal times the larger canonical
//! value wins, on every node alike (`stamped.rs`). So the merge commutes, associates and may be repeated: `laws_*` below.

use super::elements::are_elements;
use super::stamped::{Stamped, Trait};
use super::{Code, Json, Limits, Mode, Rejection, Stamp, Timestamp, TraitWrite};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// How large a profile may grow.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub identities: usize,
    /// Removed ones too: each keeps its time.
    pub traits: usize,
    /// Of the traits with their names.
    pub bytes: usize,
    /// That it gets by itself.
    pub emails: usize,
    /// People that it takes in by itself, through names that are no user ids.
    pub absorbed: usize,
}

impl Room {
    /// What the settings say.
    pub fn of(limits: &Limits) -> Self {
        Self {
            identities: limits.profile_identities,
            traits: limits.profile_traits,
            bytes: limits.profile_bytes,
            emails: limits.profile_emails,
            absorbed: limits.profile_absorbed,
        }
    }
}

/// The traits of a profile with their stamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traits {
    pub(super) all: BTreeMap<String, Trait>,
    /// The time of the newest whole document: what is older is gone, and what comes later but is older stays out. What was stated
    /// at the very time stays, so that of two documents of one time no trait is lost.
    pub(super) floor: Stamp,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            floor: Stamp::NEVER,
        }
    }
}

/// Stamps as they are stored: one time for all traits, and the exceptions. A removed trait is always an exception.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Stamps {
    /// Of every trait that is present and no exception.
    base: Stamp,
    /// The others' by trait.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    at: BTreeMap<String, Stamp>,
    /// Traits with keys that are newer than the whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    nested: BTreeMap<String, Nested>,
    /// Lists with elements that are newer than the whole. A version that does not know them reads and writes the list, and leaves their
    /// times out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lists: BTreeMap<String, Nested>,
    /// Of the newest whole document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    floor: Option<Stamp>,
}

/// The whole as it was written, since at equal times it is compared whole, and the times of the keys.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Nested {
    whole: Box<RawValue>,
    at: BTreeMap<String, Stamp>,
    /// What was written, where the value that is read does not show it: of a list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    written: BTreeMap<String, Box<RawValue>>,
}

/// Stored text that is no profile: somebody wrote past this program.
#[derive(Debug, thiserror::Error)]
#[error("a profile's traits or stamps are not what this program writes")]
pub struct Malformed;

impl Traits {
    /// Reads what `to_stored` wrote.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn from_stored(traits: &Json, stamps: &Json) -> Result<Self, Malformed> {
        let mut stamps: Stamps =
            serde_json::from_slice(stamps.as_bytes()).map_err(|_| Malformed)?;
        let mut all = BTreeMap::new();
        let mut at = |name: &String| stamps.at.remove(name).unwrap_or(stamps.base);
        let present = traits.each_member(|name, value| {
            let known = Trait::whole(at(&name), value);
            all.insert(name, known);
        });
        present.ok_or(Malformed)?;
        for (name, nested) in stamps.nested.into_iter().chain(stamps.lists) {
            let read = all.remove(&name);
            let read = read.unwrap_or_else(|| Trait::whole(at(&name), Json::null()));
            all.insert(name, nested.with(&read.whole));
        }
        let removed = |(name, at)| (name, Trait::whole(at, Json::null()));
        all.extend(stamps.at.into_iter().map(removed));
        let floor = stamps.floor.unwrap_or(Stamp::NEVER);
        Ok(Self { all, floor })
    }

    /// Each trait with the time at which it was stated; null where it was removed.
    pub fn stated(&self) -> BTreeMap<String, (Timestamp, Json)> {
        let stated = |(name, known): (&String, &Trait)| {
            let newest = known.below.values().map(|below| below.at.at).max();
            let at = newest.unwrap_or(i64::MIN).max(known.whole.at.at);
            let at = Timestamp::from_micros(at).unwrap_or(Timestamp::MIN);
            (name.clone(), (at, known.value()))
        };
        self.all.iter().map(stated).collect()
    }

    /// As of when a whole document, or an erasure, has taken away what is older.
    pub fn floor(&self) -> Option<Timestamp> {
        (self.floor != Stamp::NEVER)
            .then(|| Timestamp::from_micros(self.floor.at).unwrap_or(Timestamp::MIN))
    }

    /// The traits as an object, and their stamps.
    pub fn to_stored(&self) -> (Json, Json) {
        let values = self.all.iter();
        let values = values.map(|(name, known)| (name, known, known.value()));
        let (gone, present): (Vec<_>, Vec<_>) = values.partition(|(.., value)| value.is_null());
        let base = most_frequent(present.iter().map(|(_, known, _)| known.whole.at));
        let others = present
            .iter()
            .filter(|(_, known, _)| known.whole.at != base);
        let exceptions = gone.iter().chain(others);
        let below = self.all.iter().filter(|(_, known)| !known.below.is_empty());
        let (lists, nested) = below.partition(|(_, known)| known.is_list());
        let stored = |traits: Vec<(&String, &Trait)>| {
            let traits = traits.into_iter();
            traits
                .map(|(name, known)| (name.clone(), Nested::of(known)))
                .collect()
        };
        let stamps = Stamps {
            base,
            at: exceptions
                .map(|(name, known, _)| ((*name).clone(), known.whole.at))
                .collect(),
            nested: stored(nested),
            lists: stored(lists),
            floor: (self.floor != Stamp::NEVER).then_some(self.floor),
        };
        let present = present.iter().map(|(name, _, value)| (*name, value));
        (Json::of_members(present), Json::of(&stamps))
    }

    /// Takes over what is newer in another profile of the same person.
    pub fn absorb(&mut self, other: &Self) {
        self.raise(other.floor);
        for (name, incoming) in &other.all {
            self.join(name, incoming);
        }
    }

    /// Drops what was written longest ago until the rest fits into a profile; returns the names of what is gone.
    pub fn shrink(&mut self, room: &Room) -> Vec<String> {
        let (mut count, mut bytes) = (self.all.len(), self.bytes());
        if count <= room.traits && bytes <= room.bytes {
            return Vec::new();
        }
        let mut oldest: Vec<(Stamp, String)> = self
            .all
            .iter()
            .map(|(name, known)| (known.newest(), name.clone()))
            .collect();
        oldest.sort_unstable();
        let mut gone = Vec::new();
        for (_, name) in oldest {
            if count <= room.traits && bytes <= room.bytes {
                break;
            }
            let known = self.all.remove(&name);
            bytes -= name.len() + known.map_or(0, |known| known.bytes());
            count -= 1;
            gone.push(name);
        }
        gone
    }

    /// Takes over what is newer, unless the profile would grow beyond its room; tells whether anything changed.
    ///
    /// # Errors
    /// `ProfileTooLarge`. A profile that is too large already may still change and shrink.
    pub fn merge_within(&mut self, write: &TraitWrite, room: &Room) -> Result<bool, Rejection> {
        let stated = |(name, value): &(String, Json)| name.len() + value.as_bytes().len();
        let most = self.bytes() + write.traits.iter().map(stated).sum::<usize>();
        if self.all.len() + write.traits.len() <= room.traits && most <= room.bytes {
            return Ok(self.merge(write));
        }
        let before = self.clone();
        if !self.merge(write) {
            return Ok(false);
        }
        let (traits, bytes) = (self.all.len(), self.bytes());
        let refusal = if traits > before.all.len().max(room.traits) {
            too_large(traits, room.traits, "traits")
        } else if bytes > room.bytes && bytes > before.bytes() {
            too_large(bytes, room.bytes, "bytes of traits")
        } else {
            return Ok(true);
        };
        *self = before;
        Err(refusal)
    }

    fn bytes(&self) -> usize {
        let bytes = |(name, known): (&String, &Trait)| name.len() + known.bytes();
        self.all.iter().map(bytes).sum()
    }

    /// Takes over what is newer; tells whether anything changed.
    pub fn merge(&mut self, write: &TraitWrite) -> bool {
        let stamped = |name: &str, value: &Json| {
            let at = write.stamp_of(name);
            if write.mode == Mode::Nested || are_elements(value) {
                Trait::nested(at, value.clone())
            } else {
                Trait::whole(at, value.clone())
            }
        };
        let mut changed = write.mode == Mode::Document && self.raise(write.stamp);
        for (name, value) in &write.traits {
            changed |= self.join(name, &stamped(name, value));
        }
        changed
    }

    /// Erases what was true at a time or before; tells whether anything newer is left.
    pub fn erase_older(&mut self, at: Timestamp) -> bool {
        let next = Stamp {
            at: at.micros() + 1,
            sequence: i64::MIN,
        };
        self.raise(next);
        !self.all.is_empty() || self.floor > next
    }

    /// All that is older is gone; tells whether that is news.
    fn raise(&mut self, floor: Stamp) -> bool {
        if floor <= self.floor {
            return false;
        }
        self.floor = floor;
        let all = std::mem::take(&mut self.all).into_iter();
        self.all = all
            .filter_map(|(name, known)| Some((name, known.above(floor)?)))
            .collect();
        true
    }

    pub(super) fn join(&mut self, name: &str, incoming: &Trait) -> bool {
        if self.floor == Stamp::NEVER {
            return self.take_over(name, incoming);
        }
        let above = incoming.above(self.floor);
        above.is_some_and(|incoming| self.take_over(name, &incoming))
    }

    fn take_over(&mut self, name: &str, incoming: &Trait) -> bool {
        if let Some(known) = self.all.get_mut(name) {
            return known.join(incoming);
        }
        self.all.insert(name.to_owned(), incoming.clone());
        true
    }
}

impl Nested {
    fn of(known: &Trait) -> Self {
        let times = known.below.iter();
        let written = known.below.iter().filter(|_| known.is_list());
        Self {
            whole: known.whole.value.to_raw(),
            at: times.map(|(key, known)| (key.clone(), known.at)).collect(),
            written: written
                .map(|(key, known)| (key.clone(), known.value.to_raw()))
                .collect(),
        }
    }

    /// The trait again, from the value that is read, with the time of the whole.
    fn with(self, read: &Stamped) -> Trait {
        let members = read.value.members().unwrap_or_default();
        let known = |(key, at): (String, Stamp)| {
            let written = self.written.get(&key);
            let written = written.map(|value| Json::from_database(value.get().to_owned()));
            let value = written.or_else(|| members.get(&key).cloned());
            let value = value.unwrap_or_else(Json::null);
            (key, Stamped { at, value })
        };
        Trait {
            below: self.at.into_iter().map(known).collect(),
            ..Trait::whole(read.at, Json::from_database(self.whole.get().to_owned()))
        }
    }
}

fn too_large(size: usize, limit: usize, of_what: &str) -> Rejection {
    let message = format!("the profile would have {size} {of_what}, over the limit of {limit}");
    Rejection::of(Code::ProfileTooLarge, "traits", message)
}

/// The time that most share, the latest of equals; 0 where there are none.
fn most_frequent(times: impl Iterator<Item = Stamp>) -> Stamp {
    let mut counts = BTreeMap::<Stamp, usize>::new();
    times.for_each(|time| *counts.entry(time).or_default() += 1);
    counts
        .into_iter()
        .max_by_key(|(time, count)| (*count, *time))
        .map_or(Stamp::live(0), |(time, _)| time)
}

#[cfg(test)]
#[path = "profile_tests.rs"]
pub(super) mod tests;
