//! What was read is written back, and reads the same.

use super::*;
use crate::domain::kinds::{CustomKind, Normaliser};
use proptest::prelude::*;

const AT: &str = "2023-05-01T10:00:00Z";

fn reverse(mapping: &str) -> Reverse {
    let mapping = Mapping::parse(mapping).expect("a mapping");
    mapping.reverse(Some("user_id")).expect("of documents")
}

/// What the mapping reads out of a document's root, without what is null: that is no trait.
fn read(reverse: &Reverse, row: &Value) -> Map<String, Value> {
    let shape = &reverse.document.shape;
    let root = shape.root.find(row).and_then(Value::as_object).cloned();
    let mut traits = shape
        .apply(root.unwrap_or_default(), false, DEPTH, &mut Vec::new())
        .traits;
    traits.retain(|_, value| !value.is_null());
    traits
}

fn person(traits: &Map<String, Value>) -> Person {
    let at = Timestamp::parse(AT).expect("a time");
    let stated = |(name, value): (&String, &Value)| (name.clone(), (at, value.clone()));
    Person {
        identities: vec![("user_id".to_owned(), "7".to_owned())],
        traits: traits.iter().map(stated).collect(),
        floor: None,
    }
}

fn named(mut person: Person, kind: &str, value: &str) -> Person {
    let name = (kind.to_owned(), value.to_owned());
    person.identities.push(name);
    person
}

/// Of a project with two kinds of its own, one of them stronger than all others.
fn kinds() -> Kinds {
    let kind = |name: &str, strength, normaliser| CustomKind {
        name: name.to_owned(),
        strength,
        normaliser,
    };
    Kinds {
        custom: vec![
            kind("phone", 200, Normaliser::Phone),
            kind("customer_no", 500, Normaliser::AsIs),
        ],
        ..Kinds::default()
    }
}

const MAPPINGS: [&str; 6] = [
    "preset = \"elasticsearch\"\n[traits]\ndrop = [\"d\"]\n",
    "[identities]\nuser_id = \"/id\"\n[traits]\nroot = \"/p/q\"\ndrop = [\"/a/b\", \"_*\"]\n[traits.rename]\na = \"c\"\nc = \"a\"\n",
    "[identities]\nuser_id = \"/id\"\n[traits]\nexpand_dots = true\ndrop = [\"id\"]\n[traits.types]\na = \"text\"\nc = \"list\"\n",
    "[identities]\nuser_id = \"/id\"\n[traits]\nflatten = true\ndrop = [\"id\"]\n[traits.rename]\n\"a.b\" = \"ab\"\n",
    "[identities]\nuser_id = \"/id\"\n[traits]\ndrop = [\"id\"]\n[traits.types]\na = \"number\"\nb = \"boolean\"\nc = \"json_text\"\nd = \"integer\"\n",
    "[identities]\nuser_id = \"/id\"\n[time]\nformat = [\"epoch_s\", \"%d.%m.%Y\"]\nzone = \"Europe/Berlin\"\n[traits]\ndrop = [\"id\"]\n[traits.types]\na = \"time\"\nb = \"geo\"\nc = \"decimal(2)\"\n",
];

/// Mappings that leave dots in names as they are.
const UNDOTTED: [&str; 5] = [
    MAPPINGS[1],
    MAPPINGS[4],
    MAPPINGS[5],
    "[identities]\nuser_id = \"/id\"\n[traits]\nonly = [\"a\"]\n[traits.rename]\nb = \"c\"\n",
    "[identities]\nuser_id = \"/id\"\n[traits.rename]\na = \"b\"\n\"/c/a\" = \"d\"\n[traits.types]\nb = \"integer\"\n",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!("yes"),
        json!("42"),
        json!("1E+3"),
        json!(1.50),
        json!(1_700_000_000),
        json!("01.02.1980"),
        json!("48.2,16.4"),
        json!("BOI="),
        json!("{\"x\":1}"),
        json!(""),
        json!(12_345_678_901_234_567_890_u64),
        json!({}),
    ]);
    leaf.prop_recursive(3, 12, 3, |inner| {
        let name = prop::sample::select(vec!["a", "b", "c", "x.y"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map(name, inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

fn root() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec!["a", "b", "c", "d", "_e", "a.b", "id"]);
    prop::collection::btree_map(name, value(), 0..6).prop_map(|members| json!(members))
}

proptest! {
    #[test]
    fn laws_of_documents_what_was_read_is_written_back_and_reads_the_same(which in 0..MAPPINGS.len(), there in root(), old in prop::option::of(root())) {
        let reverse = reverse(MAPPINGS[which]);
        let in_root = |root: Value| {
            let mut row = json!({"id": "7"});
            if reverse.document.shape.root == Pointer::default() { row = root } else { reverse.document.shape.root.put(&mut row, root); }
            row
        };
        let traits = read(&reverse, &in_root(there));
        let old = old.map(in_root);
        let document = reverse.document_of(&person(&traits), old.as_ref(), true);
        prop_assert_eq!(read(&reverse, &document), traits, "{}", document);
    }

    /// What Roster does not know of a person stays, what it knows wins.
    #[test]
    fn laws_of_documents_before_all_is_known_the_rest_stays(which in 0..MAPPINGS.len(), there in root(), old in root()) {
        let reverse = reverse(MAPPINGS[which]);
        let in_root = |root: Value| {
            let mut row = json!({"id": "7"});
            if reverse.document.shape.root == Pointer::default() { row = root } else { reverse.document.shape.root.put(&mut row, root); }
            row
        };
        let (old, traits) = (in_root(old), read(&reverse, &in_root(there)));
        let mut expected = read(&reverse, &old);
        expected.extend(traits.clone());
        let document = reverse.document_of(&person(&traits), Some(&old), false);
        prop_assert_eq!(read(&reverse, &document), expected, "{}", document);
    }

    /// What stands where a trait is too is the trait's; a name stands there where the person has no such trait.
    #[test]
    fn laws_of_documents_a_name_hides_no_trait(there in root(), old in prop::option::of(root()), is_whole in any::<bool>()) {
        let reverse = reverse("preset = \"elasticsearch\"\n[identities]\nuser_id = \"record:/_id\"\nemail = \"/a\"\n");
        let traits = read(&reverse, &there);
        let own = named(person(&traits), "email", "ada@x.io");
        let document = reverse.document_of(&own, old.as_ref(), is_whole);
        let reads = read(&reverse, &document);
        let lost = traits.iter().find(|(name, value)| reads.get(*name) != Some(value));
        prop_assert_eq!(lost, None, "{}", document);
        prop_assert!(traits.contains_key("a") || reads.contains_key("a"), "{}", document);
        prop_assert_eq!(reverse.document_of(&own, Some(&document), is_whole), document);
    }

    #[test]
    fn laws_of_documents_laying_nothing_changes_nothing(which in 0..UNDOTTED.len(), old in root()) {
        let reverse = reverse(UNDOTTED[which]);
        let mut row = json!({"id": "7"});
        if reverse.document.shape.root == Pointer::default() { row = old } else { reverse.document.shape.root.put(&mut row, old); }
        row["id"] = json!("7");
        prop_assert_eq!(reverse.document_of(&person(&Map::new()), Some(&row), false), row);
    }
}

#[test]
fn a_document_keeps_its_spelling_and_what_the_mapping_drops() {
    let reverse = reverse(
        "[identities]\nuser_id = \"/id\"\nemail = \"/mail\"\n[time]\nat = \"/changed\"\nformat = \"epoch_ms\"\n[delete]\nmark = \"/gone\"\n[traits]\ndrop = [\"id\", \"changed\", \"mail\", \"secret\", \"gone\"]\n[traits.types]\nage = \"integer\"\n",
    );
    let old = json!({"id": 7, "mail": "Ada@Example.com", "changed": 1, "secret": "s", "age": "36", "plan": "free", "gone": true});
    let traits = json!({"age": 36, "plan": "pro"});
    let mut person = person(traits.as_object().expect("one"));
    person
        .identities
        .push(("email".to_owned(), "ada@example.com".to_owned()));
    let document = reverse.document_of(&person, Some(&old), true);
    let expected = json!({"id": 7, "mail": "Ada@Example.com", "changed": 1_682_935_200_000_i64, "secret": "s", "age": "36", "plan": "pro"});
    assert_eq!(document, expected);
    let fresh = reverse.document_of(&person, None, true);
    assert_eq!(
        fresh,
        json!({"id": "7", "mail": "ada@example.com", "changed": 1_682_935_200_000_i64, "age": 36, "plan": "pro"})
    );
}

#[test]
fn a_removed_trait_leaves_the_document_and_what_is_unknown_stays_until_all_is_known() {
    let reverse = reverse("preset = \"elasticsearch\"\n");
    let mut person = person(json!({"plan": "pro"}).as_object().expect("one"));
    let at = Timestamp::parse(AT).expect("a time");
    person.traits.insert("age".to_owned(), (at, Value::Null));
    let old = json!({"age": 36, "city": "Ulm", "plan": "free"});
    assert_eq!(
        reverse.document_of(&person, Some(&old), false),
        json!({"city": "Ulm", "plan": "pro"})
    );
    assert_eq!(
        reverse.document_of(&person, Some(&old), true),
        json!({"plan": "pro"})
    );
}

#[test]
fn names_that_are_not_the_person_s_leave_a_whole_document() {
    let reverse = reverse(
        "[identities]\nuser_id = \"/id\"\nemail = [\"/mail\", \"/mails\"]\nphone = \"/phone\"\n[traits]\ndrop = [\"id\", \"mail\", \"mails\"]\n",
    );
    let old = json!({"id": 7, "mail": "u4@x.io", "mails": ["Ada@x.io", "u4@x.io"], "phone": "1"});
    let own = person(json!({"phone": "1"}).as_object().expect("one"));
    let laid = |own: &Person, is_whole| reverse.document_of(own, Some(&old), is_whole);
    assert_eq!(laid(&own, true), json!({"id": 7, "phone": "1"}));
    assert_eq!(laid(&own, false), old);
    let mut own = own;
    let name = ("email".to_owned(), "ada@x.io".to_owned());
    own.identities.push(name);
    let expected = json!({"id": 7, "phone": "1", "mail": "ada@x.io"});
    assert_eq!(laid(&own, true), expected);
}

#[test]
fn what_the_mapping_can_not_convert_stays_until_all_is_known() {
    let reverse = reverse(
        "[identities]\nuser_id = \"/id\"\n[traits]\nflatten = true\ndrop = [\"id\"]\n[traits.types]\nborn = \"time\"\nage = \"integer\"\nsize = \"integer\"\n[traits.rename]\n\"a.b\" = \"age\"\n",
    );
    let mut own = person(json!({"foo": 1}).as_object().expect("one"));
    let at = Timestamp::parse(AT).expect("a time");
    own.traits.insert("size".to_owned(), (at, Value::Null));
    let old = json!({"id": "7", "born": "n/a", "a": {"b": "old", "c": 1}, "size": "large"});
    assert_eq!(
        reverse.document_of(&own, Some(&old), false),
        json!({"id": "7", "foo": 1, "born": "n/a", "a": {"b": "old", "c": 1}})
    );
    assert_eq!(
        reverse.document_of(&own, Some(&old), true),
        json!({"id": "7", "foo": 1})
    );
}

#[test]
fn a_removed_trait_is_null_where_the_mapping_would_give_it_a_value() {
    let reverse = reverse("preset = \"elasticsearch\"\n[traits.defaults]\nsource = \"legacy\"\n");
    let mut own = person(json!({"plan": "pro"}).as_object().expect("one"));
    let at = Timestamp::parse(AT).expect("a time");
    own.traits.insert("source".to_owned(), (at, Value::Null));
    for is_whole in [false, true] {
        let document = reverse.document_of(&own, None, is_whole);
        assert_eq!(document, json!({"plan": "pro", "source": null}));
        assert_eq!(read(&reverse, &document).get("source"), None);
    }
}

#[test]
fn a_mapping_that_reads_no_documents_has_no_reverse() {
    for text in [
        "preset = \"roster\"\n",
        "preset = \"debezium\"\n",
        "preset = \"tracking\"\n",
        "[identities]\nuser_id = \"/id\"\n",
    ] {
        assert!(
            Mapping::parse(text)
                .expect("a mapping")
                .reverse(None)
                .is_err(),
            "{text}"
        );
    }
    let preset = Mapping::parse("preset = \"elasticsearch\"\n").expect("a mapping");
    assert_eq!(
        preset.reverse(None).expect("one").document_kind(),
        "user_id"
    );
}

#[test]
fn what_the_mapping_does_not_choose_stays_as_it_is() {
    let reverse = reverse(
        "preset = \"elasticsearch\"\n[traits]\nonly = [\"plan\"]\n[traits.rename]\ntown = \"city\"\n",
    );
    let old = json!({"plan": "pro", "score": 7, "city": "Bonn", "town": "Ulm"});
    let own = person(
        json!({"plan": "free", "score": 8, "city": "Ulm"})
            .as_object()
            .expect("one"),
    );
    let expected = json!({"plan": "free", "score": 7, "city": "Bonn", "town": "Ulm"});
    for is_whole in [false, true] {
        assert_eq!(reverse.document_of(&own, Some(&old), is_whole), expected);
    }
}

#[test]
fn what_a_rename_hides_or_can_not_move_stays() {
    let reverse = reverse(
        "preset = \"elasticsearch\"\n[traits.rename]\nplan_name = \"plan\"\n\"/addr/city\" = \"city\"\n",
    );
    let own = person(json!({"foo": 1}).as_object().expect("one"));
    for old in [
        json!({"plan_name": "x", "plan": "y"}),
        json!({"addr": "text", "city": "Ulm"}),
        json!({"plan": "y"}),
        json!({"addr": {"city": "Ulm", "zip": 1}, "city": "Bonn"}),
    ] {
        let mut expected = old.clone();
        expected["foo"] = json!(1);
        assert_eq!(reverse.document_of(&own, Some(&old), false), expected);
    }
    let own = person(
        json!({"addr": "text", "city": "Ulm"})
            .as_object()
            .expect("one"),
    );
    let fresh = reverse.document_of(&own, None, true);
    assert_eq!(fresh, json!({"addr": "text", "city": "Ulm"}));
}

#[test]
fn a_name_that_is_a_trait_too_is_as_the_trait_says() {
    for (mapping, member) in [
        ("email = \"/email\"\n", "email"),
        (
            "email = \"/mail\"\n[traits.rename]\nmail = \"email\"\n",
            "mail",
        ),
        (
            "email = \"/p/mail\"\n[traits]\nroot = \"/p\"\nonly = [\"mail\"]\n[traits.rename]\nmail = \"email\"\n",
            "p/mail",
        ),
    ] {
        let mapping = format!(
            "preset = \"elasticsearch\"\n[identities]\nuser_id = \"record:/_id\"\n{mapping}"
        );
        let reverse = reverse(&mapping);
        let of = |value: Value| {
            let mut row = json!({});
            let place = Pointer::parse(&format!("/{member}")).expect("a place");
            place.put(&mut row, value);
            row
        };
        let own = person(json!({"email": "r3@x.io"}).as_object().expect("one"));
        let mut own = named(own, "email", "r2@x.io");
        let old = of(json!("r2@x.io"));
        for is_whole in [false, true] {
            for under in [None, Some(&old), Some(&of(json!("r3@x.io")))] {
                let document = reverse.document_of(&own, under, is_whole);
                assert_eq!(document, of(json!("r3@x.io")), "{mapping}");
            }
        }
        let at = Timestamp::parse(AT).expect("a time");
        own.traits.insert("email".to_owned(), (at, Value::Null));
        let document = reverse.document_of(&own, Some(&old), true);
        assert_eq!(read(&reverse, &document), Map::new(), "{mapping}");
        own.traits.clear();
        assert_eq!(reverse.document_of(&own, None, true), old, "{mapping}");
    }
}

#[test]
fn a_trait_names_nobody_else_where_its_name_decides_whom_a_document_is_about() {
    for (identities, kind) in [
        ("user_id = \"/id\"\n", "user_id"),
        (
            "user_id = \"record:/_id\"\ncustomer_no = \"/id\"\n",
            "customer_no",
        ),
        ("email = \"/id\"\n", "email"),
    ] {
        let mapping = format!("preset = \"elasticsearch\"\n[identities]\n{identities}");
        let reverse = reverse(&mapping).with_kinds(kinds());
        let mut own = person(json!({"id": "8"}).as_object().expect("one"));
        if kind != "user_id" {
            own = named(own, kind, "7");
        }
        for is_whole in [false, true] {
            let document = reverse.document_of(&own, Some(&json!({"id": "8"})), is_whole);
            assert_eq!(document, json!({"id": "7"}), "{mapping}");
        }
    }
}

#[test]
fn names_are_compared_as_the_project_does() {
    let reverse = reverse(
        "preset = \"elasticsearch\"\n[identities]\nuser_id = \"/id\"\nemail = \"/mail\"\nphone = \"/phone\"\n[traits]\ndrop = [\"id\", \"mail\", \"phone\"]\n",
    )
    .with_kinds(kinds());
    let own = named(person(&Map::new()), "email", "j\u{f6}rg@x.io");
    let mut own = named(own, "phone", "+4989777000");
    let spelled = json!({"id": 7, "mail": "J\u{d6}RG@x.io", "phone": "+49 (89) 777-000"});
    for is_whole in [false, true] {
        let document = reverse.document_of(&own, Some(&spelled), is_whole);
        assert_eq!(document, spelled);
    }
    let other = json!({"id": 7, "mail": "j\u{f6}rg@x.io", "phone": "0049 89 777000"});
    let together = reverse.together(Some(spelled), vec![other]);
    let together = together.expect("one");
    assert_eq!(
        (&together["mail"], &together["phone"]),
        (&json!("J\u{d6}RG@x.io"), &json!("+49 (89) 777-000"))
    );

    // Only ids that are spelled alike are one.
    own.identities[0].1 = "u4".to_owned();
    let document = reverse.document_of(&own, Some(&json!({"id": "U4"})), false);
    assert_eq!(document["id"], "u4");
}
