//! What everybody else does to a mirror, in the middle of it: the database stands still, the legacy store is killed and stands still,
//! nodes are killed half-way through a step. `make faults` (`ROSTER_FAULTS=long`) does it more often, and for longer.

use super::{PATIENCE, QUICK, Scene, of_form, release_turn};
use crate::harness::{Project, Service, sql, wait_until};
use crate::ledger::Load;
use crate::legacy::LegacyStore;
use crate::machine::OwnDatabase;
use crate::migration::{MAPPING, step};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

const NO_COPIES: &str = r#"{"settings": {"number_of_replicas": 0}}"#;

async fn scene_on(database: &str, store: &'static LegacyStore) -> Scene {
    let settings = serde_json::from_str(NO_COPIES).expect("JSON");
    Scene::on(database.to_owned(), (store, &store.url), settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stands_still_loses_nothing_on_either_side() {
    let database = OwnDatabase::start().await;
    let scene = scene_on(&database.url, crate::legacy::shared_store().await).await;
    let second = Scene::node(&database.url, &scene.store.url, &[]).await;
    scene.start().await;
    let load = Load::small(&scene.project, &[&scene.project.url, &second.url]);
    for _ in 0..of_form(2, 5) {
        load.goes_on(50, PATIENCE).await;
        let frozen = database.freeze();
        sleep(Duration::from_secs(of_form(4, 30).into())).await;
        drop(frozen);
        load.goes_on(50, PATIENCE).await;
    }
    load.must_be_clean("a mirror while its database stands still", &database.url)
        .await;
    scene.is_equal().await;
    assert!(!scene.people().await.is_empty(), "somebody was mirrored");
}

/// In the long form it is away for five minutes: marks grow no more than people, and the relay goes on telling why it waits.
async fn stays_away(scene: &Scene, load: &Load) {
    for _ in 0..of_form(0, 10) {
        sleep(Duration::from_secs(30)).await;
        load.goes_on(50, PATIENCE).await;
        let mirror = scene.status().await;
        let told = mirror["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("does not answer"));
        assert!(told, "{mirror}");
        let marks = mirror["backlog"].as_i64().expect("a count");
        // Who was erased leaves a mark and a name.
        let most = "SELECT (SELECT count(*) FROM profile) + 2 * (SELECT count(*) FROM outbox_gone)";
        let most: i64 = sql(&scene.database, most).await[0]
            .parse()
            .expect("a number");
        assert!(marks <= most, "{most} people, {mirror}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legacy_store_that_is_killed_or_stands_still_harms_no_request_and_gets_all_in_the_end() {
    // Of its own, since others are served by the shared one.
    let store: &'static LegacyStore = Box::leak(Box::new(LegacyStore::start().await));
    let database = crate::harness::fresh_database().await;
    let scene = scene_on(&database, store).await;
    scene.start().await;
    let load = Load::small(&scene.project, &[&scene.project.url]);
    for round in 0..of_form(1, 5) {
        load.goes_on(30, PATIENCE).await;
        store.kill();
        load.goes_on(50, PATIENCE).await;
        scene.erase("user-1").await;
        if round == 0 {
            stays_away(&scene, &load).await;
        }
        store.start_again().await;
        load.goes_on(30, PATIENCE).await;
        let frozen = store.freeze();
        load.goes_on(50, PATIENCE).await;
        sleep(Duration::from_secs(of_form(1, 60).into())).await;
        drop(frozen);
        eprintln!("round {round} is over");
    }
    let mut load = load;
    load.finish().await;
    wait_until("everything is published", PATIENCE, async || {
        // The pauses are not waited for.
        sql(&database, "UPDATE mirror SET due_at = now()").await;
        scene.status().await["backlog"] == 0
    })
    .await;
    scene.is_equal().await;
    store.kill();
}

/// Takes a step on a node that stops at an instant, and kills it there: the step was taken, or it was not, and can be taken then.
async fn killed_at(scene: &Scene, instant: &str, verb: &'static str, body: &Value) {
    let before = state_of(&scene.project).await;
    let point = format!("{instant}=pause");
    let node = Scene::node(&scene.database, &scene.store.url, &[("FAILPOINTS", &point)]).await;
    let url = format!("{}/v1/migration/{verb}", node.url);
    let client = crate::harness::http();
    let request = client.post(url).bearer_auth(&scene.project.server_key);
    let asking = tokio::spawn(request.json(body).send());
    if instant == "step-taken" {
        wait_until("the step is in the history", PATIENCE, async || {
            state_of(&scene.project).await.1 > before.1
        })
        .await;
    } else {
        // Sooner or later it stands there; killed before, it has done even less.
        sleep(Duration::from_secs(1)).await;
    }
    node.kill();
    assert!(asking.await.expect("asked").is_err(), "{verb} was answered");
    let (state, steps) = state_of(&scene.project).await;
    let is_taken = steps > before.1;
    assert_eq!(
        is_taken,
        instant == "step-taken",
        "{verb} at {instant}: {before:?}, {state}"
    );
    if !is_taken {
        assert_eq!(state, before.0);
        step(&scene.project, verb, body.clone()).await;
    }
    let after = state_of(&scene.project).await;
    assert_eq!(after.1, before.1 + 1, "taken once");
}

/// Where it is by the table, and how many steps led there. A step between the two questions makes both be asked again.
async fn state_of(project: &Project) -> (String, usize) {
    loop {
        let shown = project.read("/v1/migration").await;
        let history = project.read("/v1/migration/history").await;
        let again = project.read("/v1/migration").await;
        if shown["version"] != again["version"] {
            continue;
        }
        let steps = history["steps"].as_array().expect("a list");
        let last = steps.last().expect("a plan")["to"].as_str();
        assert_eq!(
            shown["state"].as_str(),
            last,
            "it is where the last step led"
        );
        assert_eq!(shown["version"], steps.len());
        return (last.expect("a name").to_owned(), steps.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_that_is_killed_half_way_was_taken_whole_or_not_at_all() {
    let scene = Scene::fresh().await;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    let force = json!({"force": true, "reason": "a drill"});
    let plan = json!({"mapping": MAPPING, "index": scene.index});
    let all = [
        ("start", &force),
        ("rollback", &force),
        ("plan", &plan),
        ("start", &force),
        ("advance", &force),
        ("advance", &force),
        ("advance", &force),
        ("advance", &force),
        ("advance", &force),
        ("advance", &force),
        ("rollback", &force),
        ("start", &force),
    ];
    let short = of_form(2, u32::try_from(all.len()).expect("few")) as usize;
    for (place, (verb, body)) in all.into_iter().enumerate() {
        if place >= short {
            step(&scene.project, verb, body.clone()).await;
            continue;
        }
        let instant = ["step-judged", "step-taken"][place % 2];
        killed_at(&scene, instant, verb, body).await;
    }
    if short == all.len() {
        step(&scene.project, "rollback", json!({})).await;
        for (place, (verb, body)) in all.into_iter().enumerate() {
            killed_at(&scene, ["step-taken", "step-judged"][place % 2], verb, body).await;
        }
    }
    scene
        .identify(&scene.project, "ada", json!({"plan": "later"}))
        .await;
    scene.is_equal_to(1).await;
}

/// The relay is killed again and again while two nodes write and are killed too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_that_are_killed_all_the_time_under_load_lose_nothing() {
    let mut scene = Scene::fresh().await;
    scene.start().await;
    drop(scene.service.take());
    let writer = Service::start(&scene.database, &QUICK).await;
    scene.project = scene.project.through(&writer.url);
    let load = Load::small(&scene.project, &[&writer.url]);
    for round in 0..of_form(3, 20) {
        release_turn(&scene.database).await;
        let at_instant = [("FAILPOINTS", "mirror-published=3*off->pause")];
        let settings = if round % 2 == 0 { &at_instant[..] } else { &[] };
        let relay = Scene::node(&scene.database, &scene.store.url, settings).await;
        load.goes_on(40, PATIENCE).await;
        relay.kill();
    }
    load.must_be_clean("relays are killed", &scene.database)
        .await;
    release_turn(&scene.database).await;
    let _relay = Scene::node(&scene.database, &scene.store.url, &[]).await;
    scene.is_equal().await;
}
