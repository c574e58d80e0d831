//! A split of a merge gives back what each had.

use super::super::profile::tests::{any_write, merged, spelled as all, whole};
use super::*;
use proptest::prelude::*;

/// Without traits of which nothing was ever said: a nested write of no keys leaves one.
fn spelled(traits: &Traits) -> Vec<String> {
    let is_nothing =
        |line: &String| line.contains(&format!("null@{:?}", Stamp::NEVER)) && line.ends_with("[]");
    let lines = all(traits).into_iter();
    lines.filter(|line| !is_nothing(line)).collect()
}

const ROOM: Room = Room {
    identities: 1_000,
    traits: 1_000,
    bytes: 1 << 20,
    emails: 5,
    absorbed: 50,
};

/// Whose each write is known to be by its event.
fn heard(sides: &[(Side, &[TraitWrite])]) -> Evidence {
    let mut evidence = Evidence::default();
    for (side, writes) in sides {
        writes.iter().for_each(|write| evidence.wrote(*side, write));
    }
    evidence
}

/// What the record of a merge tells.
fn recorded(survivor: &Traits, absorbed: &Traits) -> Evidence {
    let mut evidence = Evidence::default();
    let before = survivor.at_stake(absorbed);
    evidence.lost(&before);
    evidence.had(Side::Kept, before);
    evidence.had(Side::Taken, absorbed.clone());
    evidence
}

#[test]
fn what_the_other_overwrote_shows_again_and_what_nobody_said_stays() {
    let ada = [whole(1, &[("plan", "\"free\""), ("city", "\"Ulm\"")])];
    let phone = [whole(2, &[("plan", "\"pro\""), ("app", "3")])];
    let imported = whole(3, &[("vip", "true")]);
    let mut present = merged(&[&ada[..], &phone[..]].concat());
    present.merge(&imported);
    let parted = heard(&[(Side::Kept, &ada), (Side::Taken, &phone)]).part(&present, &ROOM);
    let kept = parted.kept.to_stored().0;
    assert_eq!(kept.as_str(), r#"{"city":"Ulm","plan":"free","vip":true}"#);
    let taken = parted.taken.to_stored().0;
    assert_eq!(taken.as_str(), r#"{"app":3,"plan":"pro"}"#);
    let told = (parted.moved, parted.restored, parted.stayed);
    let texts = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told,
        (texts(&["app", "plan"]), texts(&["plan"]), texts(&["vip"]))
    );
}

#[test]
fn a_trait_that_was_removed_by_who_goes_comes_back() {
    let ada = [whole(1, &[("plan", "1")])];
    let phone = [whole(2, &[("plan", "null")])];
    let present = merged(&[&ada[..], &phone[..]].concat());
    let parted = heard(&[(Side::Kept, &ada), (Side::Taken, &phone)]).part(&present, &ROOM);
    assert_eq!(parted.kept.to_stored().0.as_str(), r#"{"plan":1}"#);
}

fn writes() -> impl Strategy<Value = Vec<TraitWrite>> {
    proptest::collection::vec(any_write(), 0..6)
}

proptest! {
    #[test]
    fn laws_a_split_of_a_merge_gives_back_what_each_had_by_its_events(one in writes(), other in writes()) {
        let present = merged(&[&one[..], &other[..]].concat());
        let parted = heard(&[(Side::Kept, &one), (Side::Taken, &other)]).part(&present, &ROOM);
        prop_assert_eq!(spelled(&parted.kept), spelled(&merged(&one)));
        prop_assert_eq!(spelled(&parted.taken), spelled(&merged(&other)));
        prop_assert!(parted.stayed.is_empty());
    }

    #[test]
    fn laws_a_split_of_a_merge_gives_back_what_each_had_by_its_record(one in writes(), other in writes(), later in writes()) {
        let (survivor, absorbed) = (merged(&one), merged(&other));
        let evidence = recorded(&survivor, &absorbed);
        let mut present = survivor.clone();
        present.absorb(&absorbed);
        let parted = evidence.part(&present, &ROOM);
        prop_assert_eq!(spelled(&parted.kept), spelled(&survivor));
        prop_assert_eq!(spelled(&parted.taken), spelled(&absorbed));
        // What the one who stays says after the merge is theirs, whatever the record tells.
        let mut evidence = recorded(&survivor, &absorbed);
        for write in &later {
            present.merge(write);
            evidence.wrote(Side::Kept, write);
        }
        let parted = evidence.part(&present, &ROOM);
        prop_assert_eq!(spelled(&parted.kept), spelled(&merged(&[&one[..], &later[..]].concat())));
    }

    #[test]
    fn laws_what_was_said_before_is_taken_back_from_whoever_has_it_still(one in writes(), other in writes(), newer in writes()) {
        // Who goes has said more since, elsewhere; who stays has what came first.
        let present = merged(&[&one[..], &other[..]].concat());
        let parted = heard(&[(Side::Kept, &one), (Side::Taken, &other), (Side::Taken, &newer)]).part(&present, &ROOM);
        prop_assert_eq!(spelled(&parted.kept), spelled(&merged(&one)));
    }

    #[test]
    fn laws_three_are_taken_apart_one_by_one(one in writes(), two in writes(), three in writes()) {
        let present = merged(&[&one[..], &two[..], &three[..]].concat());
        let first = heard(&[(Side::Kept, &one), (Side::Kept, &two), (Side::Taken, &three)]).part(&present, &ROOM);
        let second = heard(&[(Side::Kept, &one), (Side::Taken, &two)]).part(&first.kept, &ROOM);
        prop_assert_eq!(spelled(&second.kept), spelled(&merged(&one)));
        prop_assert_eq!(spelled(&second.taken), spelled(&merged(&two)));
        prop_assert_eq!(spelled(&first.taken), spelled(&merged(&three)));
    }
}
