//! A verification goes on where a node dies, waits for what is away, and says why it can't be.

use super::{begin, ended, equal, expected, found, verified};
use crate::harness::{Project, ROSTER, fresh_database, sql, wait_until};
use crate::legacy::shared_store;
use crate::migration::{MAPPING, step};
use crate::mirror::Scene;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::Command;
use uuid::Uuid;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);
/// So few documents a second that a node dies in the middle.
const SLOW: (&str, &str) = ("ROSTER__LEGACY__VERIFY_PER_SECOND", "60");

/// The turn of whoever was killed is over at once.
async fn release(database: &str) {
    let text = "UPDATE worker SET expires_at = now(), due_at = now() WHERE name = 'verify'";
    sql(database, text).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_node_dies_another_goes_on_from_what_it_noted() {
    let people = 1_200;
    let mut scene = equal(Scene::fresh().await, people).await;
    drop(scene.service.take());
    let slow = Scene::node(&scene.database, &scene.store.url, &[SLOW]).await;
    scene.project = scene.project.through(&slow.url);
    let path = format!("{}/_doc/p-7?refresh=true", scene.index);
    scene.store.ask(Method::DELETE, &path, None).await;
    release(&scene.database).await;
    let address = begin(&scene.project, "forward").await;
    wait_until("some of it is noted", PATIENCE, async || {
        scene.project.read(&address).await["checked"] != 0
    })
    .await;
    slow.kill();
    let before = sql(&scene.database, "SELECT checked FROM verification").await;
    let before: u64 = before[0].parse().expect("a number");
    assert!(before < people as u64, "it was in the middle: {before}");
    let service = Scene::node(&scene.database, &scene.store.url, &[]).await;
    scene.project = scene.project.through(&service.url);
    release(&scene.database).await;
    let done = ended(&scene.project, &address).await;
    assert_eq!(found(&done), expected(&[("extra", "p-7", "-")]), "{done}");
    let checked = done["checked"].as_u64().expect("a count");
    let all = 2 * people as u64 - 1;
    assert_eq!(
        checked, all,
        "nobody is looked at twice, and nobody passed over"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_never_refreshed_is_read_all_the_same() {
    let scene = Scene::with(json!({"settings": {"number_of_replicas": 0, "refresh_interval": "-1", "number_of_shards": 3}})).await;
    let scene = equal(scene, 50).await;
    let ghost = ("ghost".to_owned(), r#"{"plan": "pro"}"#.to_owned());
    scene.store.put(&scene.index, &[ghost]).await;
    let done = verified(&scene.project, "forward").await;
    assert_eq!(
        found(&done),
        expected(&[("missing", "ghost", "-")]),
        "{done}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_verifies_and_tells_what_differs() {
    let scene = equal(Scene::fresh().await, 40).await;
    let verify = || {
        let mut command = Command::new(ROSTER);
        command.args(["--database-url", &scene.database, "migration", "verify"]);
        command.arg(&scene.project.name).output().expect("runs")
    };
    let good = tokio::task::block_in_place(verify);
    assert!(
        good.status.success(),
        "{}",
        String::from_utf8_lossy(&good.stderr)
    );
    let told: Value = serde_json::from_slice(&good.stdout).expect("JSON");
    assert_eq!(
        (&told["checked"], &told["samples"]),
        (&json!(80), &json!([]))
    );
    let path = format!("{}/_doc/p-7?refresh=true", scene.index);
    scene.store.ask(Method::DELETE, &path, None).await;
    let bad = tokio::task::block_in_place(verify);
    let told = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(
        !bad.status.success() && told.contains("1 differences"),
        "{told}"
    );
    let told: Value = serde_json::from_slice(&bad.stdout).expect("JSON");
    assert_eq!(found(&told), expected(&[("extra", "p-7", "-")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_verified_is_told() {
    let database = fresh_database().await;
    let store = shared_store().await;
    let service = Scene::node(&database, &store.url, &[]).await;
    let project = Project::on(&service.url, &database).await;
    let ask = async || {
        let url = format!("{}/v1/migration/verify", project.url);
        let request = project.client.post(url).bearer_auth(&project.server_key);
        let reply = request.send().await.expect("an answer");
        let (status, body): (_, Value) = (reply.status(), reply.json().await.expect("JSON"));
        (status.as_u16(), body)
    };
    assert_eq!(ask().await.0, 404);
    let index = format!("never-{}", Uuid::new_v4().simple());
    step(
        &project,
        "plan",
        json!({"mapping": MAPPING, "index": index}),
    )
    .await;
    let (status, body) = ask().await;
    let told = body["detail"].as_str().unwrap_or_default();
    assert!(
        status == 409 && told.contains("nothing is mirrored"),
        "{body}"
    );
    step(&project, "start", json!({})).await;
    let address = begin(&project, "forward").await;
    wait_until("it says what it waits for", PATIENCE, async || {
        let reason = project.read(&address).await["reason"].take();
        reason.as_str().is_some_and(|reason| !reason.is_empty())
    })
    .await;
    let again = begin(&project, "forward").await;
    assert_eq!(again, address, "one at a time");
    assert_ne!(begin(&project, "reverse").await, address);
    let (status, _) = project
        .get(&format!("/v1/migration/verify/{}", Uuid::new_v4()))
        .await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_keeps_what_was_known_of_the_legacy_store() {
    let scene = equal(Scene::fresh().await, 40).await;
    assert_eq!(verified(&scene.project, "reverse").await["checked"], 80);
    let force = json!({"force": true, "reason": "a drill"});
    for _ in 0..2 {
        step(&scene.project, "advance", force.clone()).await;
    }
    step(&scene.project, "rollback", json!({})).await;
    let history = scene.project.read("/v1/migration/history").await;
    let steps = history["steps"].as_array().expect("a list");
    let last = steps.last().expect("one");
    let gates = last["gates"].as_array().expect("a list").iter();
    let told: Vec<_> = gates
        .map(|gate| (gate["name"].as_str(), gate["seen"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, Some("reverse_verify"));
    assert!(told[0].1.starts_with("0 differences"), "{told:?}");
}
