//! Whole bodies to items: neighbours, refused items as they are kept, message ids.

use super::*;
use crate::api::buffer::Body;
use crate::config::Config;
use crate::domain::{Class, KeyKind, ProjectId, Timestamp};
use crate::ingest::Admission;
use std::collections::HashMap;

const MOST_STORED: usize = 10 << 20;

fn limits() -> Limits {
    Config::load(None, HashMap::new()).expect("defaults").limits
}

fn read(form: Option<&str>, idempotency_key: Option<&str>, text: &str) -> Vec<Item> {
    let source = Source {
        project_id: ProjectId(1),
        class: Class::Live,
        by: KeyKind::Write,
        kinds: std::sync::Arc::default(),
        signing: None,
        received_at: Timestamp::parse("2026-01-01").expect("a time"),
        sent_at: None,
        idempotency_key: idempotency_key.map(str::to_owned),
        path_type: form.map(str::to_owned),
    };
    let body = Body::loose(bytes::Bytes::copy_from_slice(text.as_bytes()));
    let body = Document::new(body, 1 << 20).expect("room");
    let room = Admission::new(1 << 30).try_reserve(0).expect("room");
    let mut charge = Charge::new(room, MOST_STORED);
    items(&body, &source, &limits(), &mut charge).expect("a body")
}

fn rejected(item: &Item) -> &Rejected {
    match item {
        Item::Rejected(rejected) => rejected,
        Item::Command(command) => panic!("valid: {command:?}"),
    }
}

fn message_ids(items: &[Item]) -> Vec<Option<String>> {
    told(items)
        .into_iter()
        .map(|told| told.message_id)
        .collect()
}

#[test]
fn a_bad_item_costs_its_neighbours_nothing() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let good = r#"{"type":"track","event":"e","userId":"u","messageId":"good"}"#;
    let text = format!(
        r#"{{"batch":[{good},5,{{"type":"track","messageId":"bad"}},{good},{{"type":"page","userId":"u","properties":{{"x":{deep}}}}}, {good}]}}"#
    );
    let items = read(None, None, &text);
    let valid: Vec<bool> = items
        .iter()
        .map(|item| matches!(item, Item::Command(_)))
        .collect();
    assert_eq!(valid, [true, false, false, true, false, true]);
    assert_eq!(rejected(&items[1]).rejection.code, Code::NotAnObject);
    assert_eq!(rejected(&items[1]).item.as_str(), "5");
    assert_eq!(rejected(&items[2]).message_id.as_deref(), Some("bad"));
    assert_eq!(
        rejected(&items[2]).item.as_str(),
        r#"{"type":"track","messageId":"bad"}"#
    );
    assert_eq!(rejected(&items[4]).rejection.code, Code::TooDeep);
    let kept: String = serde_json::from_str(rejected(&items[4]).item.as_str()).expect("a text");
    assert_eq!(kept.len(), limits().rejected_item_bytes);
}

#[test]
fn long_ids_are_cut_and_long_items_kept_as_texts() {
    let text = format!(
        r#"{{"batch":[{{"type":"page","userId":"u","messageId":"{}"}}]}}"#,
        "é".repeat(5_000)
    );
    let items = read(None, None, &text);
    let rejected = rejected(&items[0]);
    assert_eq!(rejected.rejection.code, Code::TooLong);
    assert_eq!(
        rejected.rejection.message,
        "messageId has 10000 bytes, over the limit of 512"
    );
    assert_eq!(rejected.message_id.as_ref().map(String::len), Some(512));
    assert!(rejected.item.as_str().starts_with(r#""{\"type\""#));
}

#[test]
fn the_idempotency_key_counts_the_items_of_a_batch() {
    let call = r#"{"type":"page","userId":"u"}"#;
    let batch = read(
        None,
        Some("k"),
        &format!(r#"{{"batch":[{call},{{}},{call}]}}"#),
    );
    let expected = ["k-0", "k-1", "k-2"].map(|name| Some(name.to_owned()));
    assert_eq!(message_ids(&batch), expected);
    let single = read(Some("page"), Some("k"), call);
    assert_eq!(message_ids(&single), [Some("k".to_owned())]);
}

#[test]
fn a_batch_shares_context_and_sent_at_but_not_its_timestamp() {
    let text = r#"{"timestamp":"2020-01-01","context":{"ip":"1","app":"a"},"sentAt":"2027-01-01","batch":[
        {"type":"page","userId":"u","context":{"ip":"2"},"timestamp":"2026-12-31"},
        {"type":"page","userId":"u"}]}"#;
    let items = read(None, None, text);
    let [Item::Command(first), Item::Command(second)] = items.as_slice() else {
        panic!("two commands: {items:?}");
    };
    assert_eq!(
        first.event().expect("one").context.as_str(),
        r#"{"app":"a","ip":"2"}"#
    );
    assert_eq!(
        second.event().expect("one").context.as_str(),
        r#"{"ip":"1","app":"a"}"#
    );
    assert_eq!(first.occurred_at().to_string(), "2025-12-31T00:00:00.000Z");
    assert_eq!(second.occurred_at(), second.received_at());
}
