//! The merge of traits: examples, and its laws.

use super::*;
use proptest::prelude::*;

fn write(at: i64, mode: Mode, traits: &[(&str, &str)]) -> TraitWrite {
    let traits = traits
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Json::from_database((*value).to_owned())))
        .collect();
    TraitWrite {
        stamp: Stamp::live(at),
        mode,
        traits,
        times: BTreeMap::new(),
    }
}

pub(in crate::domain) fn merged(writes: &[TraitWrite]) -> Traits {
    let mut traits = Traits::default();
    for write in writes {
        traits.merge(write);
    }
    traits
}

pub(in crate::domain) fn whole(at: i64, traits: &[(&str, &str)]) -> TraitWrite {
    write(at, Mode::Single, traits)
}

fn document(at: i64, traits: &[(&str, &str)]) -> TraitWrite {
    write(at, Mode::Document, traits)
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
    let nested = |at, value: &str| write(at, Mode::Nested, &[("address", value)]);
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

#[test]
fn what_a_whole_document_lacks_is_gone_as_of_its_time() {
    let traits = merged(&[
        whole(1, &[("plan", "1"), ("city", "2")]),
        whole(9, &[("age", "3")]),
        document(5, &[("plan", "4")]),
        whole(4, &[("city", "5"), ("zip", "6")]),
    ]);
    let (object, stamps) = traits.to_stored();
    assert_eq!(object.as_str(), r#"{"age":3,"plan":4}"#);
    assert_eq!(stamps.as_str(), r#"{"base":9,"at":{"plan":5},"floor":5}"#);
}

#[test]
fn a_profile_that_is_too_large_drops_what_is_oldest() {
    let room = Room {
        identities: 9,
        traits: 2,
        bytes: 100,
        emails: 9,
        absorbed: 9,
    };
    let mut traits = merged(&[
        whole(2, &[("b", "1")]),
        whole(1, &[("a", "1")]),
        whole(3, &[("c", "1")]),
    ]);
    assert_eq!(traits.shrink(&room), ["a"]);
    assert_eq!(traits.to_stored().0.as_str(), r#"{"b":1,"c":1}"#);
    assert!(traits.shrink(&room).is_empty());
}

pub(in crate::domain) fn any_write() -> impl Strategy<Value = TraitWrite> {
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
        "[1,2]",
        "[]",
        r#"{"\u001f1":true}"#,
        r#"{"\u001f1":false,"\u001f2":true}"#,
        r#"{"\u001f2":false,"\u001f3":true}"#,
    ];
    let value = proptest::sample::select(values);
    let traits = proptest::collection::btree_map("[abc]", value, 0..3);
    let mode = proptest::sample::select(vec![
        Mode::Single,
        Mode::Single,
        Mode::Nested,
        Mode::Nested,
        Mode::Document,
    ]);
    (0_i64..4, traits, mode).prop_map(|(at, traits, mode)| {
        let pairs: Vec<_> = traits
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        write(at, mode, &pairs)
    })
}

/// Everything that may matter later, spelled canonically.
pub(in crate::domain) fn spelled(traits: &Traits) -> Vec<String> {
    let stamped = |known: &Stamped| format!("{}@{:?}", known.value.canonical(), known.at);
    let one = |(name, known): (&String, &Trait)| {
        let below: Vec<String> = known
            .below
            .iter()
            .map(|(key, known)| format!("{key}: {}", stamped(known)))
            .collect();
        format!("{name}: {} {below:?}", stamped(&known.whole))
    };
    let floor = format!("floor {:?}", traits.floor);
    traits.all.iter().map(one).chain([floor]).collect()
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
        for write in &writes {
            prop_assert!(!traits.merge(write));
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
