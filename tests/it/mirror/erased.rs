//! People who were erased before anything was mirrored, and whose documents stand: what was erased goes there too, whoever comes back.

use super::{PATIENCE, Scene, release_turn};
use crate::harness::{sql, wait_until};
use crate::migration::step;
use serde_json::{Value, json};

/// More than a page.
const OTHERS: usize = 700;
const LONG_AGO: &str = "2020-01-01T00:00:00Z";
const WITH_EMAIL: &str =
    "preset = \"elasticsearch\"\n[identities]\nuser_id = \"record:/_id\"\nemail = \"/email\"\n
[time]\nat = \"/updated_at\"\n[delete]\nmark = \"/deleted\"\n[traits]\ndrop = [\"updated_at\", \"secret\", \"email\"]\n";

fn document(id: &str, more: Value) -> (String, String) {
    let mut text = json!({"plan": "old", "city": "Ulm", "secret": id, "updated_at": LONG_AGO});
    let members = text.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    (id.to_owned(), text.to_string())
}

async fn erase_by(scene: &Scene, reference: &str) {
    let url = format!("{}/v1/profiles/{reference}", scene.project.url);
    let request = scene.project.client.delete(url);
    let request = request.bearer_auth(&scene.project.server_key);
    let reply = request.send().await.expect("an answer");
    assert!(reply.status().is_success());
}

async fn forget(scene: &Scene, user: &str) {
    erase_by(scene, &format!("user_id:{user}?forget=true")).await;
}

/// A project whose documents have emails, as they stand before the mirror begins.
async fn standing() -> Scene {
    // Whatever a document looks like, the store takes it.
    let takes_all = json!({"settings": {"number_of_replicas": 0, "number_of_shards": 3}, "mappings": {"enabled": false}});
    let scene = Scene::with(takes_all).await;
    let plan = json!({"mapping": WITH_EMAIL, "index": scene.index});
    step(&scene.project, "plan", plan).await;
    let mail = json!({"email": "e@example.com"});
    let mut all: Vec<_> = ["gone", "unknown", "back", "forgotten", "kept"]
        .map(|id| document(id, json!({})))
        .into();
    all.push(document("by-email", mail));
    all.push(document("timeless", json!({"updated_at": null})));
    for id in ["marked", "marked-back"] {
        all.push(document(id, json!({"deleted": true})));
    }
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    all.push(document("unreadable", json!({"deep": deep})));
    all.extend((0..OTHERS).map(|number| document(&format!("other-{number}"), json!({}))));
    scene.store.put(&scene.index, &all).await;
    scene
}

/// What is left of who came back is what was said since.
async fn is_back_without_the_past(scene: &Scene, id: &str) {
    let mut back = scene.document(id).await.expect("one");
    back.as_object_mut()
        .expect("an object")
        .remove("updated_at");
    assert_eq!(back, json!({"plan": "new"}), "nothing of before");
}

/// Whose documents go, and who comes back before the mirror begins.
const GONE: [&str; 6] = [
    "gone",
    "unknown",
    "by-email",
    "timeless",
    "unreadable",
    "forgotten",
];
const BACK: [&str; 2] = ["back", "marked-back"];

async fn all_identify(scene: &Scene, users: &[&str], plan: &str) {
    for user in users {
        scene
            .identify(&scene.project, user, json!({"plan": plan}))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_before_anything_was_mirrored_is_erased_in_the_legacy_store_too() {
    let scene = standing().await;
    all_identify(&scene, &["gone", "back", "kept", "newer"], "known").await;
    for user in [
        "gone",
        "unknown",
        "timeless",
        "unreadable",
        "newer",
        "marked",
    ] {
        scene.erase(user).await;
    }
    for user in BACK {
        scene.erase(user).await;
    }
    erase_by(&scene, "email:e@example.com").await;
    forget(&scene, "forgotten").await;
    // Written by somebody else after all that.
    let now = json!({"updated_at": jiff::Timestamp::now().to_string()});
    let newer = [document("newer", now)];
    scene.store.put(&scene.index, &newer).await;
    all_identify(&scene, &BACK, "new").await;
    scene.start().await;
    scene.at_rest().await;
    for id in GONE {
        assert_eq!(scene.document(id).await, None, "{id}");
    }
    for id in BACK {
        is_back_without_the_past(&scene, id).await;
    }
    let kept = scene.document("kept").await.expect("one");
    assert_eq!(
        (&kept["plan"], &kept["city"]),
        (&json!("known"), &json!("Ulm"))
    );
    let last = format!("other-{}", OTHERS - 1);
    for id in ["newer", "marked", "other-0", &last] {
        assert!(
            scene.document(id).await.is_some(),
            "{id} is nobody's to touch"
        );
    }
    // Who comes back later comes back alone.
    all_identify(&scene, &["gone"], "new").await;
    scene.at_rest().await;
    is_back_without_the_past(&scene, "gone").await;
}

/// Each stretch is a page long, and the relay is killed after the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_for_the_erased_that_is_killed_goes_on_where_it_was() {
    let mut scene = standing().await;
    for user in GONE {
        scene.erase(user).await;
    }
    drop(scene.service.take());
    let long_pages = [("FAILPOINTS", "page-of-a-sweep=sleep(1500)")];
    let slow = Scene::node(&scene.database, &scene.store.url, &long_pages).await;
    scene.project = scene.project.through(&slow.url);
    release_turn(&scene.database).await;
    scene.start().await;
    let noted = "SELECT count(*) FROM mirror WHERE swept->'indices' IS NOT NULL";
    wait_until("how far it is was noted", PATIENCE, async || {
        sql(&scene.database, noted).await == ["1"]
    })
    .await;
    assert_eq!(scene.status().await["is_walked"], false);
    slow.kill();
    release_turn(&scene.database).await;
    let service = Scene::node(&scene.database, &scene.store.url, &[]).await;
    scene.project = scene.project.through(&service.url);
    scene.at_rest().await;
    for id in GONE {
        assert_eq!(scene.document(id).await, None, "{id}");
    }
    let last = format!("other-{}", OTHERS - 1);
    assert!(scene.document(&last).await.is_some());
}

/// In between somebody may be erased by a name that no document is found by: the step that makes documents whole looks at all of them again.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_by_a_name_within_a_document_is_found_by_the_next_look() {
    let scene = standing().await;
    scene.start().await;
    scene.at_rest().await;
    erase_by(&scene, "email:e@example.com").await;
    scene.at_rest().await;
    let force = json!({"force": true, "reason": "a drill"});
    for _ in 0..3 {
        step(&scene.project, "advance", force.clone()).await;
    }
    scene.at_rest().await;
    assert_eq!(scene.document("by-email").await, None);
    assert!(scene.document("gone").await.is_some(), "nobody erased it");
}
