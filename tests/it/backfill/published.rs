//! Documents that a mirror wrote, read out of the index again: they make nothing newer than it is.

use super::{Road, Settings};
use crate::harness::{Project, public_dir};
use crate::kafka::{Sent, shared_broker};
use crate::migration::MAPPING;
use crate::mirror::Scene;
use serde_json::{Value, json};

/// A call that was late: newer than the documents of before, older than the mirror's.
async fn late(project: &Project, user: &str, traits: Value) {
    let at = "2024-01-01T00:00:00Z";
    let call = json!({"type": "identify", "userId": user, "traits": traits, "timestamp": at});
    let results = project.results(&[call]).await;
    assert_eq!(results[0]["status"], "stored", "{results:?}");
}

async fn hit(scene: &Scene, id: &str) -> Sent {
    let source = scene.document(id).await.expect("one");
    assert!(source["updated_at"].is_string(), "as of now: {source}");
    let version = scene.version(id).await;
    let hit = json!({"_index": scene.index, "_id": id, "_version": version, "_source": source});
    Sent::of(id, &hit)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mirror_wrote_and_an_export_read_undoes_no_late_call() {
    let scene = Scene::fresh().await;
    let project = &scene.project;
    let old = |time: Option<&str>| json!({"city": "Berlin", "tier": 1, "updated_at": time});
    let documents = [
        (
            "ada".to_owned(),
            old(Some("2020-01-01T00:00:00Z")).to_string(),
        ),
        ("bob".to_owned(), old(None).to_string()),
    ];
    scene.store.put(&scene.index, &documents).await;
    scene.start().await;
    for id in ["ada", "bob"] {
        scene.identify(project, id, json!({"plan": "free"})).await;
    }
    scene.at_rest().await;
    let own = json!({"plan": "free"});
    assert_eq!(scene.people().await["bob"], own, "without a time it waits");

    let file = public_dir("published").join("people.toml");
    std::fs::write(&file, MAPPING).expect("written");
    let of_source = format!("mapping = \"{}\"", file.display());
    let settings = Settings {
        of_source: &of_source,
        properties: "\"session.timeout.ms\" = \"6000\"",
        ..Settings::default()
    };
    let (broker, own) = (shared_broker().await, project.through(&project.url));
    let road = Road::of(broker, 1, settings, own, scene.database.clone()).await;
    road.send(&[hit(&scene, "ada").await, hit(&scene, "bob").await])
        .await;
    let _node = road.node(&[]).await;
    road.arrived().await;
    let all = json!({"city": "Berlin", "plan": "free", "tier": 1});
    for id in ["ada", "bob"] {
        assert_eq!(scene.people().await[id], all, "{id}: nothing is lost");
        late(project, id, json!({"city": "Jena"})).await;
    }
    scene.at_rest().await;
    for id in ["ada", "bob"] {
        assert_eq!(scene.people().await[id]["city"], "Jena", "{id}");
        let document = scene.document(id).await.expect("one");
        assert_eq!(document["city"], "Jena", "{id}");
    }
}
