//! A profile's traits, and the merge that makes them converge.
//!
//! Every trait carries the time at which it was true. The newest wins, trait by trait; at equal times the larger canonical
//! value wins, on every node alike. So the merge commutes, associates and may be repeated: `laws_*` below.

use super::{Code, Json, Rejection, TraitWrite};
use std::collections::BTreeMap;

/// How large a profile may grow.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub identities: usize,
    /// Removed ones too: each keeps its time.
    pub traits: usize,
    /// Of the traits with their names.
    pub bytes: usize,
}

/// One trait: its value (`null` once it was removed) and when that was true.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trait {
    at: i64,
    value: Json,
}

/// The traits of a profile with their stamps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits(BTreeMap<String, Trait>);

/// Stamps as they are stored: one time for all traits, and the exceptions. A removed trait is always an exception.
#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
struct Stamps {
    /// Microseconds since 1970, for every trait that is present and no exception.
    base: i64,
    /// Microseconds since 1970 by trait.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    at: BTreeMap<String, i64>,
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
        let present = traits.members().ok_or(Malformed)?;
        let mut all: BTreeMap<String, Trait> = present
            .into_iter()
            .map(|(name, value)| {
                let at = stamps.at.remove(&name).unwrap_or(stamps.base);
                (name, Trait { at, value })
            })
            .collect();
        all.extend(stamps.at.into_iter().map(|(name, at)| {
            (
                name,
                Trait {
                    at,
                    value: Json::null(),
                },
            )
        }));
        Ok(Self(all))
    }

    /// The traits as an object, and their stamps.
    pub fn to_stored(&self) -> (Json, Json) {
        let present = || self.0.iter().filter(|(_, known)| !known.value.is_null());
        let base = most_frequent(present().map(|(_, known)| known.at));
        let exceptions = self
            .0
            .iter()
            .filter(|(_, known)| known.at != base || known.value.is_null());
        let stamps = Stamps {
            base,
            at: exceptions
                .map(|(name, known)| (name.clone(), known.at))
                .collect(),
        };
        let traits = present()
            .map(|(name, known)| (name.clone(), known.value.clone()))
            .collect();
        (Json::from_members(&traits), Json::of(&stamps))
    }

    /// Takes over what is newer in another profile of the same person.
    pub fn absorb(&mut self, other: &Self) {
        for (name, incoming) in &other.0 {
            let is_newer = self.0.get(name).is_none_or(|known| incoming.beats(known));
            if is_newer {
                self.0.insert(name.clone(), incoming.clone());
            }
        }
    }

    /// Takes over what is newer, unless the profile would grow beyond its room; tells whether anything changed.
    ///
    /// # Errors
    /// `ProfileTooLarge`. A profile that is too large already may still change and shrink.
    pub fn merge_within(&mut self, write: &TraitWrite, room: &Room) -> Result<bool, Rejection> {
        let (mut traits, mut bytes) = (self.0.len(), self.bytes());
        let before = (traits, bytes);
        for (name, value) in self.newer(write) {
            match self.0.get(name) {
                Some(known) => bytes -= known.value.as_bytes().len(),
                None => {
                    traits += 1;
                    bytes += name.len();
                }
            }
            bytes += value.as_bytes().len();
        }
        if traits > before.0.max(room.traits) {
            return Err(too_large(traits, room.traits, "traits"));
        }
        if bytes > before.1.max(room.bytes) {
            return Err(too_large(bytes, room.bytes, "bytes of traits"));
        }
        Ok(self.merge(write))
    }

    fn bytes(&self) -> usize {
        let bytes = |(name, known): (&String, &Trait)| name.len() + known.value.as_bytes().len();
        self.0.iter().map(bytes).sum()
    }

    fn newer<'w>(&self, write: &'w TraitWrite) -> impl Iterator<Item = &'w (String, Json)> {
        let at = write.at.micros();
        write.traits.iter().filter(move |(name, value)| {
            let is_newer = |known: &Trait| {
                Trait {
                    at,
                    value: value.clone(),
                }
                .beats(known)
            };
            self.0.get(name).is_none_or(is_newer)
        })
    }

    /// Takes over what is newer; tells whether anything changed.
    pub fn merge(&mut self, write: &TraitWrite) -> bool {
        let mut changed = false;
        for (name, value) in &write.traits {
            let incoming = Trait {
                at: write.at.micros(),
                value: value.clone(),
            };
            match self.0.get(name) {
                Some(known) if !incoming.beats(known) => {}
                _ => {
                    self.0.insert(name.clone(), incoming);
                    changed = true;
                }
            }
        }
        changed
    }
}

impl Trait {
    fn beats(&self, known: &Self) -> bool {
        match self.at.cmp(&known.at) {
            std::cmp::Ordering::Equal => {
                self.value != known.value && self.value.canonical() > known.value.canonical()
            }
            order => order.is_gt(),
        }
    }
}

fn too_large(size: usize, limit: usize, of_what: &str) -> Rejection {
    let message = format!("the profile would have {size} {of_what}, over the limit of {limit}");
    Rejection::of(Code::ProfileTooLarge, "traits", message)
}

/// The time that most share, the latest of equals; 0 where there are none.
fn most_frequent(times: impl Iterator<Item = i64>) -> i64 {
    let mut counts = BTreeMap::<i64, usize>::new();
    times.for_each(|time| *counts.entry(time).or_default() += 1);
    counts
        .into_iter()
        .max_by_key(|(time, count)| (*count, *time))
        .map_or(0, |(time, _)| time)
}

/// Merges one write after the other; tells whether anything changed.
pub fn merge_all<'a>(
    traits: &mut Traits,
    writes: impl IntoIterator<Item = &'a TraitWrite>,
) -> bool {
    let mut changed = false;
    for write in writes {
        changed |= traits.merge(write);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::super::Timestamp;
    use super::*;
    use proptest::prelude::*;

    fn write(at: i64, traits: &[(&str, &str)]) -> TraitWrite {
        let traits = traits
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Json::from_database((*value).to_owned())))
            .collect();
        TraitWrite {
            at: Timestamp::from_micros(at).expect("small"),
            traits,
        }
    }

    fn merged(writes: &[TraitWrite]) -> Traits {
        let mut traits = Traits::default();
        merge_all(&mut traits, writes);
        traits
    }

    #[test]
    fn the_newest_wins_trait_by_trait_and_null_removes_for_good() {
        let traits = merged(&[
            write(2, &[("plan", "\"pro\""), ("age", "36")]),
            write(3, &[("age", "null")]),
            write(
                1,
                &[("plan", "\"free\""), ("age", "35"), ("city", "\"Ulm\"")],
            ),
        ]);
        let (object, stamps) = traits.to_stored();
        assert_eq!(object.as_str(), r#"{"city":"Ulm","plan":"pro"}"#);
        assert_eq!(stamps.as_str(), r#"{"base":2,"at":{"age":3,"city":1}}"#);
        assert_eq!(
            Traits::from_stored(&object, &stamps).expect("own text"),
            traits
        );
    }

    #[test]
    fn traits_written_together_carry_one_stamp() {
        let (_, stamps) = merged(&[write(7, &[("a", "1"), ("b", "2"), ("c", "3")])]).to_stored();
        assert_eq!(stamps.as_str(), r#"{"base":7}"#);
    }

    fn any_write() -> impl Strategy<Value = TraitWrite> {
        let values = vec!["null", "1", "1.0", "\"x\"", r#"{"a": 1}"#, r#"{"a":1}"#];
        let value = proptest::sample::select(values);
        let traits = proptest::collection::btree_map("[abc]", value, 0..3);
        (0_i64..4, traits).prop_map(|(at, traits)| {
            let pairs: Vec<_> = traits
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .collect();
            write(at, &pairs)
        })
    }

    fn spelled(traits: &Traits) -> Vec<(String, i64, String)> {
        traits
            .0
            .iter()
            .map(|(name, known)| (name.clone(), known.at, known.value.canonical()))
            .collect()
    }

    proptest! {
        #[test]
        fn laws_any_order_with_any_repeats_gives_the_same_traits(writes in proptest::collection::vec(any_write(), 1..8), order in proptest::collection::vec(any::<prop::sample::Index>(), 0..24)) {
            let shuffled: Vec<_> = order.iter().map(|index| index.get(&writes).clone()).chain(writes.iter().rev().cloned()).collect();
            prop_assert_eq!(spelled(&merged(&writes)), spelled(&merged(&shuffled)));
        }

        #[test]
        fn laws_storing_between_any_two_writes_changes_nothing(writes in proptest::collection::vec(any_write(), 1..8)) {
            let mut stored = Traits::default();
            for write in &writes {
                stored.merge(write);
                let (traits, stamps) = stored.to_stored();
                stored = Traits::from_stored(&traits, &stamps).expect("own text");
            }
            prop_assert_eq!(spelled(&stored), spelled(&merged(&writes)));
        }

        #[test]
        fn laws_a_repeat_changes_nothing(writes in proptest::collection::vec(any_write(), 1..8)) {
            let mut traits = merged(&writes);
            prop_assert!(!merge_all(&mut traits, &writes));
        }
    }
}
