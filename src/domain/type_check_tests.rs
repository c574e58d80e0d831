use super::*;
use crate::domain::gate::tests::limits;
use crate::domain::{
    Class, Draft, EventDraft, EventType, Gate, Json, KeyKind, Kinds, ProjectId, Rules, Text,
    Timestamp,
};
use serde_json::{Value, json};

fn item(types: TypeRule, name: Option<&str>, object: &Value) -> Item {
    let rules = Rules {
        types,
        ..Rules::default()
    };
    let kinds = Kinds {
        rules,
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
    let event = name.map(|name| EventDraft {
        message_id: None,
        event_type: EventType::Track,
        name: Some(Text::new(name, "event")),
        properties: Json::of(object),
        context: Json::empty_object(),
    });
    let draft = Draft {
        names: vec![gate.name("user_id", "1", "userId")],
        traits: event.is_none().then(|| Json::of(object)),
        event,
        ..Draft::at(Timestamp::from_micros(7).expect("small"))
    };
    Item::Command(gate.command(draft).expect("valid"))
}

fn user(types: TypeRule, traits: &Value) -> Item {
    item(types, None, traits)
}

fn plans(known: &[(&str, FieldType)]) -> Plans {
    let mut types = Types::default();
    for (path, its_type) in known {
        types.learn((*path).to_owned(), *its_type);
    }
    Plans::from([(Category::User, Arc::new(types))])
}

/// As a node does it that is alone.
fn check(items: &mut [Item], plans: &mut Plans, terms: &Terms<'_>, limits: &Limits) -> Told {
    let mut look = Look::over(items, plans, terms, limits);
    if look.told.is_refused {
        return look.told;
    }
    let mut created = BTreeSet::new();
    for (category, fields) in std::mem::take(&mut look.new) {
        let types = Arc::make_mut(plans.entry(category).or_default());
        for (path, its_type) in fields {
            created.insert(path.clone());
            types.learn(path, its_type);
        }
    }
    let told = look.settle(items, plans, terms, limits);
    Told { created, ..told }
}

fn traits(item: &Item) -> Value {
    let person = item.command().and_then(|command| command.subjects().next());
    let traits = person.and_then(|person| person.traits);
    let members = traits.iter().flat_map(|write| write.traits.clone());
    serde_json::from_str(Json::from_members(&members.collect()).as_str()).expect("JSON")
}

fn codes(item: &Item) -> Vec<(&str, &str)> {
    let warnings = item.command().expect("one").warnings().iter();
    warnings
        .map(|warning| (warning.code, warning.field.as_str()))
        .collect()
}

#[test]
fn what_does_not_fit_is_told_and_left_out_only_where_the_plan_is_enforced() {
    for (rule, kept) in [
        (TypeRule::Warn, json!({"plan": 7, "city": "Ulm"})),
        (TypeRule::Enforce, json!({"city": "Ulm"})),
    ] {
        let mut items = [user(rule, &json!({"plan": 7, "city": "Ulm"}))];
        let mut plans = plans(&[("plan", FieldType::String)]);
        let told = check(&mut items, &mut plans, &Terms::default(), &limits());
        assert!(!told.is_refused);
        assert_eq!(told.created, BTreeSet::from(["city".to_owned()]));
        assert_eq!(traits(&items[0]), kept);
        assert_eq!(codes(&items[0]), [("type_mismatch", "traits.plan")]);
        let again = check(&mut items, &mut plans, &Terms::default(), &limits());
        assert_eq!((again, codes(&items[0]).len()), (Told::default(), 1));
    }
}

#[test]
fn of_a_new_field_the_first_of_a_request_decides_and_the_database_has_the_last_word() {
    let mut items = [json!({"a": 1}), json!({"a": "x"})].map(|own| user(TypeRule::Enforce, &own));
    let mut plans = plans(&[]);
    check(&mut items, &mut plans, &Terms::default(), &limits());
    assert_eq!(traits(&items[0]), json!({"a": 1}));
    assert_eq!(traits(&items[1]), json!({}));

    let mut items = [user(TypeRule::Enforce, &json!({"b": 1}))];
    let terms = Terms {
        refuses: true,
        ..Terms::default()
    };
    let look = Look::over(&items, &plans, &terms, &limits());
    assert_eq!(look.new[&Category::User]["b"], FieldType::Long);
    // Another node was first.
    let types = Arc::make_mut(plans.get_mut(&Category::User).expect("one"));
    types.learn("b".to_owned(), FieldType::Date);
    let told = look.settle(&mut items, &plans, &terms, &limits());
    assert!(told.is_refused);
    assert_eq!(told.mismatches[0].expected, FieldType::Date);
}

#[test]
fn who_refuses_gets_nothing_changed_and_nothing_new() {
    let mut items =
        [json!({"new": 1}), json!({"plan": 7})].map(|own| user(TypeRule::Enforce, &own));
    let mut known = plans(&[("plan", FieldType::String)]);
    let before = known.clone();
    let terms = Terms {
        refuses: true,
        ..Terms::default()
    };
    let told = check(&mut items, &mut known, &terms, &limits());
    assert!(told.is_refused && known == before);
    assert_eq!(told.mismatches[0].path, "plan");
    assert_eq!(codes(&items[1]), []);
    // Where it is only warned of, nothing is refused.
    let mut items = [user(TypeRule::Warn, &json!({"plan": 7}))];
    assert!(!check(&mut items, &mut known, &terms, &limits()).is_refused);
}

#[test]
fn new_fields_are_left_out_of_calls_that_may_not_make_any() {
    let both = json!({"plan": "pro", "a": 1, "b": {"c": 1}});
    let mut items = [
        user(TypeRule::Warn, &both),
        user(TypeRule::Warn, &json!({"a": 2})),
    ];
    let terms = Terms {
        creates: &[false, true],
        ..Terms::default()
    };
    let mut plans = plans(&[("plan", FieldType::String)]);
    let told = check(&mut items, &mut plans, &terms, &limits());
    // The second made it.
    assert_eq!(traits(&items[0]), json!({"plan": "pro", "a": 1}));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(told.filtered, names(&["b", "b.c"]));
    assert_eq!(told.created, names(&["a"]));
    assert_eq!(codes(&items[0]), []);
}

#[test]
fn a_plan_has_room_for_so_many_fields() {
    let narrow = Limits {
        user_fields: 2,
        ..limits()
    };
    let stated = json!({"a": 1, "b": 2, "c": 3});
    let terms = Terms {
        refuses: true,
        ..Terms::default()
    };
    let mut items = [user(TypeRule::Enforce, &stated)];
    let told = check(&mut items, &mut plans(&[]), &terms, &narrow);
    let surplus = told.surplus.expect("one too many");
    assert!(told.is_refused);
    assert_eq!((surplus.limit, surplus.total), (2, 3));
    assert_eq!(surplus.names, ["a", "b", "c"]);

    for (rule, kept) in [
        (TypeRule::Warn, stated.clone()),
        (TypeRule::Enforce, json!({"a": 1, "b": 2})),
    ] {
        let mut items = [user(rule, &stated)];
        check(&mut items, &mut plans(&[]), &Terms::default(), &narrow);
        assert_eq!(traits(&items[0]), kept);
        assert_eq!(codes(&items[0]), [("too_many_fields", "traits.c")]);
    }
}

#[test]
fn each_name_of_an_event_has_a_plan_of_its_own() {
    let events = [("Bought", json!({"n": 1})), ("Seen", json!({"n": "x"}))];
    let mut items = events.map(|(name, own)| item(TypeRule::Enforce, Some(name), &own));
    let mut plans = Plans::new();
    check(&mut items, &mut plans, &Terms::default(), &limits());
    assert!(items.iter().all(|item| codes(item).is_empty()));
    let mut late = [item(TypeRule::Enforce, Some("Bought"), &json!({"n": "x"}))];
    check(&mut late, &mut plans, &Terms::default(), &limits());
    assert_eq!(codes(&late[0]), [("type_mismatch", "properties.n")]);
    let event = late[0].command().and_then(Command::event).expect("one");
    assert_eq!(event.properties.as_str(), "{}");
}
