//! A legacy store that is frozen, killed or slow while profiles are read from there.

use super::{Scene, read, read_from, until_source};
use crate::harness::{Project, fresh_database, http};
use crate::legacy::{LegacyStore, shared_store};
use crate::migration::{MAPPING, step};
use crate::mirror::between::{Between, EXPIRED, LOGIN, OPEN, PAGE, PAGE_NOT_FOUND};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longer than a node waits for the store, with room for a busy machine.
const MOST: Duration = Duration::from_secs(15);

async fn answer(project: &Project, reference: &str) -> Response {
    let url = format!("{}/v1/profiles/{reference}", project.url);
    let request = http().get(url).bearer_auth(&project.server_key);
    request.send().await.expect("an answer")
}

async fn fails(project: &Project, reference: &str, status: StatusCode, code: &str) {
    let asked = Instant::now();
    let reply = answer(project, reference).await;
    assert_eq!(reply.status(), status);
    let again = reply
        .headers()
        .get("retry-after")
        .expect("when to come again");
    let again: u32 = again.to_str().expect("text").parse().expect("seconds");
    assert!(again >= 1);
    let problem: Value = reply.json().await.expect("JSON");
    assert_eq!(problem["code"], code, "{problem}");
    assert!(asked.elapsed() < MOST, "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_harms_nobody_while_reads_are_compared_and_is_never_made_up_for()
 {
    let store = LegacyStore::start().await;
    let database = fresh_database().await;
    let index = json!({"settings": {"number_of_replicas": 0}});
    store.create("people", index).await;
    let quick = [("ROSTER__READS__COMPARE_TIMEOUT_MS", "500")];
    let service = Scene::node(&database, &store.url, &quick).await;
    let project = Project::on(&service.url, &database).await;
    step(
        &project,
        "plan",
        json!({"mapping": MAPPING, "index": "people"}),
    )
    .await;
    let call = json!({"type": "identify", "userId": "ada", "traits": {"plan": "pro"}});
    project.results(&[call]).await;
    let eve = ("eve".to_owned(), json!({"plan": "old"}).to_string());
    store.put("people", &[eve]).await;
    step(&project, "start", json!({})).await;
    for _ in 0..3 {
        step(
            &project,
            "advance",
            json!({"force": true, "reason": "a drill"}),
        )
        .await;
    }
    read_from(&project, "legacy", 0).await;
    until_source(&project, "user_id:ada", &json!("legacy")).await;

    let frozen = store.freeze();
    fails(
        &project,
        "user_id:ada",
        StatusCode::GATEWAY_TIMEOUT,
        "legacy_late",
    )
    .await;
    fails(
        &project,
        "user_id:eve",
        StatusCode::GATEWAY_TIMEOUT,
        "legacy_late",
    )
    .await;
    read_from(&project, "compare", 0).await;
    until_source(&project, "user_id:ada", &json!("roster")).await;
    compared(&project, StatusCode::NOT_FOUND).await;
    drop(frozen);
    until_source(&project, "user_id:ada", &json!("legacy")).await;

    store.kill();
    compared(&project, StatusCode::NOT_FOUND).await;
    read_from(&project, "legacy", 0).await;
    super::wait_until("it is asked again", super::PATIENCE, async || {
        read(&project, "user_id:ada").await.0 == StatusCode::BAD_GATEWAY
    })
    .await;
    fails(
        &project,
        "user_id:ada",
        StatusCode::BAD_GATEWAY,
        "legacy_away",
    )
    .await;
    store.start_again().await;
    until_source(&project, "user_id:ada", &json!("legacy")).await;
    assert_eq!(
        project.profile("user_id:eve").await["traits"]["plan"],
        "old"
    );
    // Where the index is gone nobody is made up, and nobody is denied.
    store.ask(reqwest::Method::DELETE, "people", None).await;
    fails(
        &project,
        "user_id:eve",
        StatusCode::BAD_GATEWAY,
        "legacy_away",
    )
    .await;
}

/// A page of a proxy, a login and credentials that have expired are no answer: nobody is denied by them, and nobody is made up.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_answers_instead_of_the_store_is_no_answer() {
    let store = shared_store().await;
    let (between, url) = Between::start(&store.url).await;
    let scene = Scene::behind(&url, json!({"settings": {"number_of_replicas": 0}})).await;
    let eve = ("eve".to_owned(), json!({"plan": "old"}).to_string());
    store.put(&scene.index, &[eve]).await;
    let ada = json!({"plan": "pro"});
    scene.identify(&scene.project, "ada", ada).await;
    scene.start().await;
    between.set(PAGE);
    read_from(&scene.project, "legacy", 0).await;
    super::wait_until("it is asked", super::PATIENCE, async || {
        read(&scene.project, "user_id:ada").await.0 != StatusCode::OK
    })
    .await;
    for mode in [PAGE, PAGE_NOT_FOUND, LOGIN, EXPIRED] {
        between.set(mode);
        for person in ["user_id:ada", "user_id:eve", "user_id:nobody"] {
            fails(
                &scene.project,
                person,
                StatusCode::BAD_GATEWAY,
                "legacy_away",
            )
            .await;
        }
    }
    between.set(OPEN);
    let eve = scene.project.profile("user_id:eve").await;
    assert_eq!(eve["traits"]["plan"], "old");
    assert_eq!(
        read(&scene.project, "user_id:nobody").await.0,
        StatusCode::NOT_FOUND
    );
}

/// Roster answers for whom it knows, soon: all but one of many do without the store.
async fn compared(project: &Project, unknown: StatusCode) {
    let asked = Instant::now();
    for _ in 0..20 {
        let ada = project.profile("user_id:ada").await;
        assert_eq!(
            (&ada["traits"]["plan"], &ada["source"]),
            (&json!("pro"), &json!("roster"))
        );
    }
    assert!(asked.elapsed() < MOST, "{:?}", asked.elapsed());
    assert_eq!(answer(project, "user_id:eve").await.status(), unknown);
}
