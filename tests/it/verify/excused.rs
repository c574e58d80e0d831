//! What was refused with a reason is no difference: a record that Roster did not take, and a document that the legacy store does not.

use super::{LATER, equal, expected, found, no_second_look, verified};
use crate::harness::store_at;
use crate::migration::step;
use crate::mirror::Scene;
use roster::domain::{Code, Identity, IdentityKind, ProjectId, Rejection, Timestamp};
use roster::store::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub const PEOPLE: usize = 20;

/// A record of somebody was refused, and is listed.
async fn refuse(scene: &Scene, user: &str, record_at: Option<&str>) {
    let name = Identity::new(IdentityKind::UserId, user);
    let rejection = Rejection::of(Code::TooLong, "plan", "it has too many bytes").about([name]);
    let place = (user.to_owned(), 0);
    let listed = Refusal {
        project_id: ProjectId(scene.project.id),
        at: record_at.map(|text| Timestamp::parse(text).expect("a time")),
        ..Refusal::at("people".to_owned(), place, 7)
    };
    let store = store_at(&scene.database);
    let listing = store.record_refusals(vec![listed.because(&rejection)]);
    listing.await.expect("listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_record_was_refused_is_told_as_rejected_and_not_as_missing() {
    let scene = equal(Scene::fresh().await, PEOPLE).await;
    let text = json!({"plan": "pro", "updated_at": LATER}).to_string();
    let documents = ["poison", "ghost"].map(|id| (id.to_owned(), text.clone()));
    scene.store.put(&scene.index, &documents).await;
    refuse(&scene, "poison", None).await;
    let done = verified(&scene.project, "forward").await;
    assert_eq!(
        found(&done),
        expected(&[("missing", "ghost", "-")]),
        "{done}"
    );
    assert_eq!(
        (&done["missing"], &done["rejected"]),
        (&json!(1), &json!(1))
    );
}

/// What was refused once excuses what it may have been, not whatever the document says later.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_excuses_no_document_that_is_newer_than_itself() {
    let scene = equal(Scene::fresh().await, PEOPLE).await;
    for user in ["p-1", "p-2", "timeless", "future"] {
        refuse(&scene, user, Some("2023-06-15T00:00:00Z")).await;
    }
    let document = |id: &str, more: Value| {
        let mut document = json!({"plan": "planted"});
        for (name, value) in more.as_object().expect("an object") {
            document[name] = value.clone();
        }
        (id.to_owned(), document.to_string())
    };
    let documents = [
        document("p-1", json!({"updated_at": "2023-07-01T10:00:00Z"})),
        document("p-2", json!({"updated_at": "2023-06-15T00:00:00.0009Z"})),
        document("timeless", json!({})),
        document("future", json!({"updated_at": "2123-07-01T10:00:00Z"})),
    ];
    scene.store.put(&scene.index, &documents).await;
    let done = verified(&scene.project, "forward").await;
    let told = expected(&[("different", "p-1", "plan")]);
    assert_eq!(found(&done), told, "{done}");
    assert_eq!(done["rejected"], 3, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_document_the_store_refuses_is_told_as_rejected_and_not_as_different() {
    let numbers = json!({"settings": {"number_of_replicas": 0}, "mappings": {"properties": {"age": {"type": "integer"}}}});
    let scene = equal(Scene::with(numbers).await, PEOPLE).await;
    for user in ["p-1", "new"] {
        scene
            .identify(&scene.project, user, json!({"age": "old"}))
            .await;
    }
    scene.at_rest().await;
    assert_eq!(scene.status().await["refused"], 2);
    let done = verified(&scene.project, "reverse").await;
    assert_eq!(found(&done), BTreeSet::new(), "{done}");
    assert_eq!(
        (&done["rejected"], &done["different"]),
        (&json!(2), &json!(0))
    );
}

pub const WITH_MAIL: &str =
    "preset = \"elasticsearch\"\n[identities]\nuser_id = \"record:/_id\"\nemail = \"/mail\"\n
[time]\nat = \"/updated_at\"\n[traits]\ndrop = [\"updated_at\", \"secret\", \"mail\"]\n";

/// Both sides are equal, by a mapping.
pub async fn planned(mapping: &str) -> Scene {
    let scene = Scene::fresh().await;
    let plan = json!({"mapping": mapping, "index": scene.index});
    step(&scene.project, "plan", plan).await;
    equal(scene, PEOPLE).await
}

/// Of names that were erased nothing is missed, but of whoever lives on the rest is.
#[tokio::test(flavor = "multi_thread")]
async fn who_lives_is_excused_by_their_own_erasure_alone() {
    let scene = planned(WITH_MAIL).await;
    let url = format!("{}/v1/profiles/email:shared@example.com", scene.project.url);
    let request = scene.project.client.delete(url);
    let request = request.bearer_auth(&scene.project.server_key);
    let reply = request.send().await.expect("an answer");
    assert!(reply.status().is_success(), "{reply:?}");
    scene.at_rest().await;
    no_second_look(&scene).await;
    let mut documents = Vec::new();
    for (id, has_vip) in [("p-1", true), ("p-2", false)] {
        let mut document = scene.document(id).await.expect("one");
        document["mail"] = json!("shared@example.com");
        if has_vip {
            document["vip"] = json!(true);
        }
        documents.push((id.to_owned(), document.to_string()));
    }
    let stranger = json!({"mail": "shared@example.com", "vip": true, "updated_at": LATER});
    documents.push(("stranger".to_owned(), stranger.to_string()));
    scene.store.put(&scene.index, &documents).await;
    let done = verified(&scene.project, "forward").await;
    let vip = expected(&[("different", "p-1", "vip")]);
    assert_eq!(found(&done), vip, "{done}");
    assert_eq!(
        (&done["different"], &done["erased"]),
        (&json!(1), &json!(2)),
        "{done}"
    );
}
