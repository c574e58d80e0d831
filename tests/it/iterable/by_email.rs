//! Projects by email, where the address says who it is, and several may share a user id.

use super::{call, of_type};
use crate::harness::Project;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn post(project: &Project, path: &str, body: &Value) -> Value {
    let (status, answer) = call(project, Method::POST, path, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{path} {body}: {answer}");
    answer
}

/// A project of two who share a user id.
async fn shared() -> Project {
    let project = of_type("email").await;
    for email in ["one@example.com", "two@example.com"] {
        let user = json!({"email": email, "userId": "both"});
        post(&project, "users/update", &user).await;
    }
    project
}

#[tokio::test]
async fn whoever_shares_a_user_id_with_somebody_forgotten_is_none_of_them() {
    let project = shared().await;
    let one = json!({"email": "one@example.com"});
    post(&project, "users/forget", &one).await;
    let two = json!({"email": "two@example.com", "userId": "both", "dataFields": {"a": 1}});
    post(&project, "users/update", &two).await;
    let bulk = post(&project, "users/bulkUpdate", &json!({ "users": [two] })).await;
    assert_eq!(bulk["successCount"], 1, "{bulk}");
    let device = json!({"token": "t", "platform": "GCM", "applicationName": "app"});
    let device = json!({"email": "two@example.com", "userId": "both", "device": device});
    post(&project, "users/registerDeviceToken", &device).await;
    let known = project.profile("email:two@example.com").await;
    assert_eq!(known["traits"]["a"], 1);
    assert!(known["traits"]["devices"]["t"].is_object(), "{known}");
    let (status, _) = project.get("/v1/profiles/user_id:both").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_happened_before_another_was_deleted_is_kept_of_whoever_shares_their_user_id() {
    let project = shared().await;
    let path = "users/one@example.com";
    let (status, _) = call(&project, Method::DELETE, path, None).await;
    assert_eq!(status, StatusCode::OK);
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let before = before.duration_since(std::time::UNIX_EPOCH);
    let event = json!({"email": "two@example.com", "userId": "both", "eventName": "Seen",
        "createdAt": before.expect("a time").as_secs()});
    post(&project, "events/track", &event).await;
    let events = project.timeline("email:two@example.com").await;
    assert_eq!(events.len(), 1, "{events:?}");
}

#[tokio::test]
async fn a_user_id_that_somebody_has_makes_no_stranger_known() {
    let project = of_type("email").await;
    let known = json!({"email": "m@example.com", "userId": "m"});
    post(&project, "users/update", &known).await;
    let list = post(&project, "lists", &json!({"name": "l"})).await["listId"].clone();
    let who = |email: &str| json!([{"email": email, "userId": "m"}]);
    let mut event = who("d@example.com");
    event[0]["eventName"] = json!("Seen");
    let calls = [
        (
            "users/bulkUpdate",
            json!({"updateOnly": true, "users": who("a@example.com")}),
        ),
        (
            "lists/subscribe",
            json!({"listId": list, "updateExistingUsersOnly": true, "subscribers": who("b@example.com")}),
        ),
        (
            "lists/unsubscribe",
            json!({"listId": list, "subscribers": who("c@example.com")}),
        ),
        ("events/trackBulk", json!({ "events": event })),
    ];
    for (path, body) in calls {
        let told = post(&project, path, &body).await;
        let missing = told["failedUpdates"]["notFoundEmails"].as_array();
        assert_eq!(missing.map(Vec::len), Some(1), "{path}: {told}");
    }
    assert_eq!(project.count("*", "profile").await, 1);
}

#[tokio::test]
async fn in_a_project_by_user_id_an_address_makes_no_stranger_known() {
    let project = of_type("user-id").await;
    let item = json!({"type": "identify", "userId": "z1", "traits": {"email": "z@example.com"}, "messageId": "m"});
    project.send("/v1/batch", &json!({"batch": [item]})).await;
    let users = json!([{"email": "z@example.com", "userId": "z2"}]);
    let bulk = json!({"updateOnly": true, "users": users});
    let told = post(&project, "users/bulkUpdate", &bulk).await;
    let missing = &told["failedUpdates"]["notFoundUserIds"];
    assert_eq!(missing, &json!(["z2"]), "{told}");
}

#[tokio::test]
async fn who_was_heard_of_first_gets_a_placeholder_address_as_whoever_was_not() {
    let project = of_type("email").await;
    let track = json!({"userId": "o2", "eventName": "Seen"});
    post(&project, "events/track", &track).await;
    let update = json!({"userId": "o2", "preferUserId": true});
    for _ in 0..2 {
        post(&project, "users/update", &update).await;
    }
    let (_, found) = call(&project, Method::GET, "users/byUserId/o2", None).await;
    let email = found["user"]["email"].as_str().expect("a text");
    assert!(email.ends_with("@placeholder.email"), "{found}");
    // Nor does somebody with an address get one.
    let known = json!({"email": "ada@example.com", "userId": "ada"});
    post(&project, "users/update", &known).await;
    let update = json!({"userId": "ada", "preferUserId": true});
    post(&project, "users/update", &update).await;
    let names = project.profile("user_id:ada").await["identities"].clone();
    assert_eq!(names.as_array().map(Vec::len), Some(2), "{names}");
}
