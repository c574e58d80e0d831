//! Whether a person has what a document says of them: each fact is there, or superseded by a newer one.
//!
//! What is there is what the merge would not change: a document is contained where taking it in once more shows no other value. Of two
//! values of one stamp one was lost, whichever the merge prefers: that is a difference too.

use super::profile::Traits;
use super::stamped::Trait;
use super::{Json, Mode, Stamp, Timestamp, TraitWrite};
use std::collections::BTreeMap;

/// Which side has to have what the other has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Roster what the legacy store has: before reads are turned to Roster.
    #[default]
    Forward,
    /// The legacy store what Roster has: before they are turned back.
    Reverse,
}

impl Direction {
    /// The name in tables, commands and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = [Self::Forward, Self::Reverse].into_iter();
        all.find(|direction| direction.as_str() == name)
    }
}

/// What a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Somebody is not there at all.
    Missing,
    /// A field has another value, or is not there.
    Different,
    /// It is there, and the other side says that it is not.
    Extra,
}

/// One difference between two sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub kind: Kind,
    /// `None` of somebody as a whole.
    pub field: Option<String>,
    /// What Roster has.
    pub ours: Option<Json>,
    /// What the legacy store has.
    pub theirs: Option<Json>,
}

/// What became of what a document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contained {
    pub differences: Vec<Difference>,
    /// Something of it has given way to something newer.
    pub is_superseded: bool,
}

/// What became of one fact.
enum Fact {
    Held,
    Superseded,
    Lacking,
}

impl Kind {
    /// The name in tables and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Different => "different",
            Self::Extra => "extra",
        }
    }
}

impl Difference {
    /// Of somebody as a whole.
    pub const fn whole(kind: Kind) -> Self {
        Self {
            kind,
            field: None,
            ours: None,
            theirs: None,
        }
    }

    /// Of a field.
    pub fn of(kind: Kind, field: &str, ours: Option<Json>, theirs: Option<Json>) -> Self {
        Self {
            kind,
            field: Some(field.to_owned()),
            ours,
            theirs,
        }
    }
}

impl Traits {
    /// What of a document is not here. `is_apart` tells the traits of which documents say nothing, whoever has them.
    pub fn contains(&self, write: &TraitWrite, is_apart: impl Fn(&str) -> bool) -> Contained {
        let mut contained = Contained::default();
        for (name, value) in &write.traits {
            let incoming = Trait::whole(write.stamp_of(name), value.clone());
            match self.fact(self.all.get(name), &incoming) {
                Fact::Held => {}
                Fact::Superseded => contained.is_superseded = true,
                Fact::Lacking => {
                    let ours = self.all.get(name).map(Trait::value);
                    let theirs = Some(value.clone()).filter(|value| !value.is_null());
                    let kind = if theirs.is_none() {
                        Kind::Extra
                    } else {
                        Kind::Different
                    };
                    let ours = ours.filter(|value| !value.is_null());
                    contained
                        .differences
                        .push(Difference::of(kind, name, ours, theirs));
                }
            }
        }
        if write.mode == Mode::Document {
            contained.differences.extend(self.beside(write, is_apart));
        }
        contained
    }

    /// What is older than a deletion and still here.
    pub fn older_than(&self, at: Timestamp) -> Vec<Difference> {
        let mut left = self.clone();
        left.erase_older(at);
        let gone = self.all.iter();
        gone.filter_map(|(name, known)| {
            let (ours, after) = (known.value(), left.all.get(name).map(Trait::value));
            let is_kept = after.is_some_and(|after| after.meant() == ours.meant());
            (!ours.is_null() && !is_kept)
                .then(|| Difference::of(Kind::Extra, name, Some(ours), None))
        })
        .collect()
    }

    fn fact(&self, known: Option<&Trait>, incoming: &Trait) -> Fact {
        let ours = known.map_or_else(Json::null, Trait::value).meant();
        if ours == incoming.value().meant() {
            return Fact::Held;
        }
        if incoming.whole.at < self.floor {
            return Fact::Superseded;
        }
        let Some(known) = known else {
            return Fact::Lacking;
        };
        let mut joined = known.clone();
        joined.join(incoming);
        let is_tie = known.whole.at == incoming.whole.at
            && known.whole.value.meant() != incoming.whole.value.meant();
        if !is_tie && joined.value().meant() == ours {
            Fact::Superseded
        } else {
            Fact::Lacking
        }
    }

    /// What a whole document does not say, and is older than it.
    fn beside(&self, write: &TraitWrite, is_apart: impl Fn(&str) -> bool) -> Vec<Difference> {
        let stated: BTreeMap<&str, Stamp> = write
            .traits
            .iter()
            .map(|(name, _)| (name.as_str(), write.stamp))
            .collect();
        let others = self.all.iter();
        let others =
            others.filter(|(name, _)| !stated.contains_key(name.as_str()) && !is_apart(name));
        others
            .filter_map(|(name, known)| {
                let ours = known.value();
                let is_older = known.newest() < write.stamp;
                (is_older && !ours.is_null())
                    .then(|| Difference::of(Kind::Extra, name, Some(ours), None))
            })
            .collect()
    }
}

/// Where two objects are not the same, by their own members.
pub fn compared(ours: &Json, theirs: &Json) -> Vec<Difference> {
    let (ours, theirs) = (ours.members(), theirs.members());
    let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
    let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let meant = |value: Option<&Json>| value.map(Json::meant);
    names
        .into_iter()
        .filter(|name| meant(ours.get(*name)) != meant(theirs.get(*name)))
        .map(|name| {
            let (own, their) = (ours.get(name).cloned(), theirs.get(name).cloned());
            let kind = if own.is_none() {
                Kind::Extra
            } else {
                Kind::Different
            };
            Difference::of(kind, name, own, their)
        })
        .collect()
}

#[cfg(test)]
#[path = "containment_tests.rs"]
mod tests;
