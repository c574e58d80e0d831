//! Documents that are large, deep or broken: they cost themselves at most, and no memory.

use super::{PATIENCE, Scene};
use crate::harness::{sql, wait_until};
use crate::machine::judge_peak;
use crate::migration::{MAPPING, step};
use crate::verify::{equal, found, verified};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Fields that nobody knows are kept and not looked into, so that a store takes any.
async fn tolerant(people: usize) -> Scene {
    let settings = json!({"settings": {"number_of_replicas": 0}, "mappings": {"dynamic": false}});
    equal(Scene::with(settings).await, people).await
}

/// Puts a document as it is spelled: of what the mapping drops so much.
async fn put(scene: &Scene, id: &str, secret: &str) {
    let text = format!(r#"{{"plan":"old","updated_at":"2023-06-01T10:00:00Z","secret":{secret}}}"#);
    scene
        .store
        .put(&scene.index, &[(id.to_owned(), text)])
        .await;
}

async fn reasons(scene: &Scene) -> Vec<String> {
    let question = "SELECT reason FROM mirror_refusal ORDER BY reason";
    sql(&scene.database, question).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_text_is_mended_and_what_is_too_deep_costs_itself() {
    let scene = tolerant(20).await;
    let deep = format!("{}1{}", "{\"a\":".repeat(150), "}".repeat(150));
    put(&scene, "half", r#""hello \ud83d""#).await;
    put(&scene, "deep", &deep).await;
    for user in ["half", "deep", "ada"] {
        let pro = json!({"plan": "pro"});
        scene.identify(&scene.project, user, pro).await;
    }
    scene.at_rest().await;
    let half = scene.document("half").await.expect("one");
    assert_eq!(half["plan"], "pro");
    assert_eq!(half["secret"], "hello \u{fffd}");
    assert_eq!(scene.document("ada").await.expect("one")["plan"], "pro");
    let path = format!("{}/_doc/deep?_source_includes=plan", scene.index);
    let (_, deep) = scene.store.ask(Method::GET, &path, None).await;
    assert_eq!(deep["_source"]["plan"], "old", "{deep}");
    let reasons = reasons(&scene).await;
    assert!(
        reasons.len() == 1 && reasons[0].contains("recursion"),
        "{reasons:?}"
    );
    let status = scene.project.read("/v1/migration").await;
    let refused = status["refused"][0]["reason"].as_str().expect("a text");
    assert!(refused.contains("recursion"), "{status}");
    for direction in ["forward", "reverse"] {
        let done = verified(&scene.project, direction).await;
        assert_eq!(found(&done), BTreeSet::new(), "{done}");
        assert_eq!(done["rejected"], 1, "{done}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_documents_are_mirrored_and_verified_in_parts() {
    let scene = tolerant(20).await;
    // A list of small numbers takes the most memory for its bytes.
    let ones = |bytes: usize| format!("[{}1]", "1,".repeat(bytes / 2));
    let users: Vec<String> = (0..30).map(|number| format!("large-{number}")).collect();
    for user in &users {
        put(&scene, user, &ones(700 << 10)).await;
    }
    put(&scene, "largest", &ones(3 << 20)).await;
    let named = users.iter().map(String::as_str).chain(["largest"]);
    let calls: Vec<Value> = named
        .map(|user| json!({"type": "identify", "userId": user, "traits": {"plan": "pro"}}))
        .collect();
    scene.project.results(&calls).await;
    scene.at_rest().await;
    let path = format!("{}/_refresh", scene.index);
    scene.store.ask(Method::POST, &path, None).await;
    for user in &users {
        let document = scene.document(user).await.expect("one");
        let kept = document["secret"].as_array().map(Vec::len);
        assert_eq!(
            (&document["plan"], kept),
            (&json!("pro"), Some((350 << 10) + 1))
        );
    }
    let reasons = reasons(&scene).await;
    assert!(
        reasons.len() == 1 && reasons[0].contains("more than 2097152 bytes"),
        "{reasons:?}"
    );
    let done = verified(&scene.project, "reverse").await;
    assert_eq!(found(&done), BTreeSet::new(), "{done}");
    let service = scene.service.as_ref().expect("it runs");
    judge_peak("large documents", service.pid());
}

/// Documents would be written to one shard, and stand in another.
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_with_a_routing_is_written_to_by_nobody() {
    let scene = Scene::fresh().await;
    let alias = format!("{}-routed", scene.index);
    let add = json!({"actions": [{"add": {"index": scene.index, "alias": alias, "routing": "x"}}]});
    let (status, body) = scene.store.ask(Method::POST, "_aliases", Some(add)).await;
    assert!(status.is_success(), "{body}");
    let plan = json!({"mapping": MAPPING, "index": alias});
    step(&scene.project, "plan", plan).await;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    scene.start().await;
    wait_until("it is told why it waits", PATIENCE, async || {
        let reason = scene.status().await["reason"].take();
        reason
            .as_str()
            .is_some_and(|reason| reason.contains("routing"))
    })
    .await;
    let path = format!("{}/_refresh", scene.index);
    scene.store.ask(Method::POST, &path, None).await;
    let (_, count) = scene
        .store
        .ask(Method::GET, &format!("{}/_count", scene.index), None)
        .await;
    assert_eq!(count["count"], 0, "{count}");
}
