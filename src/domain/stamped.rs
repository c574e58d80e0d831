//! One trait with its stamps: a value as a whole, and what was written one level below it since.
//!
//! A write of the whole beats everything below it up to its time; a later *nested* write replaces single keys. So a trait is a
//! register for the whole and one for each key that is newer than it. Each takes the newest, and of equals in time the one with
//! the larger canonical text; a register below is dropped where the whole is as new. That commutes, associates and may be repeated.

use super::{Json, Stamp};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A value and when it was true; `null` where it was removed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamped {
    pub at: Stamp,
    pub value: Json,
}

/// A trait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trait {
    pub whole: Stamped,
    /// By key, each newer than the whole.
    pub below: BTreeMap<String, Stamped>,
}

impl Stamped {
    /// True where this one replaces the other.
    pub fn beats(&self, other: &Self) -> bool {
        match self.at.cmp(&other.at) {
            Ordering::Equal => {
                self.value != other.value && self.value.canonical() > other.value.canonical()
            }
            order => order.is_gt(),
        }
    }
}

impl Trait {
    /// A write of the whole value.
    pub fn whole(at: Stamp, value: Json) -> Self {
        Self {
            whole: Stamped { at, value },
            below: BTreeMap::new(),
        }
    }

    /// A write of single keys, where the value is an object; else of the whole.
    pub fn nested(at: Stamp, value: Json) -> Self {
        let Some(members) = value.members() else {
            return Self::whole(at, value);
        };
        let below = members
            .into_iter()
            .map(|(key, value)| (key, Stamped { at, value }));
        Self {
            below: below.collect(),
            ..Self::whole(Stamp::NEVER, Json::null())
        }
    }

    /// What is read: the whole with what is newer below it; `null` where nothing is there.
    pub fn value(&self) -> Json {
        if self.below.values().all(|known| known.value.is_null()) && self.whole.value.is_null() {
            return Json::null();
        }
        if self.below.is_empty() {
            return self.whole.value.clone();
        }
        if self.is_list() {
            return self.list();
        }
        let mut members = self.whole.value.members().unwrap_or_default();
        for (key, known) in &self.below {
            if known.value.is_null() {
                members.remove(key);
            } else {
                members.insert(key.clone(), known.value.clone());
            }
        }
        Json::from_members(&members)
    }

    /// What is left of it where all that is older than `floor` is gone; `None` where nothing is.
    pub fn above(&self, floor: Stamp) -> Option<Self> {
        let below = self.below.iter().filter(|(_, known)| known.at >= floor);
        let below: BTreeMap<_, _> = below
            .map(|(key, known)| (key.clone(), known.clone()))
            .collect();
        let is_gone = self.whole.at < floor;
        if is_gone && below.is_empty() {
            return None;
        }
        let whole = if is_gone {
            Self::whole(Stamp::NEVER, Json::null()).whole
        } else {
            self.whole.clone()
        };
        Some(Self { whole, below })
    }

    /// What is left of it without the whole, or the keys, of which that is said; `None` where nothing is.
    pub fn without(&self, is_said: impl Fn(Option<&str>, &Stamped) -> bool) -> Option<Self> {
        let below = self.below.iter();
        let below: BTreeMap<_, _> = below
            .filter(|(key, known)| !is_said(Some(key), known))
            .map(|(key, known)| (key.clone(), known.clone()))
            .collect();
        let is_gone = self.whole.at == Stamp::NEVER || is_said(None, &self.whole);
        let whole = if is_gone {
            Self::whole(Stamp::NEVER, Json::null()).whole
        } else {
            self.whole.clone()
        };
        (!is_gone || !below.is_empty()).then_some(Self { whole, below })
    }

    /// When it was last written.
    pub fn newest(&self) -> Stamp {
        let below = self.below.values().map(|known| known.at);
        below.fold(self.whole.at, Stamp::max)
    }

    /// Takes over what is newer; tells whether anything changed.
    pub fn join(&mut self, other: &Self) -> bool {
        let mut changed = other.whole.beats(&self.whole);
        if changed {
            self.whole = other.whole.clone();
            let at = self.whole.at;
            self.below.retain(|_, known| known.at > at);
        }
        for (key, incoming) in &other.below {
            let known = self.below.get(key);
            if incoming.at > self.whole.at && known.is_none_or(|known| incoming.beats(known)) {
                self.below.insert(key.clone(), incoming.clone());
                changed = true;
            }
        }
        changed
    }

    /// About what it takes in a row.
    pub fn bytes(&self) -> usize {
        let below = self.below.iter();
        let below = below.map(|(key, known)| key.len() + known.value.as_bytes().len());
        self.whole.value.as_bytes().len() + below.sum::<usize>()
    }
}
