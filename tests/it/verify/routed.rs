//! Documents with a routing of their own stand beside the one that is mirrored, under the same id.

use super::{equal, expected, found, verified};
use crate::mirror::Scene;
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_document_with_a_routing_is_looked_at_again_by_its_routing() {
    // With several shards an id may stand more than once.
    let settings = json!({"settings": {"number_of_replicas": 0, "number_of_shards": 3}});
    let scene = equal(Scene::with(settings).await, 20).await;
    // Neither is the shard of the id itself, nor the same.
    for (id, routing) in [("p-1", "b"), ("p-1", "e"), ("ghost", "b"), ("ghost", "e")] {
        let path = format!("{}/_doc/{id}?routing={routing}&refresh=true", scene.index);
        let document =
            json!({"plan": format!("of {routing}"), "updated_at": "2023-07-01T10:00:00Z"});
        let (status, body) = scene.store.ask(Method::PUT, &path, Some(document)).await;
        assert!(status.is_success(), "{body}");
    }
    let there = verified(&scene.project, "forward").await;
    let forward = [("different", "p-1", "plan"), ("missing", "ghost", "-")];
    assert_eq!(found(&there), expected(&forward), "{there}");
    assert_eq!(
        (&there["different"], &there["missing"]),
        (&json!(2), &json!(2))
    );
    let back = verified(&scene.project, "reverse").await;
    let reverse = [("extra", "p-1", "-"), ("extra", "ghost", "-")];
    assert_eq!(found(&back), expected(&reverse), "{back}");
    assert_eq!(back["extra"], 4, "{back}");
}
