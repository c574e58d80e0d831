//! A profile's traits, and the merge that makes them converge.
//!
//! Every trait carries the time at which it was true. The newest wins, trait by trait; at equal times the larger canonical
//! value wins, on every node alike (`stamped.rs`). So the merge commutes, associates and may be repeated: `laws_*` below.

use super::stamped::{Stamped, Trait};
use super::{Code, Json, Rejection, TraitWrite};
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
    /// Traits with keys that are newer than the whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    nested: BTreeMap<String, Nested>,
}

/// The whole as it was written, since at equal times it is compared whole, and the times of the keys.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Nested {
    whole: Box<RawValue>,
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
        let mut present = traits.members().ok_or(Malformed)?;
        let mut all = BTreeMap::new();
        for (name, nested) in std::mem::take(&mut stamps.nested) {
            let at = stamps.at.remove(&name).unwrap_or(stamps.base);
            let value = present.remove(&name).unwrap_or_else(Json::null);
            all.insert(name, nested.with(at, &value));
        }
        for (name, value) in present {
            let at = stamps.at.remove(&name).unwrap_or(stamps.base);
            all.insert(name, Trait::whole(at, value));
        }
        let removed = |(name, at)| (name, Trait::whole(at, Json::null()));
        all.extend(stamps.at.into_iter().map(removed));
        Ok(Self(all))
    }

    /// The traits as an object, and their stamps.
    pub fn to_stored(&self) -> (Json, Json) {
        let values = self.0.iter().map(|(name, known)| (name, known.value()));
        let present: BTreeMap<String, Json> = values
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value))
            .collect();
        let times = present.keys().map(|name| self.0[name].whole.at);
        let base = most_frequent(times);
        let is_exception =
            |name: &String, known: &Trait| known.whole.at != base || !present.contains_key(name);
        let exceptions = self
            .0
            .iter()
            .filter(|(name, known)| is_exception(name, known));
        let nested = self.0.iter().filter(|(_, known)| !known.below.is_empty());
        let stamps = Stamps {
            base,
            at: exceptions
                .map(|(name, known)| (name.clone(), known.whole.at))
                .collect(),
            nested: nested
                .map(|(name, known)| (name.clone(), Nested::of(known)))
                .collect(),
        };
        (Json::from_members(&present), Json::of(&stamps))
    }

    /// Takes over what is newer in another profile of the same person.
    pub fn absorb(&mut self, other: &Self) {
        for (name, incoming) in &other.0 {
            self.join(name, incoming);
        }
    }

    /// Takes over what is newer, unless the profile would grow beyond its room; tells whether anything changed.
    ///
    /// # Errors
    /// `ProfileTooLarge`. A profile that is too large already may still change and shrink.
    pub fn merge_within(&mut self, write: &TraitWrite, room: &Room) -> Result<bool, Rejection> {
        let stated = |(name, value): &(String, Json)| name.len() + value.as_bytes().len();
        let most = self.bytes() + write.traits.iter().map(stated).sum::<usize>();
        if self.0.len() + write.traits.len() <= room.traits && most <= room.bytes {
            return Ok(self.merge(write));
        }
        let before = self.clone();
        if !self.merge(write) {
            return Ok(false);
        }
        let (traits, bytes) = (self.0.len(), self.bytes());
        let refusal = if traits > before.0.len().max(room.traits) {
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
        self.0.iter().map(bytes).sum()
    }

    /// Takes over what is newer; tells whether anything changed.
    pub fn merge(&mut self, write: &TraitWrite) -> bool {
        let at = write.at.micros();
        self.write(write, |value| Trait::whole(at, value.clone()))
    }

    /// The same, but where a value is an object, only its keys are replaced (Iterable's `mergeNestedObjects`): what the trait had
    /// beside them stays.
    pub fn merge_nested(&mut self, write: &TraitWrite) -> bool {
        let at = write.at.micros();
        self.write(write, |value| Trait::nested(at, value.clone()))
    }

    fn write(&mut self, write: &TraitWrite, stamped: impl Fn(&Json) -> Trait) -> bool {
        let mut changed = false;
        for (name, value) in &write.traits {
            changed |= self.join(name, &stamped(value));
        }
        changed
    }

    fn join(&mut self, name: &str, incoming: &Trait) -> bool {
        if let Some(known) = self.0.get_mut(name) {
            return known.join(incoming);
        }
        self.0.insert(name.to_owned(), incoming.clone());
        true
    }
}

impl Nested {
    fn of(known: &Trait) -> Self {
        let times = known.below.iter();
        Self {
            whole: known.whole.value.to_raw(),
            at: times.map(|(key, known)| (key.clone(), known.at)).collect(),
        }
    }

    /// The trait again, from the value that is read and the time of the whole.
    fn with(self, at: i64, value: &Json) -> Trait {
        let members = value.members().unwrap_or_default();
        let known = |(key, at): (String, i64)| {
            let value = members.get(&key).cloned().unwrap_or_else(Json::null);
            (key, Stamped { at, value })
        };
        Trait {
            below: self.at.into_iter().map(known).collect(),
            ..Trait::whole(at, Json::from_database(self.whole.get().to_owned()))
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

    /// A write, and whether it is nested.
    type Write = (TraitWrite, bool);

    fn apply(traits: &mut Traits, (write, is_nested): &Write) -> bool {
        if *is_nested {
            traits.merge_nested(write)
        } else {
            traits.merge(write)
        }
    }

    fn merged(writes: &[Write]) -> Traits {
        let mut traits = Traits::default();
        for write in writes {
            apply(&mut traits, write);
        }
        traits
    }

    fn whole(at: i64, traits: &[(&str, &str)]) -> Write {
        (write(at, traits), false)
    }

    #[test]
    fn the_newest_wins_trait_by_trait_and_null_removes_for_good() {
        let traits = merged(&[
            whole(2, &[("plan", "\"pro\""), ("age", "36")]),
            whole(3, &[("age", "null")]),
            whole(
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
        let (_, stamps) = merged(&[whole(7, &[("a", "1"), ("b", "2"), ("c", "3")])]).to_stored();
        assert_eq!(stamps.as_str(), r#"{"base":7}"#);
    }

    #[test]
    fn a_nested_write_replaces_keys_and_a_whole_one_everything_up_to_its_time() {
        let nested = |at, value: &str| (write(at, &[("address", value)]), true);
        let writes = [
            whole(1, &[("address", r#"{"city":"Ulm","zip":"1"}"#)]),
            nested(3, r#"{"zip":"2","street":null}"#),
            nested(5, r#"{"floor":4}"#),
        ];
        let (object, stamps) = merged(&writes).to_stored();
        assert_eq!(
            object.as_str(),
            r#"{"address":{"city":"Ulm","floor":4,"zip":"2"}}"#
        );
        let expected = r#"{"base":1,"nested":{"address":{"whole":{"city":"Ulm","zip":"1"},"at":{"floor":5,"street":3,"zip":3}}}}"#;
        assert_eq!(stamps.as_str(), expected);
        let later = [
            &writes[..],
            &[whole(4, &[("address", r#"{"city":"Bonn"}"#)])],
        ]
        .concat();
        let (object, _) = merged(&later).to_stored();
        assert_eq!(object.as_str(), r#"{"address":{"city":"Bonn","floor":4}}"#);
    }

    fn any_write() -> impl Strategy<Value = Write> {
        let values = vec![
            "null",
            "1",
            "1.0",
            "\"x\"",
            r#"{"a": 1}"#,
            r#"{"a":1}"#,
            r#"{"a":2,"b":null}"#,
            r#"{"b":3}"#,
            "{}",
        ];
        let value = proptest::sample::select(values);
        let traits = proptest::collection::btree_map("[abc]", value, 0..3);
        (0_i64..4, traits, any::<bool>()).prop_map(|(at, traits, is_nested)| {
            let pairs: Vec<_> = traits
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .collect();
            (write(at, &pairs), is_nested)
        })
    }

    /// Everything that may matter later, spelled canonically.
    fn spelled(traits: &Traits) -> Vec<String> {
        let stamped = |known: &Stamped| format!("{}@{}", known.value.canonical(), known.at);
        let one = |(name, known): (&String, &Trait)| {
            let below: Vec<String> = known
                .below
                .iter()
                .map(|(key, known)| format!("{key}: {}", stamped(known)))
                .collect();
            format!("{name}: {} {below:?}", stamped(&known.whole))
        };
        traits.0.iter().map(one).collect()
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
                apply(&mut stored, write);
                let (traits, stamps) = stored.to_stored();
                stored = Traits::from_stored(&traits, &stamps).expect("own text");
            }
            prop_assert_eq!(spelled(&stored), spelled(&merged(&writes)));
        }

        #[test]
        fn laws_a_repeat_changes_nothing(writes in proptest::collection::vec(any_write(), 1..8)) {
            let mut traits = merged(&writes);
            for write in &writes {
                prop_assert!(!apply(&mut traits, write));
            }
        }

        #[test]
        fn laws_profiles_join_in_any_order(one in proptest::collection::vec(any_write(), 0..6), other in proptest::collection::vec(any_write(), 0..6)) {
            let all = merged(&[&one[..], &other[..]].concat());
            let (left, right) = (merged(&one), merged(&other));
            let (mut forth, mut back) = (left.clone(), right.clone());
            forth.absorb(&right);
            back.absorb(&left);
            prop_assert_eq!(spelled(&forth), spelled(&all));
            prop_assert_eq!(spelled(&back), spelled(&all));
        }
    }
}
