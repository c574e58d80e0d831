//! An index and a topic in one plan: both have the same people, and a mark waits for both.

use super::topic::{Road, documents, live};
use super::{PATIENCE, erase};
use crate::harness::{sql, wait_until};
use crate::kafka::shared_broker;
use crate::legacy::LegacyStore;
use crate::migration::{MAPPING, step};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All documents of the index.
async fn indexed(store: &LegacyStore) -> BTreeMap<String, Value> {
    store.ask(Method::POST, "people/_refresh", None).await;
    let (_, found) = store
        .ask(Method::GET, "people/_search?size=1000", None)
        .await;
    let hits = found["hits"]["hits"].as_array().expect("hits").iter();
    let hit = |hit: &Value| {
        let mut source = hit["_source"].clone();
        source
            .as_object_mut()
            .expect("an object")
            .remove("updated_at");
        (hit["_id"].as_str().expect("an id").to_owned(), source)
    };
    hits.map(hit).collect()
}

async fn are_equal(road: &Road, store: &LegacyStore) {
    wait_until("everything is published", PATIENCE, async || {
        // The pauses are not waited for.
        sql(&road.database, "UPDATE mirror SET due_at = now()").await;
        let status = road.status().await;
        status["backlog"] == 0 && status["is_walked"] == true
    })
    .await;
    let expected = documents(road).await;
    assert_eq!(indexed(store).await, expected);
    assert_eq!(road.received(shared_broker().await).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_and_a_topic_have_the_same_people_and_a_mark_waits_for_both() {
    let store = LegacyStore::start().await;
    let one_copy = json!({"settings": {"number_of_replicas": 0}});
    store.create("people", one_copy).await;
    let legacy = [("ROSTER__LEGACY__URL", store.url.as_str())];
    let road = Road::with(shared_broker().await, "document", &[], &legacy).await;
    let plan = json!({"mapping": MAPPING, "index": "people", "topic": road.topic, "topic_format": "document"});
    step(&road.project, "plan", plan).await;
    road.identify("before", json!({"n": 1})).await;
    step(&road.project, "start", json!({})).await;
    live(&road, 0..2).await;
    are_equal(&road, &store).await;

    let frozen = store.freeze();
    road.identify("late", json!({"n": 2})).await;
    erase(&road.project, "before").await;
    wait_until("it is told that it waits", PATIENCE, async || {
        let status = road.status().await;
        let reason = status["reason"].as_str().unwrap_or_default();
        reason.contains("index people") && status["backlog"] == 2
    })
    .await;
    drop(frozen);
    are_equal(&road, &store).await;
    let there = documents(&road).await;
    assert!(there.contains_key("late") && !there.contains_key("before"));
    store.kill();
}
