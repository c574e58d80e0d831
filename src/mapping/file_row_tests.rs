//! The cases of `contracts/field-imports.md` about values and people, by the numbers of its rows: what mappings make of records of
//! files.

use super::row_tests::{START, at, limits, names, no_calls, stamp, traits};
use super::*;
use crate::domain::{Class, Code, KeyKind, Kinds, ProjectId, Stamp};
use serde_json::{Value, json};

pub(super) const EMAIL: &str = "[identities]\nemail = \"/email\"\n";

/// When the import was begun, later than the file's own time.
const RECEIVED: &str = "2026-05-01T00:00:00.000Z";

pub(super) fn from(number: u64, is_row: bool) -> FromFile<'static> {
    FromFile {
        name: "users.csv",
        number,
        line: number + 1,
        part: None,
        is_row,
    }
}

pub(super) fn read_from(
    mapping: &Mapping,
    value: &Value,
    from: FromFile<'_>,
) -> Result<(Command, Vec<Warning>), Rejection> {
    read_by(mapping, value, from, &no_calls)
}

pub(super) fn read_by(
    mapping: &Mapping,
    value: &Value,
    from: FromFile<'_>,
    calls: &ReadCall,
) -> Result<(Command, Vec<Warning>), Rejection> {
    let (kinds, limits) = (Kinds::default(), limits());
    let gate = Gate {
        project_id: ProjectId(1),
        class: Class::Import,
        by: KeyKind::Server,
        kinds: &kinds,
        limits: &limits,
        received_at: at(RECEIVED),
        is_measured: false,
    };
    let value = Bytes::from(value.to_string());
    let record = Record {
        key: None,
        value: Some(&value),
        headers: &[],
        at: None,
        from: Some(from),
    };
    match mapping.read(&record, &gate, at(START), calls)? {
        Reading::Command { command, warnings } => Ok((*command, warnings)),
        other => panic!("no command but {other:?}"),
    }
}

pub(super) fn row(mapping: &str, value: Value) -> Result<(Command, Vec<Warning>), Rejection> {
    let mapping = Mapping::parse(mapping).expect("a mapping");
    read_from(&mapping, &value, from(1, true))
}

pub(super) fn code(read: Result<(Command, Vec<Warning>), Rejection>) -> (Code, Option<String>) {
    let rejection = read.expect_err("refused");
    (rejection.code, rejection.field)
}

#[test]
fn row_17_columns_that_the_mapping_does_not_name_are_not_read() {
    let mapping =
        format!("{EMAIL}[traits]\nonly = [\"plan\"]\n[traits.types]\nage = \"integer\"\n");
    let value = json!({"email": "a@x.test", "plan": "pro", "age": "36", "note": "x"});
    let (command, _) = row(&mapping, value.clone()).expect("read");
    assert_eq!(traits(&command), json!({"plan": "pro", "age": 36}));
    let all = row(&format!("{EMAIL}[traits]\nonly = \"*\"\n"), value.clone())
        .expect("read")
        .0;
    assert_eq!(
        traits(&all),
        json!({"plan": "pro", "age": "36", "note": "x"})
    );
    let none = row(EMAIL, value).expect("read").0;
    assert_eq!(traits(&none), json!({}));
    let columns = Mapping::parse(&mapping).expect("a mapping").columns();
    assert_eq!(
        columns,
        Some(["email", "age", "plan"].map(str::to_owned).to_vec())
    );
}

#[test]
fn row_19_a_damaged_number_is_nobody() {
    for value in [
        "1.9143E+18",
        "8,96529E+19",
        "1E+15",
        "1.9143E18",
        "-9.99e-05",
    ] {
        let read = row("[identities]\nuser_id = \"/id\"\n", json!({"id": value}));
        assert_eq!(code(read), (Code::DamagedNumber, Some("/id".to_owned())));
        let read = read_from(
            &Mapping::of_columns(),
            &json!({"user_id": value}),
            from(1, true),
        );
        assert_eq!(code(read).0, Code::DamagedNumber);
    }
    for value in ["12E5", "12e-5", "1.E", "E+5", "v1.2e"] {
        let read = row("[identities]\nuser_id = \"/id\"\n", json!({"id": value}));
        assert!(read.is_ok(), "{value}");
    }
}

#[test]
fn row_20_a_column_is_text_unless_it_is_said() {
    let value =
        json!({"email": "a@x.test", "phone": "0444123456", "zip": "007", "mobile": "+32444123456"});
    let (command, _) = read_from(&Mapping::of_columns(), &value, from(1, true)).expect("read");
    assert_eq!(
        traits(&command),
        json!({"phone": "0444123456", "zip": "007", "mobile": "+32444123456"})
    );
}

#[test]
fn row_21_dates_with_slashes_need_a_format() {
    let timed = format!("{EMAIL}[time]\nat = \"/at\"\n");
    let value = json!({"email": "a@x.test", "at": "03/04/2026"});
    assert_eq!(
        code(row(&timed, value.clone())),
        (Code::InvalidTime, Some("/at".to_owned()))
    );
    let (command, warnings) =
        row(&format!("{timed}lenient = true\n"), value.clone()).expect("read");
    assert_eq!(
        (command.occurred_at(), warnings[0].code),
        (at(START), "not_a_time")
    );
    let (command, _) =
        row(&format!("{timed}format = \"%d/%m/%Y\"\n"), value.clone()).expect("read");
    assert_eq!(command.occurred_at(), at("2026-04-03T00:00:00.000Z"));
    let typed = format!("{EMAIL}[traits.types]\nat = \"time\"\n");
    let (command, warnings) = row(&typed, value.clone()).expect("read");
    assert_eq!(
        (traits(&command), warnings[0].code),
        (json!({}), "not_converted")
    );
    let strict = format!("{EMAIL}[traits]\nstrict = true\n[traits.types]\nat = \"time\"\n");
    assert_eq!(
        code(row(&strict, value)),
        (Code::InvalidField, Some("/at".to_owned()))
    );
}

#[test]
fn row_22_serial_days_of_spreadsheets_are_a_format_of_their_own() {
    let mapping = format!("{EMAIL}[time]\nat = \"/at\"\nformat = \"excel\"\n");
    for (serial, expected) in [
        ("45292", "2024-01-01T00:00:00.000Z"),
        ("45292.5", "2024-01-01T12:00:00.000Z"),
        ("45292.333333333336", "2024-01-01T08:00:00.000Z"),
        ("61", "1900-03-01T00:00:00.000Z"),
    ] {
        let (command, _) = row(&mapping, json!({"email": "a@x.test", "at": serial})).expect(serial);
        assert_eq!(command.occurred_at(), at(expected), "{serial}");
    }
    for serial in ["60", "soon", "-1"] {
        assert_eq!(
            code(row(&mapping, json!({"email": "a@x.test", "at": serial}))).0,
            Code::InvalidTime
        );
    }
}

#[test]
fn row_23_truth_is_written_in_the_words_that_are_said() {
    let mapping = format!(
        "{EMAIL}[traits.types]\na = \"boolean\"\nb = {{ type = \"boolean\", true = [\"Si\", \"WAHR\"], false = \"no\" }}\n"
    );
    for (given, a, b) in [
        ("yes", json!(true), None),
        ("No", json!(false), Some(json!(false))),
        ("si", Value::Null, Some(json!(true))),
        ("", Value::Null, None),
    ] {
        let (command, _) = row(
            &mapping,
            json!({"email": "a@x.test", "a": given, "b": given}),
        )
        .expect(given);
        let traits = traits(&command);
        assert_eq!(traits.get("a").cloned().unwrap_or_default(), a, "{given}");
        assert_eq!(traits.get("b").cloned(), b, "{given}");
    }
}

#[test]
fn rows_25_and_26_an_empty_identity_is_none() {
    let mapping = "[identities]\nemail = \"/email\"\nuser_id = \"/id\"\n";
    let (command, _) = row(mapping, json!({"email": " \u{a0}", "id": "7"})).expect("read");
    assert_eq!(names(&command), ["user_id:7"]);
    assert_eq!(
        code(row(mapping, json!({"email": "", "id": ""}))).0,
        Code::MissingIdentity
    );
    for nobody in ["null", "N/A", "-", "none", "unknown"] {
        let (command, _) = row(mapping, json!({"email": "a@x.test", "id": nobody})).expect("read");
        assert_eq!(names(&command), ["email:a@x.test"]);
        assert_eq!(
            code(row(mapping, json!({"id": nobody}))).0,
            Code::MissingIdentity
        );
    }
}

#[test]
fn row_27_what_cannot_be_seen_around_an_id_is_none_of_it() {
    for given in [
        "a@x.test\u{a0}",
        "\u{200b}a@x.test",
        " \u{feff}a@x.test\u{2003}",
        "\u{202a}a@x.test\u{202c}",
        "\u{2068}a@x.test\u{2069}",
        "=\"a@x.test\"",
        "'a@x.test'",
    ] {
        let (command, _) = row(EMAIL, json!({"email": given})).expect("read");
        assert_eq!(names(&command), ["email:a@x.test"]);
    }
    for given in [
        "<a@x.test>",
        "mailto:a@x.test",
        "a@x.test,",
        "somebody",
        "@x.test",
        "Ada a@x.test",
        "a\u{200b}b@x.test",
        "“a@x.test”",
        "‘a@x.test’",
        "'a@x.test",
        "[a@x.test]",
        "a@x.test|",
        "a@x.test.",
        "'a@x.test.'",
        "a@x..test",
        "a@.test",
        ".a@x.test",
        "a@x.test?subject=x",
        "a@x.test/",
        "a@x.test&cc=b",
    ] {
        assert_eq!(
            code(row(EMAIL, json!({"email": given}))),
            (Code::InvalidField, Some("/email".to_owned())),
            "{given}"
        );
    }
    // Some providers give these out.
    for given in ["a..b@x.test", "a.@x.test", "a/b@x.test"] {
        let (command, _) = row(EMAIL, json!({"email": given})).expect("read");
        assert_eq!(names(&command), [format!("email:{given}")]);
    }
}

#[test]
fn row_27_a_formula_around_an_id_is_none_of_it_and_one_that_failed_is_nobody() {
    let named = "[identities]\nuser_id = \"/id\"\nemail = \"/email\"\n";
    let (command, _) = row(named, json!({"id": "=\"007\""})).expect("read");
    assert_eq!(names(&command), ["user_id:007"]);
    for failed in ["#N/A", "#REF!", "#NAME?", "#DIV/0!", "#VALUE!", "#NV"] {
        let refused = row(named, json!({"id": failed, "email": failed})).expect_err(failed);
        assert_eq!(refused.code, Code::MissingIdentity, "{failed}");
        assert!(refused.message.starts_with("the record names nobody"));
        let (command, warnings) =
            row(named, json!({"id": "7", "email": failed})).expect("the id is somebody");
        assert_eq!(names(&command), ["user_id:7"]);
        assert_eq!(warnings[0].code, "placeholder_id");
    }
    let (command, _) = row(named, json!({"id": "=A1", "email": "o'neil@x.test"})).expect("read");
    assert_eq!(names(&command), ["user_id:=A1", "email:o'neil@x.test"]);
}

#[test]
fn row_28_one_cell_never_joins_two_people() {
    let value = json!({"email": "a@x.test; b@x.test"});
    assert_eq!(code(row(EMAIL, value.clone())).0, Code::SeveralValues);
    let value_of_three = json!({"email": "a ::: b@x ::: c@x"});
    assert_eq!(code(row(EMAIL, value_of_three)).0, Code::SeveralValues);
    let mapping = "[identities.email]\nat = \"/email\"\nsplit = \";\"\n[traits.types]\nemail = { type = \"list\", split = \";\" }\n";
    let (command, _) = row(mapping, value).expect("read");
    assert_eq!(names(&command), ["email:a@x.test"]);
    assert_eq!(traits(&command), json!({"email": ["a@x.test", "b@x.test"]}));
}

#[test]
fn row_29_json_in_a_cell_is_read_where_it_is_said() {
    let typed = format!("{EMAIL}[traits.types]\nmore = \"json\"\n");
    let (command, _) = row(
        &typed,
        json!({"email": "a@x.test", "more": "{\"age\": 42}"}),
    )
    .expect("read");
    assert_eq!(traits(&command), json!({"more": {"age": 42}}));
    let broken = json!({"email": "a@x.test", "more": "{\"age: 42}"});
    assert_eq!(
        code(row(&typed, broken.clone())),
        (Code::InvalidField, Some("/more".to_owned()))
    );
    let plain = format!("{EMAIL}[traits]\nonly = \"more\"\n");
    assert_eq!(
        traits(&row(&plain, broken).expect("read").0),
        json!({"more": "{\"age: 42}"})
    );
}

#[test]
fn row_30_of_two_rows_of_one_person_the_later_one_counts() {
    let mapping = Mapping::parse(&format!("{EMAIL}[traits]\nonly = \"*\"\n")).expect("a mapping");
    let value = json!({"email": "a@x.test", "plan": "z"});
    let stamps = [1, 900_000].map(|number| {
        stamp(
            &read_from(&mapping, &value, from(number, true))
                .expect("read")
                .0,
        )
    });
    assert!(stamps[0] < stamps[1] && stamps[1] < Stamp::live(at(START).micros()));
    assert_eq!(stamps[0].at, at(START).micros(), "the file's own time");
    let columns = stamp(
        &read_from(&Mapping::of_columns(), &value, from(7, true))
            .expect("read")
            .0,
    );
    assert_eq!((columns.at, columns.sequence), (at(START).micros(), 7));
    let own = json!({"roster": 1, "type": "upsert", "identities": {"email": "a@x.test"}, "traits": {"plan": "z"}});
    let own = stamp(
        &read_from(&Mapping::of_messages(), &own, from(8, false))
            .expect("read")
            .0,
    );
    assert_eq!((own.at, own.sequence), (at(START).micros(), 8));
}

#[test]
fn row_19_a_rounded_number_in_a_trait_is_told_of() {
    let value = json!({"user_id": "7", "code": "1.9143E+18", "size": "1.9143E+18", "mass": "1.5E-05", "at:x": "1.9143E18"});
    let told = |warnings: Vec<Warning>| -> Vec<(&str, String)> {
        let told = warnings.into_iter().map(|own| (own.code, own.field));
        let mut told: Vec<_> = told.collect();
        told.sort();
        told
    };
    let mapping = "[identities]\nuser_id = \"/user_id\"\n[traits.rename]\ncode = \"number\"\n[traits.types]\nsize = \"integer\"\nmass = \"number\"\n";
    let (command, warnings) = row(mapping, value.clone()).expect("read");
    assert_eq!(
        traits(&command),
        json!({"number": "1.9143E+18", "size": 1_914_300_000_000_000_000_i64, "mass": 1.5E-05})
    );
    let damaged = |field: &str| ("damaged_number", field.to_owned());
    assert_eq!(told(warnings), [damaged("number"), damaged("size")]);
    let (_, warnings) = read_from(&Mapping::of_columns(), &value, from(1, true)).expect("read");
    let fields = ["at:x", "code", "mass", "size"];
    assert_eq!(told(warnings), fields.map(damaged));
}

#[test]
fn columns_that_are_called_as_what_they_are_need_no_mapping() {
    let value = json!({"User ID": "7", "E-Mail": "A@x.test", "anonymousId": "d", "Plan": "pro", "age": "36"});
    let (command, _) = read_from(&Mapping::of_columns(), &value, from(1, true)).expect("read");
    assert_eq!(
        names(&command),
        ["user_id:7", "email:a@x.test", "anonymous_id:d"]
    );
    assert_eq!(traits(&command), json!({"Plan": "pro", "age": "36"}));
    let bought = json!({"email": "a@x.test", "purchase:amount": "7", "purchase:sku": "x"});
    let (command, _) = read_from(&Mapping::of_columns(), &bought, from(1, true)).expect("read");
    let event = command.event().expect("an event");
    assert_eq!(
        (event.name.as_deref(), event.properties.as_str()),
        (Some("purchase"), "{\"amount\":\"7\",\"sku\":\"x\"}")
    );
    let both = json!({"email": "a@x.test", "purchase:amount": "7", "visit:page": "x"});
    assert_eq!(
        code(read_from(&Mapping::of_columns(), &both, from(1, true))).0,
        Code::InvalidField
    );
}

pub(super) const EVENT: &str = "[identities]\nuser_id = \"/who\"\n[time]\nat = \"/at\"\n[event]\nname = \"Paid\"\n[event.properties]\namount = \"/amount\"\n[event.types]\namount = \"number\"\n";

#[test]
fn a_mapping_makes_events_of_rows_and_documents() {
    let value = json!({"who": 7, "at": "2023-05-01T10:00:00Z", "amount": "12.50", "note": "x"});
    for is_row in [true, false] {
        let mapping = Mapping::parse(EVENT).expect("a mapping");
        let (command, _) = read_from(&mapping, &value, from(1, is_row)).expect("read");
        let event = command.event().expect("an event");
        assert_eq!(
            (event.name.as_deref(), event.properties.as_str()),
            (Some("Paid"), "{\"amount\":12.50}")
        );
        assert_eq!(command.occurred_at(), at("2023-05-01T10:00:00.000Z"));
        assert!(
            command
                .subjects()
                .next()
                .expect("a person")
                .traits
                .is_none(),
            "no trait is named"
        );
    }
    let named = EVENT.replace("\"Paid\"", "\"/kind\"\nid = \"/id\"\nprefix = \"p:\"");
    let value = json!({"who": 7, "at": "2023-05-01", "kind": "Seen", "id": "e-1", "p:page": "/a", "amount": 1});
    let (command, _) = row(&named, value).expect("read");
    let event = command.event().expect("an event");
    assert_eq!(
        (event.name.as_deref(), event.message_id.as_str()),
        (Some("Seen"), "e-1")
    );
    assert_eq!(event.properties.as_str(), "{\"amount\":1,\"page\":\"/a\"}");
    let nameless = row(&named, json!({"who": 7, "at": "2023-05-01"}));
    assert_eq!(code(nameless).0, Code::MissingField);
    let columns = Mapping::parse(&named)
        .expect("a mapping")
        .columns()
        .expect("some");
    assert!(
        columns.contains(&"*".to_owned()) && columns.contains(&"kind".to_owned()),
        "{columns:?}"
    );
}
