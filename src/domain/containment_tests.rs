//! Laws of containment: what was merged is there, and what was taken away is missed.

use super::*;
use proptest::prelude::*;

fn json(text: &str) -> Json {
    Json::from_database(text.to_owned())
}

fn write(at: i64, mode: Mode, traits: &BTreeMap<String, String>) -> TraitWrite {
    TraitWrite {
        stamp: Stamp {
            at,
            sequence: i64::MIN,
        },
        mode,
        traits: traits
            .iter()
            .map(|(name, value)| (name.clone(), json(value)))
            .collect(),
        times: BTreeMap::new(),
    }
}

fn values() -> impl Strategy<Value = BTreeMap<String, String>> {
    let value = prop::sample::select(vec!["1", "\"x\"", "null", r#"{"a":1}"#, "[1,2]", "true"]);
    prop::collection::btree_map("[a-e]", value.prop_map(str::to_owned), 0..5)
}

fn mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![Mode::Single, Mode::Nested, Mode::Document])
}

/// Writes that lie on one side of a document's time.
fn writes(from: i64) -> impl Strategy<Value = Vec<TraitWrite>> {
    let one = (0_i64..40, mode(), values());
    let one = one.prop_map(move |(at, mode, traits)| write(from + at, mode, &traits));
    prop::collection::vec(one, 0..5)
}

const AT: i64 = 100;

fn nothing(_: &str) -> bool {
    false
}

proptest! {
    #[test]
    fn laws_of_containment_what_was_merged_is_there_whatever_came_before_and_since(
        older in writes(0), newer in writes(AT + 1), traits in values(), mode in prop::sample::select(vec![Mode::Single, Mode::Document]),
        order in any::<prop::sample::Index>()
    ) {
        let document = write(AT, mode, &traits);
        let mut all: Vec<TraitWrite> = older.into_iter().chain(newer).collect();
        let place = order.index(all.len() + 1);
        all.insert(place, document.clone());
        let mut person = Traits::default();
        for write in &all {
            person.merge(write);
        }
        prop_assert_eq!(person.contains(&document, nothing).differences, Vec::new());
    }

    #[test]
    fn laws_of_containment_a_planted_change_is_found_and_named(
        older in writes(0), traits in values(), planted in prop::sample::select(vec!["a", "b", "c"]), value in prop::sample::select(vec!["7", "null"])
    ) {
        let mut traits = traits;
        traits.insert(planted.to_owned(), "\"planted\"".to_owned());
        let document = write(AT, Mode::Document, &traits);
        for at in [AT - 50, AT] {
            let mut lost = traits.clone();
            lost.insert(planted.to_owned(), value.to_owned());
            let mut person = Traits::default();
            for write in older.iter().filter(|write| write.stamp.at < at) {
                person.merge(write);
            }
            person.merge(&write(at, Mode::Single, &lost));
            let found = person.contains(&document, nothing).differences;
            let named = found.iter().find(|one| one.field.as_deref() == Some(planted));
            prop_assert_eq!(named.map(|one| one.kind), Some(Kind::Different));
        }
    }
}

#[test]
fn one_value_in_two_spellings_is_no_difference() {
    let traits = |text: &str| BTreeMap::from([("n".to_owned(), text.to_owned())]);
    let mut person = Traits::default();
    person.merge(&write(1, Mode::Single, &traits(r#"{"b":1.0,"a":[1E2]}"#)));
    let document = write(2, Mode::Single, &traits(r#"{"a": [100], "b": 1}"#));
    assert_eq!(person.contains(&document, nothing), Contained::default());
    assert_eq!(
        compared(&json(r#"{"n":1.0}"#), &json(r#"{"n":1}"#)),
        Vec::new()
    );
}

#[test]
fn what_is_older_than_a_whole_document_and_not_in_it_is_extra_unless_no_document_says_it() {
    let traits = |name: &str| BTreeMap::from([(name.to_owned(), "1".to_owned())]);
    let mut person = Traits::default();
    person.merge(&write(1, Mode::Single, &traits("old")));
    person.merge(&write(9, Mode::Single, &traits("new")));
    let document = write(5, Mode::Document, &BTreeMap::new());
    let found = person.contains(&document, nothing).differences;
    assert_eq!(
        found,
        [Difference::of(Kind::Extra, "old", Some(json("1")), None)]
    );
    let apart = person.contains(&document, |name| name == "old").differences;
    assert_eq!(apart, Vec::new());
}

#[test]
fn of_two_values_of_one_stamp_one_was_lost() {
    let traits = |value: &str| BTreeMap::from([("plan".to_owned(), value.to_owned())]);
    let mut person = Traits::default();
    person.merge(&write(5, Mode::Single, &traits("\"z\"")));
    let found = person.contains(&write(5, Mode::Single, &traits("\"a\"")), nothing);
    assert_eq!(found.differences.len(), 1);
    let newer = person.contains(&write(4, Mode::Single, &traits("\"a\"")), nothing);
    assert_eq!(
        newer,
        Contained {
            differences: Vec::new(),
            is_superseded: true
        }
    );
}

#[test]
fn what_a_deletion_should_have_taken_is_extra() {
    let traits = |name: &str| BTreeMap::from([(name.to_owned(), "1".to_owned())]);
    let mut person = Traits::default();
    person.merge(&write(1, Mode::Single, &traits("old")));
    person.merge(&write(9, Mode::Single, &traits("new")));
    let at = Timestamp::from_micros(5).expect("a time");
    let fields: Vec<_> = person
        .older_than(at)
        .into_iter()
        .map(|one| one.field)
        .collect();
    assert_eq!(fields, [Some("old".to_owned())]);
    person.erase_older(at);
    assert_eq!(person.older_than(at), Vec::new());
}
