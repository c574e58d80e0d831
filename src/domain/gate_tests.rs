//! What a new road needs, and what the gate holds its drafts against.

use super::*;
use crate::domain::{Item, KeyKind, Kinds, Rules};

pub(in crate::domain) fn limits() -> Limits {
    Limits {
        name_bytes: 20,
        message_id_bytes: 20,
        identity_bytes: 20,
        depth: 4,
        batch_items: 10,
        rejected_item_bytes: 100,
        event_properties: 5,
        event_bytes: 100,
        trait_bytes: 50,
        profile_traits: 4,
        profile_bytes: 100,
        profile_identities: 3,
        profile_emails: 5,
        profile_absorbed: 50,
        user_fields: 100,
        event_fields: 100,
        placeholders: String::new(),
        no_placeholders: String::new(),
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("small")
}

fn with_gate<T>(test: impl Fn(&Gate<'_>) -> T) -> T {
    let (kinds, limits) = (Kinds::default(), limits());
    test(&Gate {
        project_id: ProjectId(1),
        class: Class::Backfill,
        by: KeyKind::Server,
        kinds: &kinds,
        limits: &limits,
        received_at: at(1_000),
        is_measured: false,
    })
}

/// A road of ten lines: `kind:value {traits}` at a time, a record of a profile without an event.
fn read_record(gate: &Gate<'_>, line: &str, updated_at: Timestamp) -> Result<Command, Rejection> {
    let (name, traits) = line.split_once(' ').unwrap_or((line, "{}"));
    let (kind, value) = name.split_once(':').unwrap_or(("user_id", name));
    gate.command(Draft {
        names: vec![gate.name(kind, value, "name")],
        traits: Some(Json::from_database(traits.to_owned())),
        mode: Mode::Document,
        ..Draft::at(updated_at)
    })
}

#[test]
fn a_record_has_no_event_and_a_key_of_its_own() {
    with_gate(|gate| {
        let read = || read_record(gate, r#"email:Ada@B.c {"plan":1}"#, at(7)).expect("valid");
        let (one, other) = (read(), read());
        assert!(one.event().is_none() && one.class() == Class::Backfill);
        assert_ne!(one.key(), other.key());
        let person = one.subjects().next().expect("somebody");
        assert_eq!(person.identities[0].value, "ada@b.c");
        let write = person.traits.expect("traits");
        assert_eq!((write.mode, write.stamp), (Mode::Document, Stamp::live(7)));
        let nothing = read_record(gate, "ada", at(7)).expect("valid");
        assert!(nothing.subjects().all(|person| person.traits.is_some()));
    });
}

#[test]
fn nothing_is_later_than_its_receipt() {
    with_gate(|gate| {
        let command = read_record(gate, "ada", at(2_000)).expect("valid");
        assert_eq!(command.occurred_at(), at(1_000));
    });
}

#[test]
fn the_strongest_name_leads_but_for_what_the_caller_says_is_one_person() {
    with_gate(|gate| {
        let name = |kind, value| gate.name(kind, value, "field");
        let draft = |names, explicit| Draft {
            names,
            explicit,
            ..Draft::at(at(7))
        };
        let kinds = |draft| -> Vec<String> {
            let command = gate.command(draft).expect("valid");
            let kinds = command.identities().iter();
            kinds.map(|name| name.kind.as_str().to_owned()).collect()
        };
        let mixed = || {
            vec![
                name("anonymous_id", "a"),
                name("email", "a@b"),
                name("user_id", "u"),
            ]
        };
        assert_eq!(
            kinds(draft(mixed(), 0)),
            ["user_id", "email", "anonymous_id"]
        );
        assert_eq!(
            kinds(draft(mixed(), 2)),
            ["anonymous_id", "email", "user_id"]
        );
        let twice = vec![name("user_id", "u"), name("user_id", "u")];
        assert_eq!(kinds(draft(twice, 2)), ["user_id"]);
    });
}

#[test]
fn a_hint_that_is_no_name_is_only_a_trait() {
    with_gate(|gate| {
        for email in ["\"a\"", "\"@b\"", "\"a@b@c\"", "7", "null"] {
            let traits = Json::from_database(format!("{{\"email\":{email}}}"));
            let mut names = vec![gate.name("user_id", "u", "userId")];
            names.extend(gate.names_in(&traits));
            let draft = Draft {
                names,
                ..Draft::at(at(7))
            };
            let command = gate.command(draft).expect("valid");
            assert_eq!(command.identities().len(), 1, "{email}");
        }
    });
}

#[test]
fn each_limit_has_its_code() {
    let long = "x".repeat(21);
    let cases = [
        (format!("user_id:{long}"), Code::TooLong),
        (
            format!(r#"ada {{"a":"{}"}}"#, "x".repeat(60)),
            Code::TraitTooLarge,
        ),
        (
            r#"ada {"a":1,"b":2,"c":3,"d":4,"e":5}"#.to_owned(),
            Code::ProfileTooLarge,
        ),
        (
            r#"ada {"a":{"b":{"c":{"d":{}}}}}"#.to_owned(),
            Code::TooDeep,
        ),
        (
            r#"ada {"a":{"b":1,"c":2,"d":3,"e":4,"f":5}}"#.to_owned(),
            Code::TooManyProperties,
        ),
    ];
    with_gate(|gate| {
        for (line, code) in &cases {
            let rejection = read_record(gate, line, at(7)).expect_err(line);
            assert_eq!(rejection.code, *code, "{line}");
        }
        let names = (1..5).map(|number| gate.name("user_id", &number.to_string(), "field"));
        let draft = Draft {
            names: names.collect(),
            ..Draft::at(at(7))
        };
        let rejection = gate.command(draft).expect_err("a crowd");
        assert_eq!(rejection.code, Code::TooManyIdentities);
        let rejection = gate.command(Draft::at(at(7))).expect_err("nobody");
        assert_eq!(rejection.code, Code::MissingIdentity);
    });
}

#[test]
fn an_event_has_a_limit_of_bytes_and_counts_what_it_holds() {
    with_gate(|gate| {
        let track = |bytes: usize| {
            let properties = format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
            gate.command(Draft {
                names: vec![gate.name("user_id", "u", "userId")],
                event: Some(EventDraft {
                    message_id: Some(Text::new("m", "messageId")),
                    event_type: EventType::Track,
                    name: Some(Text::new("e", "event")),
                    properties: Json::from_database(properties),
                    context: Json::empty_object(),
                }),
                ..Draft::at(at(7))
            })
        };
        let command = track(80).expect("small");
        assert_eq!(command.key().1, EventId::of("m").0);
        assert!(Item::Command(command).bytes() > 80);
        assert_eq!(track(90).expect_err("large").code, Code::EventTooLarge);
    });
}

/// Segment's alias, as a road reads it: whose it is, and another id that may be a user's or a device's.
fn alias(gate: &Gate<'_>) -> Command {
    let kinds = ["user_id", "user_id", "anonymous_id"];
    let names = kinds.iter().zip(["ada", "bob", "bob"]);
    gate.command(Draft {
        names: names
            .map(|(kind, value)| gate.name(kind, value, "field"))
            .collect(),
        explicit: 3,
        ..Draft::at(at(7))
    })
    .expect("valid")
}

#[test]
fn a_write_key_claims_a_user_id_and_gets_a_device() {
    with_gate(|gate| {
        let kinds = |rules| Kinds {
            rules,
            ..Kinds::default()
        };
        let (usual, trusting) = (
            kinds(Rules::default()),
            kinds(Rules {
                write_keys_join: true,
                ..Rules::default()
            }),
        );
        let cases = [
            (KeyKind::Server, &usual, (3, 0)),
            (KeyKind::Write, &trusting, (3, 0)),
            (KeyKind::Write, &usual, (0, 1)),
        ];
        for (by, kinds, expected) in cases {
            let command = alias(&Gate { by, kinds, ..*gate });
            let person = command.subjects().next().expect("somebody");
            assert_eq!((person.explicit, person.apart), expected);
            let own = person.own().iter().map(|name| name.kind.as_str());
            let own: Vec<&str> = own.filter(|kind| *kind == "user_id").collect();
            assert_eq!(own.len(), 2 - expected.1);
        }
    });
}

#[test]
fn a_name_that_leads_says_whose_it_is_by_anybodys_word() {
    with_gate(|gate| {
        for by in [KeyKind::Server, KeyKind::Write] {
            let gate = Gate { by, ..*gate };
            let names = [("email", "ada@example.com"), ("user_id", "ada")];
            let name = |(kind, value): (&'static str, &str)| gate.name(kind, value, "field");
            let draft = |leads| Draft {
                names: names.into_iter().map(name).collect(),
                leads,
                ..Draft::at(at(7))
            };
            for (leads, explicit, first) in [(true, 1, "email"), (false, 0, "user_id")] {
                let command = gate.command(draft(leads)).expect("valid");
                let person = command.subjects().next().expect("somebody");
                assert_eq!((person.explicit, person.apart), (explicit, 0));
                assert_eq!(person.own()[0].kind.as_str(), first);
            }
        }
    });
}

fn named(gate: &Gate<'_>, names: &[(&str, &str)]) -> Result<Command, Rejection> {
    let names = names.iter();
    gate.command(Draft {
        names: names
            .map(|(kind, value)| gate.name(kind, value, (*kind).to_owned()))
            .collect(),
        ..Draft::at(at(7))
    })
}

#[test]
fn a_placeholder_is_no_name_and_is_told() {
    with_gate(|gate| {
        let command = named(gate, &[("user_id", "NULL"), ("anonymous_id", "\"phone\" ")]);
        let command = command.expect("the phone is somebody's");
        assert_eq!(command.identities()[0].value, "phone");
        let told: Vec<_> = command
            .warnings()
            .iter()
            .map(|one| (one.code, &*one.field))
            .collect();
        assert_eq!(told, [("placeholder_id", "user_id")]);
        let nobody = named(gate, &[("user_id", "undefined"), ("anonymous_id", "0")]);
        assert_eq!(nobody.expect_err("nobody").code, Code::MissingIdentity);
    });
}

#[test]
fn a_placeholder_is_no_message_id_and_no_group() {
    with_gate(|gate| {
        let draft = |message_id: &str| Draft {
            names: vec![gate.name("user_id", "u", "userId")],
            event: Some(EventDraft {
                message_id: Some(Text::new(message_id, "messageId")),
                event_type: EventType::Group,
                name: None,
                properties: Json::empty_object(),
                context: Json::empty_object(),
            }),
            group: Some(GroupDraft {
                name: gate.name("group_id", "null", "groupId"),
                traits: None,
            }),
            ..Draft::at(at(7))
        };
        let (one, other) = (
            gate.command(draft("undefined")),
            gate.command(draft("undefined")),
        );
        let (one, other) = (one.expect("stored"), other.expect("stored"));
        assert!(one.key() != other.key() && one.group().is_none());
        let told: Vec<_> = one
            .warnings()
            .iter()
            .map(|one| (one.code, &*one.field))
            .collect();
        assert_eq!(
            told,
            [
                ("placeholder_message_id", "messageId"),
                ("placeholder_id", "groupId")
            ]
        );
        let named = gate.command(draft("m-1")).expect("stored");
        assert_eq!(named.event().expect("an event").message_id, "m-1");
    });
}
