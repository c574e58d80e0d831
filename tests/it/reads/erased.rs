//! A document of somebody who was erased is nobody's, by whichever of its names that was.

use super::{read, read_from, until_source};
use crate::harness::Project;
use crate::migration::step;
use crate::mirror::Scene;
use crate::statements::{counts, since};
use reqwest::StatusCode;
use serde_json::{Value, json};

const WITH_MAIL: &str =
    "preset = \"elasticsearch\"\n[identities]\nuser_id = \"record:/_id\"\nemail = \"/mail\"\n
[time]\nat = \"/updated_at\"\n[traits]\ndrop = [\"updated_at\", \"mail\"]\n";

fn document(id: &str, mail: &str, updated_at: &str) -> (String, String) {
    let text = json!({"plan": "old", "mail": mail, "updated_at": updated_at});
    (id.to_owned(), text.to_string())
}

async fn erase_mail(project: &Project, mail: &str) {
    let url = format!("{}/v1/profiles/email:{mail}", project.url);
    let request = project.client.delete(url).bearer_auth(&project.server_key);
    let reply = request.send().await.expect("an answer");
    assert!(reply.status().is_success(), "{reply:?}");
}

/// Who of some is there, asked for together.
async fn there(project: &Project, ids: &[&str]) -> Vec<bool> {
    let references: Vec<String> = ids.iter().map(|id| format!("user_id:{id}")).collect();
    let url = format!("{}/v1/profiles/lookup", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let reply = request.json(&json!({"references": references})).send();
    let found: Value = reply.await.expect("an answer").json().await.expect("JSON");
    let profiles = found["profiles"].as_array().expect("a list").iter();
    profiles.map(|one| !one.is_null()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_one_of_whose_names_was_erased_since_is_nobody_as_the_mirror_judges() {
    let scene = Scene::fresh().await;
    let project = &scene.project;
    let plan = json!({"mapping": WITH_MAIL, "index": scene.index});
    step(project, "plan", plan).await;
    let (old, late) = ("2020-01-01T00:00:00Z", "2123-01-01T00:00:00Z");
    let documents = [
        document("gone", "one@example.com", old),
        document("owned", "one@example.com", old),
        document("newer", "one@example.com", late),
        document("second", "two@example.com", old),
        document("other", "three@example.com", old),
    ];
    scene.store.put(&scene.index, &documents).await;
    let ids = ["gone", "owned", "newer", "second", "other"];
    scene
        .identify(project, "owned", json!({"plan": "pro"}))
        .await;
    read_from(project, "legacy", 0).await;
    until_source(project, "user_id:gone", &json!("legacy")).await;
    assert_eq!(there(project, &ids).await, [true; 5]);

    erase_mail(project, "one@example.com").await;
    assert_eq!(read(project, "user_id:gone").await.0, StatusCode::NOT_FOUND);
    let left = [false, true, true, true, true];
    let before = counts(&project.url).await;
    assert_eq!(there(project, &ids).await, left);
    let ran = since(&before, counts(&project.url).await);
    let asked = ["find_gone", "load_erased", "find_owners"].map(|name| ran.get(name));
    assert_eq!(asked, [Some(&1), Some(&1), None], "together: {ran:?}");

    scene.start().await;
    scene.at_rest().await;
    assert_eq!(scene.document("gone").await, None, "the mirror's judgement");
    assert_eq!(there(project, &ids).await, left);
    erase_mail(project, "two@example.com").await;
    assert_eq!(
        read(project, "user_id:second").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(there(project, &ids).await, [false, true, true, false, true]);
}
