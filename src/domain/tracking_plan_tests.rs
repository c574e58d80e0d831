use super::*;
use crate::domain::gate::tests::limits;
use crate::domain::{
    Class, Command, Draft, EventDraft, EventType, Gate, GroupDraft, KeyKind, Kinds, Mode,
    ProjectId, Rules, Text, Timestamp, TypeRule,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn stated(object: &Value) -> Stated {
    let members = Json::of(object).members().expect("an object");
    let members = members.iter().map(|(name, value)| (name.as_str(), value));
    Stated::of(members, &[])
}

/// Takes objects one after the other, each field fixed by its first value; what did not fit.
fn taken(objects: &[Value]) -> (Types, Vec<Mismatch>) {
    let (mut types, mut mismatches) = (Types::default(), Vec::new());
    for object in objects {
        let judged = judge(&Category::User, &stated(object), |path| types.get(path));
        mismatches.extend(judged.mismatches);
        for (path, its_type) in judged.unknown {
            types.learn(path, its_type);
        }
    }
    (types, mismatches)
}

#[test]
fn the_first_value_fixes_and_what_does_not_fit_is_told() {
    let long = "x".repeat(1_000);
    let (types, mismatches) = taken(&[
        json!({"signedUp": null, "tags": []}),
        json!({"signedUp": "2024-01-02", "price": 1.5, "address": {"zip": 1}, "tags": ["a"]}),
        json!({"signedUp": null, "price": 2, "address": {"zip": 2}, "tags": "b"}),
        json!({"signedUp": long, "price": "free", "address": {"zip": "1"}}),
    ]);
    assert_eq!(types.get("signedUp"), Some(FieldType::Date));
    assert_eq!(types.get("address.zip"), Some(FieldType::Long));
    let told: Vec<_> = mismatches
        .iter()
        .map(|one| (one.path.as_str(), one.expected, one.incoming_types()))
        .collect();
    assert_eq!(
        told,
        [
            ("address.zip", FieldType::Long, &["string", "keyword"][..]),
            ("price", FieldType::Double, &["string", "keyword"]),
            ("signedUp", FieldType::Date, &["string", "keyword"]),
        ]
    );
    assert_eq!(mismatches[1].value.as_str(), r#""free""#);
    assert_eq!(
        mismatches[2].value.as_text().expect("a text").len(),
        TOLD_BYTES
    );
}

#[test]
fn what_lies_within_a_value_that_does_not_fit_is_not_looked_at() {
    let types = |path: &str| (path == "home").then_some(FieldType::String);
    let object = stated(&json!({"home": {"city": "Ulm", "zip": 1}, "homes": 1}));
    let judged = judge(&Category::User, &object, types);
    assert_eq!(judged.unknown, [("homes".to_owned(), FieldType::Long)]);
    assert_eq!(judged.mismatches.len(), 1);
}

#[test]
fn categories_are_told_apart_in_rows() {
    for category in [
        Category::User,
        Category::Group,
        Category::Event("user".to_owned()),
        Category::Event(String::new()),
    ] {
        assert_eq!(Category::of_row(&category.to_row()), Some(category));
    }
    assert_eq!(Category::of_event(&"x".repeat(513)), None);
    let given = Types::given(&Category::User);
    assert_eq!(given.get("signupDate"), Some(FieldType::Date));
    assert_eq!(given.get("emailListIds"), Some(FieldType::Long));
    assert_eq!(Types::given(&Category::Group).count(), 0);
}

fn command(types: TypeRule, event: &Value, traits: &Value, mode: Mode) -> Command {
    let kinds = Kinds {
        rules: Rules {
            types,
            ..Rules::default()
        },
        ..Kinds::default()
    };
    let gate = Gate {
        project_id: ProjectId(1),
        class: Class::Live,
        by: KeyKind::Server,
        kinds: &kinds,
        limits: &limits(),
        received_at: Timestamp::from_micros(1_000).expect("small"),
        is_measured: false,
    };
    let event_type = EventType::parse(event["type"].as_str().expect("one")).expect("one");
    let draft = Draft {
        names: vec![gate.name("user_id", "1", "userId")],
        event: Some(EventDraft {
            message_id: None,
            event_type,
            name: Some(Text::new("Bought", "event")),
            properties: Json::of(&event["properties"]),
            context: Json::empty_object(),
        }),
        traits: Some(Json::of(traits)),
        mode,
        group: (event_type == EventType::Group).then(|| GroupDraft {
            name: gate.name("group_id", "g", "groupId"),
            traits: Some(Json::of(&event["properties"])),
        }),
        ..Draft::at(Timestamp::from_micros(7).expect("small"))
    };
    gate.command(draft).expect("valid")
}

#[test]
fn only_projects_with_a_plan_have_categories() {
    let event = json!({"type": "track", "properties": {"a": 1}});
    let of = |types| command(types, &event, &json!({"b": 1}), Mode::Single);
    assert_eq!(of(TypeRule::Off).categories(), []);
    let mut command = of(TypeRule::Warn);
    let bought = Category::Event("Bought".to_owned());
    assert_eq!(command.categories(), [Category::User, bought]);
    command.settle_types();
    assert_eq!(command.categories(), []);
}

#[test]
fn what_is_left_out_of_traits_is_left_out_of_their_event_too() {
    let event = json!({"type": "identify", "properties": {"a": 1, "b": 2}});
    let mut command = command(
        TypeRule::Enforce,
        &event,
        &json!({"a": 1, "b": 2}),
        Mode::Single,
    );
    command.leave_out(&Category::User, &BTreeSet::from(["a"]));
    let properties = &command.event().expect("one").properties;
    assert_eq!(properties.as_str(), r#"{"b":2}"#);
    command.leave_out(&Category::User, &BTreeSet::from(["b"]));
    let person = command.subjects().next().expect("one");
    assert!(person.traits.is_none(), "{person:?}");
}

#[test]
fn of_groups_and_whole_documents_fields_are_left_out_too() {
    let event = json!({"type": "group", "properties": {"a": {"x": 1, "y": 2}}});
    let mut command = command(TypeRule::Enforce, &event, &json!({"c": 1}), Mode::Document);
    assert_eq!(command.categories(), [Category::User, Category::Group]);
    command.leave_out(&Category::Group, &BTreeSet::from(["a.x"]));
    command.leave_out(&Category::User, &BTreeSet::from(["c"]));
    let group = command.group().expect("one").traits.as_ref();
    assert_eq!(group.expect("some").traits[0].1.as_str(), r#"{"y":2}"#);
    let properties = &command.event().expect("one").properties;
    assert_eq!(properties.as_str(), r#"{"a":{"y":2}}"#);
    let person = command.subjects().next().expect("one");
    assert!(person.traits.expect("a document").traits.is_empty());
}

#[test]
fn what_was_left_out_is_kept_for_who_looks_it_up_and_never_told_in_a_sentence() {
    let event = json!({"type": "track", "properties": {"total": "much"}});
    let mut command = command(TypeRule::Enforce, &event, &json!({}), Mode::Single);
    let category = command.categories().remove(0);
    let judged = judge(&category, &command.stated(&category), |_| {
        Some(FieldType::Long)
    });
    command.warn_of_type(&judged.mismatches[0], true);
    command.keep_unfit(&judged.mismatches);
    let warning = &command.warnings()[0];
    assert_eq!(
        (warning.code, warning.field.as_str()),
        ("type_mismatch", "properties.total")
    );
    assert!(!warning.message.contains("much"), "{}", warning.message);
    let listed = crate::domain::Rejected::mended(&command, uuid::Uuid::nil(), None).expect("one");
    let item: Value = serde_json::from_str(listed.item.as_str()).expect("JSON");
    assert_eq!(item["unfit"], json!({"total": "much"}));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i32>().prop_map(|value| json!(value)),
        (-1.0..1.0).prop_map(|value: f64| json!(value)),
        "[a-z]{0,3}|2024-01-0[1-9]".prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[abc]", any_value(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #[test]
    fn laws_a_value_fits_what_it_fixed(object in any_object()) {
        let (_, mismatches) = taken(&[object.clone(), object]);
        prop_assert_eq!(mismatches, []);
    }

    /// What fits in one order fits in the other, where no value is of a narrower type than another.
    #[test]
    fn laws_of_equal_types_no_order_matters(one in any_object(), two in any_object()) {
        let alike = |one: &Value, two: &Value| {
            let (own, others) = (stated(one), stated(two));
            let others: std::collections::BTreeMap<_, _> = others.iter().map(|(path, field)| (path.to_owned(), field.its_type)).collect();
            own.iter().all(|(path, field)| others.get(path).is_none_or(|other| *other == field.its_type))
        };
        // Members are fields of their own: what is not alike is left out, so that no case is thrown away.
        let alone = |name: &String, value: &Value| Value::Object([(name.clone(), value.clone())].into_iter().collect());
        let mut two = two;
        two.as_object_mut().expect("an object").retain(|name, value| alike(&one, &alone(name, value)));
        let (forward, missed) = taken(&[one.clone(), two.clone()]);
        let (backward, missed_too) = taken(&[two, one]);
        prop_assert_eq!(forward, backward);
        prop_assert!(missed.is_empty() && missed_too.is_empty());
    }

    /// What is left after the fields that do not fit were left out fits.
    #[test]
    fn laws_what_is_left_fits(one in any_object(), two in any_object()) {
        let (types, _) = taken(&[one]);
        let judged = judge(&Category::User, &stated(&two), |path| types.get(path));
        let paths: BTreeSet<&str> = judged.mismatches.iter().map(|one| one.path.as_str()).collect();
        let members = Json::of(&two).members().expect("an object");
        let left = crate::domain::stated::without(members.into_iter(), &paths);
        let left = Stated::of(left.iter().map(|(name, value)| (name.as_str(), value)), &[]);
        let again = judge(&Category::User, &left, |path| types.get(path));
        prop_assert_eq!(again.mismatches, []);
    }
}
