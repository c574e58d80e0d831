//! What a split must not make true: words that nobody signed.

use super::after::finished;
use super::{send, split};
use crate::harness::Project;
use crate::iterable::signed::App;
use serde_json::{Value, json};
use uuid::Uuid;

/// A call of now, which is newer than an erasure.
fn now(mut call: Value) -> Value {
    call["messageId"] = json!(Uuid::new_v4());
    call
}

fn identify(mut who: Value, traits: Value) -> Value {
    who["type"] = json!("identify");
    who["traits"] = traits;
    now(who)
}

async fn traits(project: &Project, whom: &str) -> Value {
    project.profile(whom).await["traits"].clone()
}

#[tokio::test]
async fn what_an_unsigned_call_said_is_nobodys_trait_after_a_split() {
    let app = App::fresh().await;
    let project = &app.project;
    let unsigned = identify(
        json!({"userId": "ada", "anonymousId": "d1"}),
        json!({"role": "admin"}),
    );
    let url = format!("{}/v1/batch", project.url);
    let request = project.client.post(url).basic_auth(&app.key, Some(""));
    let reply = request.json(&json!({"batch": [&unsigned]})).send().await;
    assert!(reply.expect("an answer").status().is_success());
    let calls = [
        identify(
            json!({"userId": "ada", "anonymousId": "d1"}),
            json!({"a": 1}),
        ),
        identify(json!({"userId": "ada", "anonymousId": "d2"}), json!({})),
        identify(json!({"anonymousId": "d2"}), json!({"role": "guest"})),
    ];
    send(project, &calls).await;
    let told = split(project, "user_id:ada", &["anonymous_id:d2"]).await;
    assert_eq!(
        told["traits"],
        json!({"moved": ["role"], "restored": [], "stayed": []})
    );
    let told = split(project, "user_id:ada", &["anonymous_id:d1"]).await;
    finished(project).await;
    assert_eq!(told["traits"]["moved"], json!([]), "{told}");
    assert_eq!(traits(project, "user_id:ada").await, json!({"a": 1}));
    assert_eq!(traits(project, "anonymous_id:d1").await, json!({}));
    let id = unsigned["messageId"].as_str().expect("text");
    let event = project.event(id).await;
    assert_eq!(
        (&event["name"], &event["properties"]),
        (&json!("unsigned"), &json!({"role": "admin"}))
    );
}
