//! What a document says later than Roster, before all is taken in: it stays, in reads, in the document and in Roster.

use super::{Pair, read_from, start_relay, stop_relay, until_source};
use crate::harness::Project;
use crate::migration::{MAPPING, step};
use crate::mirror::Scene;
use serde_json::{Value, json};

const OLD: &str = "2024-01-01T00:00:00Z";
const NEWER: &str = "2025-01-01T00:00:00Z";

/// A call that was late.
async fn late(project: &Project, user: &str, traits: Value) {
    let call = json!({"type": "identify", "userId": user, "traits": traits, "timestamp": OLD});
    let results = project.results(&[call]).await;
    assert_eq!(results[0]["status"], "stored", "{results:?}");
}

async fn traits(project: &Project, user: &str) -> Value {
    let profile = project.profile(&format!("user_id:{user}")).await;
    assert_eq!(profile["source"], "legacy", "{profile}");
    profile["traits"].clone()
}

/// What Roster itself has.
async fn own(scene: &Scene, user: &str) -> Value {
    scene.people().await[user].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_document_says_later_stays_trait_by_trait_and_is_roster_s_from_then_on() {
    let pair = Pair::start().await;
    let (scene, project) = (&pair.scene, &pair.scene.project);
    let there =
        json!({"city": "Bonn", "plan": "pro", "tier": 1, "secret": "s", "updated_at": NEWER});
    pair.put("ada", there).await;
    pair.put("bob", json!({"city": "Bonn", "plan": "pro"}))
        .await;
    read_from(project, "legacy", 0).await;
    stop_relay(scene).await;
    scene.start().await;
    late(
        project,
        "ada",
        json!({"city": "Ulm", "tier": null, "note": 1}),
    )
    .await;
    late(project, "bob", json!({"city": "Ulm"})).await;
    scene
        .identify(project, "ada", json!({"plan": "free"}))
        .await;
    let merged = json!({"city": "Bonn", "plan": "free", "tier": 1, "note": 1});
    let timeless = json!({"city": "Ulm", "plan": "pro"});
    for node in pair.nodes() {
        until_source(node, "user_id:ada", &json!("legacy")).await;
        assert_eq!(traits(node, "ada").await, merged, "before the relay ran");
        assert_eq!(traits(node, "bob").await, timeless, "no time is the oldest");
    }

    start_relay(scene).await;
    scene.at_rest().await;
    for node in pair.nodes() {
        assert_eq!(traits(node, "ada").await, merged);
        assert_eq!(traits(node, "bob").await, timeless);
    }
    assert_eq!(own(scene, "ada").await, merged, "taken in like a record");
    assert_eq!(own(scene, "bob").await, json!({"city": "Ulm"}));
    let mut kept = merged.clone();
    kept["secret"] = json!("s");
    assert_eq!(scene.without_time("ada").await, kept);
    // From then on Roster knows all of it, and what is late is judged by the times that each trait has.
    late(project, "ada", json!({"city": "Ulm", "late": 1})).await;
    scene.at_rest().await;
    kept["late"] = json!(1);
    assert_eq!(scene.without_time("ada").await, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_people_who_became_one_reads_have_both_documents_before_the_mirror_has() {
    let pair = Pair::start().await;
    let (scene, project) = (&pair.scene, &pair.scene.project);
    let at = |day: u8| format!("2020-01-0{day}T00:00:00Z");
    pair.put("m1", json!({"city": "Ulm", "tier": 1, "updated_at": at(1)}))
        .await;
    pair.put(
        "m2",
        json!({"phone": "123", "tier": 2, "updated_at": at(2)}),
    )
    .await;
    read_from(project, "legacy", 0).await;
    scene.start().await;
    scene.identify(project, "m1", json!({"a": 1})).await;
    scene.identify(project, "m2", json!({"b": 2})).await;
    scene.at_rest().await;
    until_source(project, "user_id:m1", &json!("legacy")).await;
    stop_relay(scene).await;
    // As a node of a version before left them: nothing of them was taken in.
    pair.put("m1", json!({"city": "Ulm", "tier": 1})).await;
    pair.put("m2", json!({"phone": "123", "tier": 2, "vip": true}))
        .await;
    scene.merge("m1", "m2").await;
    let both = json!({"a": 1, "b": 2, "city": "Ulm", "phone": "123", "tier": 2, "vip": true});
    for id in ["m1", "m2"] {
        assert_eq!(traits(project, id).await, both, "{id}");
    }
    start_relay(scene).await;
    scene.at_rest().await;
    for id in ["m1", "m2"] {
        assert_eq!(traits(project, id).await, both, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_still_to_come_undoes_no_call() {
    let pair = Pair::start().await;
    let (scene, project) = (&pair.scene, &pair.scene.project);
    let there = json!({"city": "Bonn", "tier": 1, "updated_at": "2123-01-01T00:00:00Z"});
    pair.put("ada", there).await;
    read_from(project, "legacy", 0).await;
    scene.start().await;
    scene.identify(project, "ada", json!({"city": "Ulm"})).await;
    until_source(project, "user_id:ada", &json!("legacy")).await;
    let merged = json!({"city": "Ulm", "tier": 1});
    assert_eq!(traits(project, "ada").await, merged);
    scene.at_rest().await;
    assert_eq!(traits(project, "ada").await, merged);
    assert_eq!(scene.without_time("ada").await, merged);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_by_the_id_of_somebody_deleted_gets_nothing_of_theirs() {
    let pair = Pair::start().await;
    let (scene, project) = (&pair.scene, &pair.scene.project);
    let mapping = format!("{MAPPING}[delete]\nmark = [\"/deleted\"]\nvalues = [\"true\"]\n");
    let plan = json!({"mapping": mapping, "index": scene.index});
    step(project, "plan", plan).await;
    let gone = json!({"ssn": "1", "secret": "s", "deleted": true, "updated_at": NEWER});
    pair.put("new", gone.clone()).await;
    pair.put("old", gone.clone()).await;
    scene.identify(project, "new", json!({"plan": "pro"})).await;
    late(project, "old", json!({"plan": "pro"})).await;
    scene.start().await;
    scene.at_rest().await;
    assert_eq!(scene.without_time("new").await, json!({"plan": "pro"}));
    // Whoever is older than that went with it, and the document goes on saying so.
    assert_eq!(scene.document("old").await, Some(gone));
    assert_eq!(scene.people().await.get("old"), None);
}
