//! What is read of users: their fields, their events, the names that are shown.

use super::{call, of_type};
use crate::harness::{Project, shared, store_at};
use reqwest::{Method, StatusCode};
use roster::domain::ProjectId;
use serde_json::{Value, json};

async fn post(project: &Project, path: &str, body: &Value) -> Value {
    let (status, answer) = call(project, Method::POST, path, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn get(project: &Project, path: &str) -> Value {
    let (status, answer) = call(project, Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

#[tokio::test]
async fn as_many_events_are_told_as_were_asked_for_however_large_they_are() {
    let project = Project::fresh().await;
    let large = "x".repeat(10_000);
    let event = |number: usize| {
        json!({"userId": "ada", "eventName": "Seen", "id": format!("e{number}"),
        "createdAt": 1_700_000_000 + number, "dataFields": {"large": large}})
    };
    let events: Vec<Value> = (0..40).map(event).collect();
    post(&project, "events/trackBulk", &json!({ "events": events })).await;
    for (query, count) in [
        ("", 30),
        ("?limit=40", 40),
        ("?limit=200", 40),
        ("?limit=1", 1),
    ] {
        let told = get(&project, &format!("events/byUserId/ada{query}")).await;
        let told = told["events"].as_array().expect("a list");
        let ids: Vec<&str> = told.iter().filter_map(|one| one["_id"].as_str()).collect();
        let newest: Vec<String> = (0..40).rev().map(|number| format!("e{number}")).collect();
        assert_eq!(ids, newest[..count], "{query}");
    }
    post(&project, "users/update", &json!({"userId": "bob"})).await;
    for nobody in ["bob", "nobody"] {
        let told = get(&project, &format!("events/byUserId/{nobody}")).await;
        assert_eq!(told, json!({"events": []}));
    }
}

#[tokio::test]
async fn fields_are_of_the_types_of_what_is_in_them() {
    let project = Project::fresh().await;
    let item = json!({"id": "i", "name": "Shoe", "price": 1, "quantity": 1});
    let cart = json!({"user": {"userId": "u1"}, "items": [item]});
    post(&project, "commerce/updateCart", &cart).await;
    let purchase = json!({"user": {"userId": "u2"}, "items": [item], "total": 1});
    post(&project, "commerce/trackPurchase", &purchase).await;
    for (id, day) in [("u1", "2020-01-02"), ("u2", "")] {
        let user = json!({"userId": id, "dataFields": {"day": day, "empty": []}});
        post(&project, "users/update", &user).await;
    }
    let device = json!({"token": "t", "platform": "GCM", "applicationName": "app"});
    let device = json!({"userId": "u1", "device": device});
    post(&project, "users/registerDeviceToken", &device).await;
    let fields = get(&project, "users/getFields").await["fields"].clone();
    let expected = [
        ("shoppingCartItems", "nested"),
        ("day", "date"),
        ("empty", "string"),
        ("devices", "nested"),
    ];
    for (name, its_type) in expected {
        assert_eq!(fields[name], its_type, "{name}: {fields}");
    }
}

#[tokio::test]
async fn a_plan_has_the_fields_that_are_there_before_there_is_a_value() {
    let project = Project::fresh().await;
    let rules = serde_json::from_value(json!({"types": "enforce"})).expect("rules");
    let store = store_at(&shared().await.database_url);
    let set = store.set_rules(ProjectId(project.id), &rules).await;
    set.expect("set");
    let fields = get(&project, "users/getFields").await["fields"].clone();
    let expected = [
        ("userListIds", "long"),
        ("subscribedMessageTypeIds", "long"),
        ("shoppingCartItems.price", "double"),
        ("devices", "nested"),
    ];
    for (name, its_type) in expected {
        assert_eq!(fields[name], its_type, "{name}: {fields}");
    }
}

#[tokio::test]
async fn a_name_is_shown_as_it_leads_to_its_person() {
    let project = of_type("hybrid").await;
    let list = post(&project, "lists", &json!({"name": "l"})).await["listId"].clone();
    let ada = json!({"userId": "ada", "dataFields": {"email": " Ada@Example.com "}});
    post(&project, "users/update", &ada).await;
    let item = json!({"type": "identify", "userId": "ada", "messageId": "m", "traits": {"userId": "other"}});
    project.send("/v1/batch", &json!({"batch": [item]})).await;
    let found = get(&project, "users/ada@example.com").await["user"].clone();
    assert_eq!(found["email"], "ada@example.com");
    assert_eq!(found["userId"], "ada");
    let who = json!({"listId": list, "subscribers": [{"userId": "ada"}]});
    post(&project, "lists/subscribe", &who).await;
    for (more, name) in [("", "ada@example.com"), ("&preferUserId=true", "ada")] {
        let url = format!("{}/api/lists/getUsers?listId={list}{more}", project.url);
        let request = project.client.get(url);
        let request = request.header("Api-Key", &project.server_key);
        let reply = request.send().await.expect("an answer");
        assert_eq!(reply.text().await.expect("text"), format!("{name}\n"));
    }
}
