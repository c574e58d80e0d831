//! Calls as records.

use super::*;
use crate::domain::{Class, KeyKind, Kinds, Limits, ProjectId};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

const KAFKA: &str = "2024-05-01T00:00:00Z";

/// Reads a call as a record of the moment `KAFKA`.
fn read(text: &str) -> Result<Command, Rejection> {
    read_at(text, KAFKA)
}

fn read_at(text: &str, kafka: &str) -> Result<Command, Rejection> {
    read_as(Class::Backfill, (text, kafka), None)
}

fn read_as(
    class: Class,
    (text, received_at): (&str, &str),
    id: Option<NameByPlace<'_>>,
) -> Result<Command, Rejection> {
    let (kinds, limits) = (Kinds::default(), limits());
    let gate = Gate {
        project_id: ProjectId(1),
        class,
        by: KeyKind::Server,
        kinds: &kinds,
        limits: &limits,
        received_at: at(received_at),
        is_measured: false,
    };
    command(&Bytes::copy_from_slice(text.as_bytes()), &gate, id)
}

fn limits() -> Limits {
    crate::config::Config::load(None, std::collections::HashMap::new())
        .expect("the defaults")
        .limits
}

/// All that a command says.
fn said(text: &str) -> String {
    format!("{:?}", read(text).expect("valid"))
}

#[test]
fn two_readings_at_different_times_give_the_same_command() {
    for text in [
        r#"{"type":"track","event":"Paid","userId":"1"}"#,
        r#"{"type":"track","event":"Paid","userId":"1","messageId":"m","timestamp":"2023-01-01T00:00:00Z"}"#,
        r#"{"type":"identify","userId":"1","traits":{"plan":"pro"},"timestamp":"2023-01-01T00:00:00Z","sentAt":"2022-01-01T00:00:00Z"}"#,
        r#"{"type":"group","userId":"1","groupId":"g","traits":{"size":3}}"#,
        r#"{"type":"page","anonymousId":"a","name":"Home"}"#,
        r#"{"type":"screen","anonymousId":"a","name":"Home","messageId":""}"#,
        r#"{"type":"alias","userId":"1","previousId":"a"}"#,
    ] {
        let first = said(text);
        // Long enough for any clock to go on.
        std::thread::sleep(std::time::Duration::from_millis(3));
        assert_eq!(first, said(text), "{text}");
    }
}

#[test]
fn a_call_without_an_id_is_called_after_what_it_says_and_when() {
    let id = |text: &str, kafka: &str| {
        let command = read_at(text, kafka).expect("valid");
        command.event().expect("an event").message_id.clone()
    };
    let call = r#"{"type":"track","event":"Paid","userId":"1"}"#;
    let spaced = r#"{ "userId":"1", "type":"track","event":"Paid","messageId":null}"#;
    assert_eq!(id(call, KAFKA), id(call, KAFKA));
    assert_ne!(id(call, KAFKA), id(spaced, KAFKA), "it says null");
    let later = "2024-05-01T00:00:01Z";
    assert_ne!(id(call, KAFKA), id(call, later), "it happened again");
    let timed =
        r#"{"type":"track","event":"Paid","userId":"1","timestamp":"2023-01-01T00:00:00Z"}"#;
    let moved =
        r#"{"timestamp":"2023-01-01T00:00:00Z","type":"track","userId":"1","event":"Paid"}"#;
    assert_eq!(
        id(timed, KAFKA),
        id(moved, later),
        "copied to another topic"
    );
    let own = r#"{"type":"track","event":"Paid","userId":"1","messageId":"m-1"}"#;
    assert_eq!(id(own, KAFKA), "m-1");
}

#[test]
fn times_are_the_message_s_own_and_never_later_than_kafka_s() {
    let occurred = |more: &str| {
        let text = format!(r#"{{"type":"track","event":"Paid","userId":"1"{more}}}"#);
        read(&text).expect("valid").occurred_at()
    };
    let own = r#","timestamp":"2023-01-01T00:00:00Z""#;
    assert_eq!(occurred(own), at("2023-01-01T00:00:00Z"));
    assert_eq!(occurred(""), at(KAFKA));
    let future = r#","timestamp":"2031-01-01T00:00:00Z""#;
    assert_eq!(occurred(future), at(KAFKA));
    // The sender's clock is a year behind, by Kafka's time.
    let skewed = r#","timestamp":"2023-04-30T00:00:00Z","sentAt":"2023-05-02T00:00:00Z""#;
    assert_eq!(occurred(skewed), at("2024-04-29T00:00:00Z"));
}

#[test]
fn what_it_states_loses_a_tie_with_live_traffic() {
    let command = read(r#"{"type":"identify","userId":"1","traits":{"plan":"pro"}}"#);
    let command = command.expect("valid");
    let person = command.subjects().next().expect("a person");
    let stamp = person.traits.expect("traits").stamp;
    assert_eq!((stamp.at, stamp.sequence), (at(KAFKA).micros(), i64::MIN));
}

#[test]
fn what_is_no_call_is_refused_with_its_field() {
    let refused = |text: &str| {
        let rejection = read(text).expect_err(text);
        (rejection.code, rejection.field.unwrap_or_default())
    };
    assert_eq!(refused("[1]"), (Code::NotAnObject, "value".to_owned()));
    assert_eq!(refused("7"), (Code::NotAnObject, "value".to_owned()));
    assert_eq!(refused("{"), (Code::NotJson, "value".to_owned()));
    assert_eq!(
        refused(r#"{"userId":"1","event":"Paid"}"#),
        (Code::UnknownType, "type".to_owned())
    );
    assert_eq!(
        refused(r#"{"batch":[]}"#),
        (Code::UnknownType, "type".to_owned())
    );
    assert_eq!(
        refused(r#"{"type":"track","userId":"1"}"#).0,
        Code::MissingField
    );
    let deep = format!(
        r#"{{"type":"track","event":"e","userId":"1","properties":{}1{}}}"#,
        "{\"a\":".repeat(200),
        "}".repeat(200)
    );
    assert_eq!(refused(&deep).0, Code::TooDeep);
}

/// Reads a call as the third line of a file.
fn filed(text: &str) -> Command {
    let by_place = |text: &[u8]| format!("line 3, {} bytes", text.len());
    read_as(Class::Import, (text, KAFKA), Some(&by_place)).expect("valid")
}

#[test]
fn when_a_call_of_an_archive_was_sent_makes_it_no_newer() {
    let call = r#"{"type":"identify","userId":"1","traits":{"plan":"old"},"timestamp":"2023-01-02T03:04:06Z","sentAt":"2023-01-02T03:04:08Z"}"#;
    assert_eq!(filed(call).occurred_at(), at("2023-01-02T03:04:06Z"));
}

#[test]
fn a_call_of_a_file_is_named_by_its_place_unless_it_has_an_id_itself() {
    let id = |call: &str| {
        let command = filed(call);
        command.event().expect("an event").message_id.clone()
    };
    let with = |more: &str| format!(r#"{{"type":"track","event":"E","userId":"1"{more}}}"#);
    assert_eq!(id(&with(r#","messageId":"m-1""#)), "m-1");
    for more in [
        "",
        r#","messageId":null"#,
        r#","messageId":"""#,
        r#","messageId":{"a":1}"#,
        r#","properties":{"messageId":"x"}"#,
    ] {
        let call = with(more);
        assert_eq!(id(&call), format!("line 3, {} bytes", call.len()), "{call}");
    }
}
