//! A document that the mapping can't read costs its own person an answer, and nobody else.

use super::{read, read_from, until_source};
use crate::harness::Project;
use crate::mirror::Scene;
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn look_up(project: &Project, references: Value) -> Value {
    let url = format!("{}/v1/profiles/lookup", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let body = json!({"references": references});
    let reply = request.json(&body).send().await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK);
    reply.json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_can_not_be_read_costs_its_own_person_and_nobody_else() {
    // Whatever a document looks like, the store takes it.
    let takes_all = json!({"settings": {"number_of_replicas": 0}, "mappings": {"enabled": false}});
    let scene = &Scene::with(takes_all).await;
    let project = &scene.project;
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let deep = json!({"deep": deep}).to_string();
    let mut documents = ["bad", "erased", "known"]
        .map(|id| (id.to_owned(), deep.clone()))
        .to_vec();
    documents.push(("eve".to_owned(), json!({"plan": "old"}).to_string()));
    let large = json!({"note": "x".repeat(2 << 20)});
    documents.push(("large".to_owned(), large.to_string()));
    scene.store.put(&scene.index, &documents).await;
    scene.identify(project, "ada", json!({"plan": "pro"})).await;
    scene
        .identify(project, "known", json!({"plan": "pro"}))
        .await;
    scene.erase("erased").await;
    read_from(project, "legacy", 0).await;
    until_source(project, "user_id:ada", &json!("legacy")).await;

    let (status, answer) = read(project, "user_id:bad").await;
    assert_eq!(
        (status, &answer["code"]),
        (StatusCode::BAD_GATEWAY, &json!("legacy_unreadable"))
    );
    let asked = json!([
        "user_id:eve",
        "user_id:bad",
        "user_id:nobody",
        "user_id:ada",
        "user_id:erased",
        "user_id:known",
        "user_id:large"
    ]);
    let found = look_up(project, asked.clone()).await["profiles"].take();
    let traits = |place: usize| &found[place]["traits"];
    assert_eq!(
        (traits(0), traits(3)),
        (&json!({"plan": "old"}), &json!({"plan": "pro"}))
    );
    for place in [1, 5, 6] {
        let told = (&found[place]["status"], &found[place]["code"]);
        assert_eq!(told, (&json!(502), &json!("legacy_unreadable")), "{found}");
    }
    assert_eq!((&found[2], &found[4]), (&Value::Null, &Value::Null));

    // While reads are compared Roster answers for whom it knows.
    read_from(project, "compare", 0).await;
    crate::harness::wait_until("reads are compared", super::PATIENCE, async || {
        read(project, "user_id:known").await.0 == StatusCode::OK
    })
    .await;
    let found = look_up(project, asked).await["profiles"].take();
    let known = (&found[5]["source"], &found[5]["traits"]);
    assert_eq!(known, (&json!("roster"), &json!({"plan": "pro"})));
    assert_eq!(found[1]["code"], "legacy_unreadable", "{found}");
}
