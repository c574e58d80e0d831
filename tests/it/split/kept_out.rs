//! What a split must not make true: words that nobody signed, names of people who were erased, groups that are gone.

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

async fn forget(project: &Project, whom: &str) {
    let erased = project.erase(&format!("{whom}?forget=true")).await;
    assert!(erased.0.is_success(), "{}", erased.1);
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

/// One of them loses the device that said another address, the other one is taken out: both had said ada's.
#[tokio::test]
async fn the_address_of_a_forgotten_person_is_nobodys_trait_after_a_split() {
    let project = Project::fresh().await;
    let address = json!({"email": "ada@example.com"});
    send(
        &project,
        &[identify(json!({"userId": "ada"}), address.clone())],
    )
    .await;
    forget(&project, "user_id:ada").await;
    for (user, device) in [("bob", "d1"), ("cyd", "d2")] {
        let other = json!({"email": format!("{user}@example.com")});
        let both = json!({"userId": user, "anonymousId": device});
        let calls = [
            identify(json!({"userId": user}), json!({"k": 1})),
            identify(json!({"userId": user}), address.clone()),
            identify(both, json!({})),
            identify(json!({"anonymousId": device}), other),
        ];
        send(&project, &calls).await;
    }
    let told = split(
        &project,
        "user_id:bob",
        &["anonymous_id:d1", "email:bob@example.com"],
    )
    .await;
    assert_eq!(told["traits"]["restored"], json!([]));
    split(&project, "user_id:cyd", &["user_id:cyd"]).await;
    for _ in 0..2 {
        for whom in ["user_id:bob", "user_id:cyd"] {
            assert_eq!(traits(&project, whom).await, json!({"k": 1}), "{whom}");
        }
        finished(&project).await;
    }
    let others = traits(&project, "anonymous_id:d1").await;
    assert_eq!(others, json!({"email": "bob@example.com"}));
}

#[tokio::test]
async fn who_came_back_after_an_erasure_has_her_own_address_after_a_split() {
    let project = Project::fresh().await;
    let eve = || {
        identify(
            json!({"userId": "eve"}),
            json!({"email": "eve@example.com"}),
        )
    };
    send(&project, &[eve()]).await;
    assert!(project.erase("user_id:eve").await.0.is_success());
    let joined = identify(json!({"userId": "eve", "anonymousId": "d1"}), json!({}));
    send(&project, &[eve(), joined]).await;
    let names = ["user_id:eve", "email:eve@example.com"];
    split(&project, "anonymous_id:d1", &names).await;
    finished(&project).await;
    let own = json!({"email": "eve@example.com"});
    assert_eq!(traits(&project, "user_id:eve").await, own);
    assert_eq!(traits(&project, "anonymous_id:d1").await, json!({}));
}

#[tokio::test]
async fn nobody_belongs_to_a_group_by_a_call_about_one_that_was_erased() {
    let project = Project::fresh().await;
    let group = |who: Value, id: &str| {
        let mut call = who;
        call["type"] = json!("group");
        call["groupId"] = json!(id);
        now(call)
    };
    let kiosk = || json!({"anonymousId": "kiosk"});
    let calls = [
        identify(json!({"userId": "ada", "anonymousId": "kiosk"}), json!({})),
        group(kiosk(), "hotel"),
        group(kiosk(), "choir"),
    ];
    send(&project, &calls).await;
    assert!(project.erase("group_id:hotel").await.0.is_success());
    assert!(project.erase("group_id:choir").await.0.is_success());
    let calls = [
        group(json!({"userId": "bob"}), "hotel"),
        group(kiosk(), "choir"),
    ];
    send(&project, &calls).await;
    split(&project, "user_id:ada", &["anonymous_id:kiosk"]).await;
    let groups = async |whom: &str| project.profile(whom).await["groups"].clone();
    assert_eq!(groups("anonymous_id:kiosk").await, json!(["choir"]));
    assert_eq!(groups("user_id:ada").await, json!([]));
}
