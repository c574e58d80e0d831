//! One call to one command: the rules of the contract, one by one.

use super::super::envelope;
use super::*;
use crate::api::buffer::Body;
use crate::config::Config;
use crate::domain::{Event, Identity, KeyKind};
use std::collections::HashMap;

const NOW: &str = "2026-11-22T00:42:06.537Z";

fn limits() -> Limits {
    Config::load(None, HashMap::new()).expect("defaults").limits
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

fn source(path_type: Option<&str>) -> Source {
    Source {
        project_id: ProjectId(1),
        class: Class::Live,
        by: KeyKind::Server,
        kinds: Arc::default(),
        signing: None,
        received_at: at(NOW),
        sent_at: None,
        idempotency_key: None,
        path_type: path_type.map(str::to_owned),
    }
}

fn read_from(source: &Source, text: &str) -> Result<Command, Rejection> {
    let body = Document::new(
        Body::loose(Bytes::copy_from_slice(text.as_bytes())),
        1 << 20,
    )
    .expect("room");
    let call = envelope::single(body.text().expect("text")).expect("an object");
    let limits = limits();
    Surroundings::new(source, &limits, &body, &Batch::default()).command(&call, None)
}

fn command(text: &str) -> Command {
    read_from(&source(None), text).expect(text)
}

fn event(text: &str) -> Event {
    command(text).event().expect("an event").clone()
}

/// The traits that a call states, and their values.
fn traits(text: &str) -> Vec<(String, Json)> {
    let command = command(text);
    let stated = command.subjects().next().and_then(|person| person.traits);
    stated.map(|write| write.traits.clone()).unwrap_or_default()
}

fn refused(text: &str) -> (Code, Option<String>) {
    let rejection = read_from(&source(None), text).expect_err(text);
    (rejection.code, rejection.field)
}

fn who(text: &str) -> Vec<(String, String)> {
    let command = command(text);
    let pair = |identity: &Identity| (identity.kind.as_str().to_owned(), identity.value.clone());
    command.identities().iter().map(pair).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(kind, value): &(&str, &str)| ((*kind).to_owned(), (*value).to_owned());
    expected.iter().map(pair).collect()
}

#[test]
fn a_captured_track_is_kept_field_by_field() {
    let text = r#"{"timestamp":"2024-01-02T03:04:05.678Z","integrations":{"All":true},"event":"Order Completed","type":"track","properties":{"revenue":49.99,"currency":"USD","items":2},"context":{"ip":"203.0.113.7"},"userId":"user-1","messageId":"segnode-track1","_metadata":{"nodeVersion":"v20.20.2","jsRuntime":"node"}}"#;
    let event = event(text);
    let command = command(text);
    assert_eq!(event.event_type, EventType::Track);
    assert_eq!(event.name.as_deref(), Some("Order Completed"));
    assert_eq!(event.message_id, "segnode-track1");
    assert_eq!(command.occurred_at(), at("2024-01-02T03:04:05.678Z"));
    assert_eq!(command.received_at(), at(NOW));
    assert_eq!(
        event.properties.as_str(),
        r#"{"revenue":49.99,"currency":"USD","items":2}"#
    );
    assert_eq!(event.context.as_str(), r#"{"ip":"203.0.113.7"}"#);
    assert!(command.is_event_only());
}

#[test]
fn identities_are_strongest_first_and_absent_ones_skipped() {
    let cases: [(&str, &[(&str, &str)]); 12] = [
        (
            r#"{"type":"track","event":"","anonymousId":"a","userId":"u"}"#,
            &[("user_id", "u"), ("anonymous_id", "a")],
        ),
        (
            r#"{"type":"track","event":"e","userId":12345.0}"#,
            &[("user_id", "12345")],
        ),
        (
            r#"{"type":"page","userId":null,"anonymousId":"a"}"#,
            &[("anonymous_id", "a")],
        ),
        (
            r#"{"type":"screen","userId":"","anonymousId":7}"#,
            &[("anonymous_id", "7")],
        ),
        (
            r#"{"type":"identify","anonymousId":"a","userId":"u","traits":{"email":" Ada@Example.com "}}"#,
            &[
                ("user_id", "u"),
                ("email", "ada@example.com"),
                ("anonymous_id", "a"),
            ],
        ),
        (
            r#"{"type":"identify","anonymousId":"a","context":{"traits":{"email":"a@b"}}}"#,
            &[("email", "a@b"), ("anonymous_id", "a")],
        ),
        (
            r#"{"type":"alias","previousId":"anon","userId":"u"}"#,
            &[
                ("user_id", "u"),
                ("user_id", "anon"),
                ("anonymous_id", "anon"),
            ],
        ),
        (
            r#"{"type":"alias","previousId":"u","userId":"u"}"#,
            &[("user_id", "u")],
        ),
        (
            r#"{"type":"alias","previousId":" 'u'","userId":"u "}"#,
            &[("user_id", "u")],
        ),
        (
            r#"{"type":"alias","previousId":"anon","anonymousId":"a"}"#,
            &[
                ("anonymous_id", "a"),
                ("user_id", "anon"),
                ("anonymous_id", "anon"),
            ],
        ),
        (
            r#"{"type":"merge","mergeProperties":[{"type":"email","value":"A@b"},{"type":"userId","value":7}]}"#,
            &[("email", "a@b"), ("user_id", "7")],
        ),
        (
            r#"{"type":" Page","userId":true,"anonymousId":"a"}"#,
            &[("anonymous_id", "a")],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(who(text), pairs(expected), "{text}");
    }
}

#[test]
fn only_what_looks_like_an_email_of_an_identify_is_an_identity() {
    for email in [r#""a""#, r#""@b""#, r#""a@""#, r#""a@b@c""#, "7", "null"] {
        let text = format!(r#"{{"type":"identify","userId":"u","traits":{{"email":{email}}}}}"#);
        assert_eq!(who(&text), pairs(&[("user_id", "u")]), "{email}");
    }
    let group = r#"{"type":"group","groupId":1,"userId":"u","traits":{"email":"a@b"}}"#;
    assert_eq!(who(group), pairs(&[("user_id", "u")]));
}

#[test]
fn names_come_from_where_each_type_keeps_them() {
    let cases = [
        (
            r#"{"type":"track","event":"","userId":"u","name":"no"}"#,
            Some(""),
        ),
        (r#"{"type":"Track","event":42.0,"userId":"u"}"#, Some("42")),
        (
            r#"{"type":"TRACK","event":true,"userId":"u"}"#,
            Some("true"),
        ),
        (
            r#"{"type":"page","name":"Pricing","userId":"u"}"#,
            Some("Pricing"),
        ),
        (
            r#"{"type":"page","properties":{"name":"Jitsu"},"userId":"u"}"#,
            Some("Jitsu"),
        ),
        (
            r#"{"type":"screen","name":null,"properties":{"name":7},"userId":"u"}"#,
            None,
        ),
        (
            r#"{"type":"group","groupId":12,"anonymousId":"a"}"#,
            Some("12"),
        ),
        (r#"{"type":"alias","previousId":3,"userId":"u"}"#, Some("3")),
        (r#"{"type":"identify","userId":"u","name":"no"}"#, None),
    ];
    for (text, expected) in cases {
        assert_eq!(event(text).name.as_deref(), expected, "{text}");
    }
}

#[test]
fn traits_and_properties_are_found_wherever_they_stand() {
    let properties = |text: &str| event(text).properties.as_str().to_owned();
    let both =
        r#"{"type":"identify","userId":"u","traits":{"b":2},"context":{"traits":{"a":1,"b":1}}}"#;
    assert_eq!(properties(both), r#"{"a":1,"b":2}"#);
    let written = traits(both);
    assert_eq!(written.len(), 2);
    assert_eq!(written[1].1.as_str(), "2");
    let category = r#"{"type":"page","userId":"u","category":"Docs","properties":{"p":1}}"#;
    assert_eq!(properties(category), r#"{"category":"Docs","p":1}"#);
    let doubled =
        r#"{"type":"page","userId":"u","category":"Docs","properties":{"category":"own"}}"#;
    assert_eq!(properties(doubled), r#"{"category":"own"}"#);
    let group = r#"{"type":"group","groupId":"g","userId":"u","traits":{"n":1},"context":{"traits":{"m":1}}}"#;
    assert_eq!(properties(group), r#"{"n":1}"#);
    assert!(traits(group).is_empty());
    assert_eq!(
        properties(r#"{"type":"track","event":"e","userId":"u","properties":null}"#),
        "{}"
    );
    assert!(traits(r#"{"type":"identify","userId":"u"}"#).is_empty());
}

#[test]
fn times_follow_the_order_of_the_contract() {
    let occurred = |fields: &str| {
        let text = format!(r#"{{"type":"track","event":"e","userId":"u"{fields}}}"#);
        command(&text).occurred_at()
    };
    assert_eq!(occurred(""), at(NOW));
    assert_eq!(
        occurred(r#","originalTimestamp":"2024-01-01T00:00:00Z","createdAt":5"#),
        at("2024-01-01T00:00:00Z")
    );
    assert_eq!(
        occurred(
            r#","timestamp":"2023-01-01T00:00:00Z","originalTimestamp":"2024-01-01T00:00:00Z""#
        ),
        at("2023-01-01T00:00:00Z")
    );
    assert_eq!(
        occurred(r#","timestamp":null,"createdAt":86400"#),
        at("1970-01-02")
    );
    assert_eq!(
        occurred(r#","timestamp":"2026-11-22T01:00:00Z","sentAt":"2026-11-22T01:42:06.537Z""#),
        at("2026-11-22T00:00:00Z")
    );
    assert_eq!(
        occurred(r#","timestamp":"2024-01-01T00:00:00Z","sentAt":"nonsense""#),
        at("2024-01-01T00:00:00Z")
    );
    assert_eq!(occurred(r#","timestamp":"2030-01-01T00:00:00Z""#), at(NOW));
}

#[test]
fn the_header_sent_at_counts_where_nothing_else_says() {
    let mut source = source(None);
    source.sent_at = Some(at("2026-11-22T01:42:06.537Z"));
    let text = r#"{"type":"track","event":"e","userId":"u","timestamp":"2026-11-22T01:00:00Z"}"#;
    let command = read_from(&source, text).expect(text);
    assert_eq!(command.occurred_at(), at("2026-11-22T00:00:00Z"));
}

#[test]
fn refusals_have_their_code_and_field() {
    let cases = [
        (r#"{"userId":"u"}"#, Code::UnknownType, "type"),
        (
            r#"{"type":"merge","userId":"u"}"#,
            Code::MissingField,
            "mergeProperties",
        ),
        (r#"{"type":5,"userId":"u"}"#, Code::UnknownType, "type"),
        (
            r#"{"type":"track","userId":"u"}"#,
            Code::MissingField,
            "event",
        ),
        (
            r#"{"type":"track","userId":"u","event":{}}"#,
            Code::InvalidField,
            "event",
        ),
        (
            r#"{"type":"group","userId":"u"}"#,
            Code::MissingField,
            "groupId",
        ),
        (
            r#"{"type":"alias","userId":"u"}"#,
            Code::MissingField,
            "previousId",
        ),
        (
            r#"{"type":"alias","previousId":"u"}"#,
            Code::MissingField,
            "userId",
        ),
        (
            r#"{"type":"page","userId":true}"#,
            Code::InvalidField,
            "userId",
        ),
    ];
    for (text, code, field) in cases {
        let expected = (code, Some(field.to_owned()));
        assert_eq!(refused(text), expected, "{text}");
    }
    assert_eq!(
        refused(r#"{"type":"track","event":"e","userId":"","anonymousId":null}"#),
        (Code::MissingIdentity, None)
    );
}

#[test]
fn what_is_too_long_or_too_deep_is_named() {
    let long = "x".repeat(3_000);
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases = [
        (
            format!(r#"{{"type":"track","userId":"u","event":"{long}"}}"#),
            Code::TooLong,
            "event",
        ),
        (
            format!(r#"{{"type":"track","userId":"{long}","event":"e"}}"#),
            Code::TooLong,
            "userId",
        ),
        (
            format!(r#"{{"type":"page","userId":"u","messageId":"{long}"}}"#),
            Code::TooLong,
            "messageId",
        ),
        (
            format!(r#"{{"type":"page","userId":"u","properties":{{"a":{deep}}}}}"#),
            Code::TooDeep,
            "properties",
        ),
        (
            format!(r#"{{"type":"page","userId":"u","context":{{"a":{deep}}}}}"#),
            Code::TooDeep,
            "context",
        ),
        (
            format!(r#"{{"type":"identify","userId":"u","traits":{{"a":{deep}}}}}"#),
            Code::TooDeep,
            "traits",
        ),
        (
            r#"{"type":"page","userId":"u","properties":{"n":1e4000}}"#.to_owned(),
            Code::NumberTooLarge,
            "properties",
        ),
    ];
    for (text, code, field) in cases {
        assert_eq!(
            refused(&text),
            (code, Some(field.to_owned())),
            "{:.80}",
            text
        );
    }
}

#[test]
fn message_ids_come_from_the_call_the_header_or_are_new() {
    let mut source = source(Some("track"));
    let message_id = |source: &Source, fields: &str| {
        let text = format!(r#"{{"type":"no","event":"e","userId":"u"{fields}}}"#);
        let command = read_from(source, &text).expect("valid");
        command.event().expect("an event").message_id.clone()
    };
    assert_eq!(message_id(&source, r#","messageId":17"#), "17");
    let new = message_id(&source, r#","messageId":"""#);
    assert_eq!(
        uuid::Uuid::parse_str(&new)
            .expect("a UUID")
            .get_version_num(),
        7
    );
    source.idempotency_key = Some("key".to_owned());
    assert_eq!(message_id(&source, r#","messageId":null"#), "key");
    assert_eq!(message_id(&source, r#","messageId":"own""#), "own");
}

#[test]
fn numbers_beyond_every_integer_type_stay_as_sent() {
    let text = r#"{"type":"track","event":"e","userId":"u","properties":{"a":9007199254740993,"b":1180591620717411303424,"":{".$":null}}}"#;
    assert_eq!(
        event(text).properties.as_str(),
        r#"{"a":9007199254740993,"b":1180591620717411303424,"":{".$":null}}"#
    );
}

#[path = "mend_tests.rs"]
mod mend_tests;
