//! People who become one while Roster has not taken everything in: nothing of their documents is lost.

use super::Scene;
use crate::migration::step;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_one_before_all_is_taken_in_keeps_what_only_the_documents_say() {
    let scene = Scene::fresh().await;
    let old = |id: &str, more: Value| (id.to_owned(), more.to_string());
    let at = |day: u8| format!("2020-01-0{day}T00:00:00Z");
    let documents = [
        old("m1", json!({"city": "Ulm", "tier": 1, "updated_at": at(1)})),
        old(
            "m2",
            json!({"phone": "123", "vip": true, "tier": 2, "secret": "s", "updated_at": at(2)}),
        ),
    ];
    scene.store.put(&scene.index, &documents).await;
    scene.start().await;
    scene.identify(&scene.project, "m1", json!({"a": 1})).await;
    scene.identify(&scene.project, "m2", json!({"b": 2})).await;
    scene.at_rest().await;
    scene.merge("m1", "m2").await;
    scene.at_rest().await;
    let both = json!({"a": 1, "b": 2, "city": "Ulm", "phone": "123", "vip": true, "tier": 2, "secret": "s"});
    assert_eq!(scene.without_time("m1").await, both);
    assert_eq!(scene.document("m2").await, None);

    // From compare on a document is what Roster says, which took all of it in, beside what the mapping drops.
    let force = json!({"force": true, "reason": "a drill"});
    for _ in 0..3 {
        step(&scene.project, "advance", force.clone()).await;
    }
    scene.at_rest().await;
    assert_eq!(scene.without_time("m1").await, both);
}
