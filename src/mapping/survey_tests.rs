//! Surveys of real records.

use super::*;
use crate::domain::{Class, Gate, KeyKind, Kinds, ProjectId};
use crate::mapping::row_tests::{KAFKA, START, at, limits, no_calls};
use bytes::Bytes;

/// What a mapping makes of values, all without keys, of the moment `KAFKA`.
fn surveyed(mapping: &str, values: &[&str]) -> Survey {
    let mapping = match mapping {
        "" => Mapping::roster(),
        text => Mapping::parse(text).expect("a mapping"),
    };
    let (kinds, limits, mut survey) = (Kinds::default(), limits(), Survey::new(&mapping, true));
    for (number, value) in values.iter().enumerate() {
        let value = Bytes::copy_from_slice(value.as_bytes());
        let record = Record {
            key: None,
            value: (!value.is_empty()).then_some(&value),
            headers: &[],
            at: Some(at(KAFKA)),
            from: None,
        };
        let gate = Gate {
            project_id: ProjectId(1),
            class: Class::Backfill,
            by: KeyKind::Server,
            kinds: &kinds,
            limits: &limits,
            received_at: at(KAFKA),
            is_measured: false,
        };
        let read = mapping.read(&record, &gate, at(START), &no_calls);
        survey.take(&format!("line {number}"), value.len(), &record, read);
    }
    survey
}

const PEOPLE: &str = "[identities]\nuser_id = \"/id\"\nemail = \"/mail\"\n[time]\nat = \"/changed\"\nformat = \"epoch_ms\"\n[traits]\ndrop = [\"password\"]\n[traits.types]\nage = \"integer\"\nborn = { type = \"time\", format = \"%d.%m.%Y\" }\n[delete]\nmark = \"/gone\"\n";

const ROWS: [&str; 5] = [
    r#"{"id":1,"mail":"a@b.example","changed":1700000000000,"age":"42","born":"01.02.1980","balance":"BOI=","password":"x"}"#,
    r#"{"id":2,"changed":1600000000000,"age":"old","balance":"/w==","city":{"name":"Rome"}}"#,
    r#"{"id":3,"city":"Paris"}"#,
    r#"{"id":4,"gone":true}"#,
    r#"{"changed":1500000000000}"#,
];

#[test]
fn records_are_counted_by_what_they_come_to() {
    let survey = surveyed(PEOPLE, &ROWS);
    let Commands {
        upsert,
        delete,
        event,
    } = survey.commands;
    assert_eq!((upsert, delete, event), (3, 1, 0));
    let refused = &survey.rejections["missing_identity"];
    assert_eq!((refused.count, refused.place.as_str()), (1, "line 4"));
    assert!(
        refused.reason.contains("user_id at /id"),
        "{}",
        refused.reason
    );
    assert_eq!((survey.without_identity, survey.without_time), (1, 1));
    assert_eq!(survey.without_key, Some(5));
    assert_eq!(survey.identities.by_name["user_id"], 4);
    assert_eq!(survey.identities.by_name["email"], 1);
    assert_eq!(survey.largest[0].place, "line 0");
    assert!(survey.never_met().is_empty(), "{:?}", survey.never_met());
}

#[test]
fn row_5_the_earliest_and_the_latest_of_each_time_are_told() {
    let survey = surveyed(PEOPLE, &ROWS);
    let span = |place: &str| {
        let span = &survey.times.by_name[place];
        [span.earliest, span.latest].map(|at| at.expect("a time").to_string())
    };
    let changed = ["2017-07-14T02:40:00.000Z", "2023-11-14T22:13:20.000Z"];
    assert_eq!(span("/changed"), changed);
    assert_eq!(span("trait /born"), ["1980-02-01T00:00:00.000Z"; 2]);
    // A wrong unit shows itself.
    let seconds = PEOPLE.replace("epoch_ms", "epoch_us");
    let survey = surveyed(&seconds, &ROWS);
    let latest = survey.times.by_name["/changed"].latest.expect("a time");
    assert!(latest.to_string().starts_with("1970-01-20"), "{latest}");
}

#[test]
fn a_time_of_tomorrow_is_told_as_it_was_written() {
    let survey = surveyed(PEOPLE, &[r#"{"id":1,"changed":1900000000000}"#]);
    let latest = survey.times.by_name["/changed"].latest.expect("a time");
    assert_eq!(latest.to_string(), "2030-03-17T17:46:40.000Z");
}

#[test]
fn fields_are_those_that_would_be_written() {
    let fields = surveyed(PEOPLE, &ROWS).fields.0.by_name;
    assert_eq!(fields["age"].types, BTreeMap::from([("number", 1)]));
    assert!(fields["city"].is_conflicting, "an object and a text");
    assert_eq!(fields["city.name"].example.as_deref(), Some("\"Rome\""));
    assert!(fields["balance"].looks_like_decimal);
    assert!(!fields.contains_key("password"));
}

#[test]
fn warnings_are_counted_by_code_and_field() {
    let survey = surveyed(PEOPLE, &ROWS);
    assert_eq!(survey.warnings["not_converted"].by_name["/age"], 1);
    assert_eq!(survey.warnings["no_time"].by_name["time"], 1);
}

#[test]
fn a_typo_is_a_key_that_no_record_has() {
    let typo = PEOPLE
        .replace("/changed", "/chnaged")
        .replace("age =", "agee =")
        .replace("\"password\"", "\"pasword\"");
    let survey = surveyed(&typo, &ROWS);
    let unmet: Vec<&str> = survey.never_met().keys().map(String::as_str).collect();
    let expected = [
        "[time] at",
        "[traits.types] /agee",
        "[traits] drop /pasword",
    ];
    assert_eq!(unmet, expected);
    assert_eq!(survey.never_met()["[time] at"], "/chnaged");
    assert_eq!(survey.without_time, 3);
}

#[test]
fn a_field_that_never_converts_is_no_typo() {
    let survey = surveyed(PEOPLE, &[r#"{"id":1,"age":"old"}"#]);
    assert!(!survey.never_met().contains_key("[traits.types] /age"));
}

#[test]
fn rosters_own_format_needs_no_mapping() {
    let survey = surveyed(
        "",
        &[
            r#"{"roster":1,"type":"upsert","identities":{"user_id":7},"updated_at":"2023-05-01T10:00:00Z","times":{"plan":"2022-01-01"},"traits":{"plan":"pro"},"group":{"id":"g","traits":{"size":3}}}"#,
            r#"{"roster":1,"type":"delete","identities":{"user_id":8}}"#,
            r#"{"roster":1,"type":"event","id":"e","name":"Paid","identities":{"user_id":7}}"#,
            r#"{"roster":2}"#,
            "",
        ],
    );
    let Commands {
        upsert,
        delete,
        event,
    } = survey.commands;
    assert_eq!((upsert, delete, event), (1, 1, 1));
    assert_eq!(survey.control["tombstone"], 1);
    assert_eq!(survey.rejections["invalid_field"].count, 1);
    assert_eq!(survey.without_time, 1, "the event; a deletion has Kafka's");
    assert!(survey.fields.0.by_name.contains_key("group.size"));
    assert_eq!(survey.identities.by_name["group_id"], 1);
    let places: Vec<&str> = survey.times.by_name.keys().map(String::as_str).collect();
    assert_eq!(places, ["/times/plan", "/updated_at"]);
}

#[test]
fn whose_records_are_is_told_where_records_say_it() {
    let mapping = "[identities]\nuser_id = \"/id\"\n[project]\nfield = \"/shop\"\n";
    let survey = surveyed(mapping, &[r#"{"id":1,"shop":"a"}"#, r#"{"id":1}"#]);
    let projects = survey.projects.as_ref().expect("told");
    assert_eq!(projects.by_name, BTreeMap::from([("a".to_owned(), 1)]));
    assert_eq!(survey.rejections["unknown_project"].place, "line 1");
    assert_eq!(survey.commands.upsert, 1);
}

#[test]
fn debezium_s_marks_are_about_nobody_and_an_emptied_table_is_told() {
    let rows = [
        r#"{"ts_ms":1700000000000}"#,
        r#"{"op":"t","before":null,"after":null}"#,
        r#"{"op":"u","after":{"id":7,"plan":"pro"},"source":{"ts_ms":1700000000000,"lsn":5}}"#,
    ];
    let survey = surveyed("preset = \"debezium\"", &rows);
    assert_eq!((survey.control["heartbeat"], survey.truncated), (1, 1));
    assert_eq!(survey.without_time, 0, "the envelope has one");
    let span = &survey.times.by_name["envelope"];
    assert!(span.earliest.is_some());
}

#[test]
fn the_whole_is_estimated_by_the_sample() {
    let survey = surveyed(PEOPLE, &ROWS);
    let whole = survey.estimate(500);
    assert_eq!(whole.records, 500);
    assert_eq!(whole.bytes, survey.bytes * 100);
    assert_eq!(
        (whole.profiles_at_most, whole.identities_at_most),
        (300, 500)
    );
    let nothing = surveyed(PEOPLE, &[]).estimate(500);
    assert_eq!((nothing.bytes, nothing.profiles_at_most), (0, 0));
}
