//! Writes of others: whatever version they carry, and however far the migration is.

use super::{PATIENCE, Scene};
use crate::harness::wait_until;
use crate::migration::step;
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_by_versions_of_their_own_is_noticed_whatever_they_are_multiples_of() {
    let scene = Scene::fresh().await;
    scene.start().await;
    scene.identify(&scene.project, "ada", json!({"n": 1})).await;
    scene.at_rest().await;
    // Milliseconds of a whole second, and nanoseconds of a clock that counts microseconds.
    for (id, version) in [
        ("f-1", 1_700_000_000_000_i64),
        ("f-2", 1_796_049_999_999_999_000),
    ] {
        let path = format!(
            "{}/_doc/{id}?version={version}&version_type=external",
            scene.index
        );
        let (status, body) = scene
            .store
            .ask(Method::PUT, &path, Some(json!({"n": 2})))
            .await;
        assert!(status.is_success(), "{body}");
    }
    wait_until("both are noticed", PATIENCE, async || {
        scene.status().await["foreign_writes"] == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_of_others_is_forgotten_by_a_start_alone() {
    let scene = Scene::fresh().await;
    scene.start().await;
    for n in 0..3 {
        scene.identify(&scene.project, "ada", json!({"n": n})).await;
        scene.at_rest().await;
    }
    // What stands there by now is known.
    wait_until("it was looked at", PATIENCE, async || {
        let watched = "SELECT count(*) FROM mirror WHERE watched <> '{}'";
        crate::harness::sql(&scene.database, watched).await == ["1"]
    })
    .await;
    let note = ("zoe".to_owned(), r#"{"note": 2}"#.to_owned());
    scene.store.put(&scene.index, &[note]).await;
    wait_until("it is noticed", PATIENCE, async || {
        scene.status().await["foreign_writes"] == 1
    })
    .await;
    let force = json!({"force": true, "reason": "a drill"});
    for _ in 0..3 {
        step(&scene.project, "advance", force.clone()).await;
    }
    scene.at_rest().await;
    let status = scene.status().await;
    assert_eq!(status["foreign_writes"], 1, "{status}");
    step(&scene.project, "rollback", json!({})).await;
    step(&scene.project, "start", json!({})).await;
    scene.at_rest().await;
    let status = scene.status().await;
    assert_eq!(status["foreign_writes"], 0, "{status}");
    assert_eq!(status["published"], 1, "since the mirror began: {status}");
}
