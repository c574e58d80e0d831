//! What an export refuses, each with one line that names what is wrong.

use super::{Way, goes_beyond, release};
use crate::kafka::shared_broker;
use crate::legacy::shared_store;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::{Child, Stdio};

#[tokio::test(flavor = "multi_thread")]
async fn an_export_refuses_what_it_could_not_send_whole() {
    let mut way = Way::fresh(1).await;
    let said = |text: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    let (index, topic, url, brokers) = (
        way.index.clone(),
        way.topic.clone(),
        way.url.clone(),
        way.brokers.clone(),
    );
    way.index = "no-such-index".to_owned();
    said(way.refusal(&[]).await, &["there is no index no-such-index"]);
    (way.index, way.topic) = (index, "no-such-topic".to_owned());
    said(
        way.refusal(&[]).await,
        &["there is no topic no-such-topic", "--partitions"],
    );
    assert!(
        way.broker.ends("no-such-topic").is_empty(),
        "to ask does not make it"
    );
    (way.topic, way.url) = (topic, "http://me:hidden@127.0.0.1:1".to_owned());
    let secret = way.refusal(&[]).await;
    assert!(
        secret.contains("legacy.username") && !secret.contains("hidden"),
        "{secret}"
    );
    (way.url, way.brokers) = (url, "127.0.0.1:1".to_owned());
    said(
        way.refusal(&[]).await,
        &["no broker answers at 127.0.0.1:1"],
    );
    way.brokers = brokers;

    let settings = json!({"mappings": {"_source": {"enabled": false}}});
    let without = Way::on(shared_store().await, shared_broker().await, settings).await;
    said(
        without.refusal(&[]).await,
        &[&without.index, "_source is off"],
    );
}

/// A slow export that has sent something.
async fn begun(way: &Way<'_>) -> Child {
    way.put(0..400, 1).await;
    let slow = ["--documents-per-second", "40"];
    let mut command = way.command(&slow);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    goes_beyond(way, 0).await;
    child.expect("starts")
}

async fn last_words(child: Child) -> String {
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().expect("ends"));
    let output = ended.await.expect("no panic");
    assert!(!output.status.success(), "it ended well");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    error.lines().last().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_ends_when_its_index_is_made_anew_and_does_not_go_on_with_the_other() {
    let way = Way::fresh(1).await;
    let child = begun(&way).await;
    let second = way.refusal(&[]).await;
    assert!(second.contains("is at work elsewhere"), "{second}");
    way.store.ask(Method::DELETE, &way.index, None).await;
    way.store
        .create(&way.index, json!({"settings": {"number_of_replicas": 0}}))
        .await;
    let words = last_words(child).await;
    assert!(words.contains(&way.index), "{words}");
    let again = way.refusal(&[]).await;
    assert!(
        again.contains("was made anew") && again.contains("--restart"),
        "{again}"
    );
    assert_eq!(way.pass(&["--restart"]).await["documents"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_ends_when_its_alias_is_switched_and_names_both() {
    let mut way = Way::fresh(1).await;
    let (old, new, alias) = (
        way.index.clone(),
        format!("{}-new", way.index),
        format!("{}-alias", way.index),
    );
    way.store
        .create(&new, json!({"settings": {"number_of_replicas": 0}}))
        .await;
    let switch = |from: Option<&str>, to: &str| {
        let remove = from.map(|index| json!({"remove": {"index": index, "alias": alias}}));
        let add = json!({"add": {"index": to, "alias": alias}});
        json!({"actions": remove.into_iter().chain([add]).collect::<Vec<Value>>()})
    };
    way.store
        .ask(Method::POST, "_aliases", Some(switch(None, &old)))
        .await;
    way.index.clone_from(&alias);
    let child = begun(&way).await;
    way.store
        .ask(Method::POST, "_aliases", Some(switch(Some(&old), &new)))
        .await;
    let words = last_words(child).await;
    assert!(words.contains(&old) && words.contains(&new), "{words}");
}

/// A mistake must not erase everybody.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_does_not_believe_that_nearly_all_are_gone() {
    let way = Way::fresh(1).await;
    way.put(0..100, 1).await;
    way.pass(&[]).await;
    let gone: Vec<String> = (0..60).map(|id| format!("p{id}")).collect();
    way.store.delete(&way.index, &gone).await;
    let words = way.refusal(&["--deleted"]).await;
    assert!(
        words.contains("60 of 100") && words.contains("--max-gone-percent"),
        "{words}"
    );
    assert_eq!(
        way.pass(&["--deleted", "--max-gone-percent", "60"]).await["gone"],
        60
    );
}

/// A topic that was made anew has nothing of what was sent before.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_into_a_topic_made_anew_begins_anew_when_told() {
    let way = Way::fresh(1).await;
    way.put(0..50, 1).await;
    way.pass(&[]).await;
    way.broker.delete_topic(&way.topic).await;
    way.broker.create_topic(&way.topic, 3, &[]).await;
    let words = way.refusal(&[]).await;
    assert!(
        words.contains("made anew") && words.contains("--restart"),
        "{words}"
    );
    assert_eq!(way.pass(&["--restart"]).await["documents"], 50);
}

/// Above what a topic takes: the document is named, its neighbours are sent.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_names_a_document_that_the_topic_does_not_take() {
    let way = Way::fresh(1).await;
    // Random, so that no codec makes it small.
    let bytes: Vec<u8> = (0..2 << 20)
        .map(|_| rand::random_range(b'a'..=b'z'))
        .collect();
    let large = json!({"bio": String::from_utf8(bytes).expect("text")});
    let (status, _) = way
        .store
        .ask(
            Method::PUT,
            &format!("{}/_doc/large", way.index),
            Some(large),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED);
    way.put(0..50, 1).await;
    let words = way.refusal(&[]).await;
    assert!(
        words.contains("document large") && words.contains("max.message.bytes"),
        "{words}"
    );
    release(&way).await;
    let output = way.run(&["--skip-too-large"]).await;
    assert!(!output.status.success(), "somebody has to hear of it");
    way.has(0..50, 1).await;
}
