//! Devices that several people have or had: switched off for all of them by their token alone, wherever they went.

use super::{call, of_type as fresh};
use crate::harness::{Project, answer_to, shared, whole_rows};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn post(project: &Project, path: &str, body: &Value) {
    let (status, answer) = call(project, Method::POST, path, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{path} {body}: {answer}");
}

async fn register(project: &Project, who: Value, token: &str) {
    let mut body = json!({"device": {"token": token, "platform": "GCM", "applicationName": "app"}});
    for (name, value) in who.as_object().expect("an object") {
        body[name] = value.clone();
    }
    post(project, "users/registerDeviceToken", &body).await;
}

/// Whether a device of somebody is on.
async fn is_on(project: &Project, reference: &str, token: &str) -> bool {
    let profile = project.profile(reference).await;
    let device = &profile["traits"]["devices"][token]["endpointEnabled"];
    device.as_bool().expect("a device")
}

#[tokio::test]
async fn a_token_alone_switches_a_device_off_for_all_of_its_project() {
    for (iterable, who) in [
        ("hybrid", json!({"email": "ada@example.com"})),
        ("email", json!({"email": "ada@example.com"})),
        (
            "user-id",
            json!({"userId": "ada", "email": "ada@example.com"}),
        ),
    ] {
        let project = fresh(iterable).await;
        let others = fresh(iterable).await;
        let ada = match iterable {
            "user-id" => "user_id:ada",
            _ => "email:ada@example.com",
        };
        // Longer than a key of the database may be.
        let token = "t".repeat(4_000);
        for project in [&project, &others] {
            register(project, who.clone(), &token).await;
            register(project, json!({"userId": "bob"}), &token).await;
            register(project, json!({"userId": "bob"}), "another").await;
        }
        post(&project, "users/disableDevice", &json!({"token": token})).await;
        assert!(!is_on(&project, ada, &token).await, "{iterable}");
        assert!(!is_on(&project, "user_id:bob", &token).await, "{iterable}");
        assert!(
            is_on(&project, "user_id:bob", "another").await,
            "{iterable}"
        );
        assert!(is_on(&others, ada, &token).await, "{iterable}");
        // Whoever logs in there has it on again, alone.
        register(&project, json!({"userId": "bob"}), &token).await;
        assert!(is_on(&project, "user_id:bob", &token).await);
        assert!(!is_on(&project, ada, &token).await);
    }
}

#[tokio::test]
async fn who_came_by_other_roads_was_merged_or_taken_apart_is_found_and_who_was_erased_is_nowhere()
{
    let project = Project::fresh().await;
    let devices = json!({"t": {"token": "t", "platform": "APNS", "endpointEnabled": true}});
    let item = json!({"type": "identify", "userId": "u1", "messageId": "m1",
        "traits": {"email": "ada@example.com", "devices": devices}});
    project.send("/v1/batch", &json!({"batch": [item]})).await;
    register(
        &project,
        json!({"email": "b@example.com", "userId": "u2"}),
        "t",
    )
    .await;
    let merge = json!({"sourceUserId": "u2", "destinationUserId": "u1"});
    post(&project, "users/merge", &merge).await;
    post(&project, "users/disableDevice", &json!({"token": "t"})).await;
    assert!(!is_on(&project, "user_id:u2", "t").await);
    register(&project, json!({"userId": "u2"}), "t").await;
    let split = project
        .client
        .post(format!("{}/v1/profiles/user_id:u1/split", project.url));
    let split = split.bearer_auth(&project.server_key);
    let split = split.json(&json!({"identities": ["user_id:u2", "email:b@example.com"]}));
    let (status, told) = answer_to(split).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    post(&project, "users/disableDevice", &json!({"token": "t"})).await;
    let of = async |reference: &str| {
        let profile = project.profile(reference).await;
        profile["traits"]["devices"]["t"]["endpointEnabled"].clone()
    };
    for reference in ["user_id:u1", "user_id:u2"] {
        assert_ne!(of(reference).await, json!(true), "{reference}");
    }
    for name in ["u1", "u2"] {
        let path = format!("users/byUserId/{name}");
        let (status, answer) = call(&project, Method::DELETE, &path, None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert_eq!(project.count("*", "device_holder").await, 0);
    post(&project, "users/disableDevice", &json!({"token": "t"})).await;
    assert_eq!(project.count("*", "profile").await, 0);
}

#[tokio::test]
async fn a_device_of_many_people_is_found_page_by_page() {
    let project = Project::fresh().await;
    let device = json!({"t": {"token": "t", "platform": "GCM", "applicationName": "app", "more": "x".repeat(20_000)}});
    let user =
        |number: usize| json!({"userId": format!("u{number}"), "dataFields": {"devices": device}});
    let users: Vec<Value> = (0..25).map(user).collect();
    post(&project, "users/bulkUpdate", &json!({"users": users})).await;
    post(&project, "users/disableDevice", &json!({"token": "t"})).await;
    for number in 0..25 {
        let reference = format!("user_id:u{number}");
        assert!(!is_on(&project, &reference, "t").await, "{number}");
    }
    register(&project, json!({"userId": "u7"}), "t").await;
    assert!(is_on(&project, "user_id:u7", "t").await);
    assert!(!is_on(&project, "user_id:u8", "t").await);
}

#[tokio::test]
async fn a_trait_of_that_name_with_a_thousand_keys_makes_no_thousand_rows() {
    let project = fresh("hybrid").await;
    let device = |number: usize| (format!("token-{number}"), json!({"platform": "GCM"}));
    let devices: serde_json::Map<String, Value> = (0..1_200).map(device).collect();
    let body = json!({"email": "ada@example.com", "dataFields": {"devices": devices}});
    post(&project, "users/update", &body).await;
    let url = &shared().await.database_url;
    let count = format!(
        "SELECT count(*) FROM device_holder WHERE project_id = {}",
        project.id
    );
    assert_eq!(whole_rows(url, &count).await, ["500"]);
}

#[tokio::test]
async fn devices_that_came_as_a_list_by_another_road_stay_and_are_switched_off() {
    let project = Project::fresh().await;
    let devices = json!([{"token": "a", "platform": "GCM"}, {"token": "b", "platform": "GCM"}]);
    for user in ["ada", "bob"] {
        let item = json!({"type": "identify", "userId": user, "messageId": user, "traits": {"devices": devices}});
        project.send("/v1/batch", &json!({"batch": [item]})).await;
    }
    register(&project, json!({"userId": "ada"}), "c").await;
    let off = json!({"userId": "bob", "token": "a"});
    post(&project, "users/disableDevice", &off).await;
    let kept = async |reference: &str, token: &str| {
        let profile = project.profile(reference).await;
        profile["traits"]["devices"][token].clone()
    };
    for token in ["a", "b", "c"] {
        assert_eq!(
            kept("user_id:ada", token).await["platform"],
            "GCM",
            "{token}"
        );
    }
    assert!(!is_on(&project, "user_id:bob", "a").await);
    assert_eq!(kept("user_id:bob", "b").await["platform"], "GCM");
}
