//! What is asked for too often, too large or too much, as the contract's sections 1.2, 1.3 and 3 have it.

use super::call;
use crate::harness::{Project, Service, shared};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn events_are_shown_thirty_at_once_and_two_hundred_at_most() {
    let project = Project::fresh().await;
    let event = |number: i64| json!({"email": "ada@example.com", "userId": "ada", "eventName": format!("e{number}"), "createdAt": 1_704_164_645 + number});
    let events: Vec<Value> = (0..205).map(event).collect();
    let body = json!({"events": events});
    let (status, _) = call(&project, Method::POST, "events/trackBulk", Some(&body)).await;
    assert_eq!(status, StatusCode::OK);
    for who in ["ada@example.com", "byUserId/ada"] {
        for (limit, count) in [
            ("", 30),
            ("?limit=3", 3),
            ("?limit=200", 200),
            ("?limit=5000", 200),
        ] {
            let path = format!("events/{who}{limit}");
            let (status, answer) = call(&project, Method::GET, &path, None).await;
            assert_eq!(status, StatusCode::OK, "{path}: {answer}");
            let events = answer["events"].as_array().expect("a list").iter();
            let names: Vec<&str> = events
                .filter_map(|event| event["eventName"].as_str())
                .collect();
            let newest: Vec<String> = (0..count)
                .map(|place| format!("e{}", 204 - place))
                .collect();
            assert_eq!(names, newest, "{path}");
        }
        for limit in ["0", "-1", "many", "1.5"] {
            let path = format!("events/{who}?limit={limit}");
            let (status, answer) = call(&project, Method::GET, &path, None).await;
            let told = (status, answer["code"].as_str());
            assert_eq!(told, (StatusCode::BAD_REQUEST, Some("BadParams")), "{path}");
        }
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let database = &shared().await.database_url;
    let slow = [("ROSTER__RATES__KEY_REQUESTS_PER_SECOND", "1")];
    let service = Service::start(database, &slow).await;
    let project = Project::on(&service.url, database).await;
    let url = format!("{}/api/users/update", project.url);
    let mut refused = None;
    for _ in 0..50 {
        let request = project
            .client
            .post(&url)
            .header("Api-Key", &project.write_key);
        let reply = request.json(&json!({"userId": "ada"})).send().await;
        let reply = reply.expect("an answer");
        if reply.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(reply);
            break;
        }
        assert_eq!(reply.status(), StatusCode::OK);
    }
    let refused = refused.expect("fifty at once are too many");
    let seconds = refused.headers()["retry-after"]
        .to_str()
        .expect("text")
        .parse::<u64>();
    assert!(seconds.is_ok_and(|seconds| seconds > 0));
    assert_eq!(refused.headers()["access-control-allow-origin"], "*");
    let answer: Value = refused.json().await.expect("JSON");
    let expected =
        json!({"msg": "Exceeded rate limit.", "code": "RateLimitExceeded", "params": null});
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_told_in_the_envelope() {
    let project = Project::fresh().await;
    let user = json!({"userId": "ada", "dataFields": {"a": "x".repeat(11 << 20)}});
    for (path, body) in [
        ("users/update", user.clone()),
        ("users/bulkUpdate", json!({"users": [user]})),
    ] {
        let (status, answer) = call(&project, Method::POST, path, Some(&body)).await;
        let told = (status, answer["code"].as_str());
        let expected = (StatusCode::PAYLOAD_TOO_LARGE, Some("BatchTooLarge"));
        assert_eq!(told, expected, "{path}: {answer}");
    }
    assert_eq!(project.count("*", "profile").await, 0);
}

/// An object of so many fields.
fn fields(count: usize) -> Value {
    let fields = (0..count).map(|number| (format!("f{number}"), json!(1)));
    Value::Object(fields.collect())
}

/// Calls of which a limit would cut a part.
fn too_much() -> Vec<(&'static str, Value)> {
    let user = |data: Value| json!({"userId": "ada", "dataFields": data});
    let item = json!({"id": "i", "name": "x".repeat(400), "price": 1, "quantity": 1});
    let items = vec![item; 500];
    let device = |number: usize| json!({"token": format!("t{number}"), "more": "x".repeat(450)});
    let devices: Vec<Value> = (0..400).map(device).collect();
    let apart = json!({"userId": "ada", "createNewFields": false, "dataFields": {"plan": "pro"}});
    let large = "x".repeat(200_000);
    let large_apart =
        json!({"userId": "ada", "createNewFields": false, "dataFields": {"bio": large}});
    let few = [items[0].clone()];
    vec![
        ("users/update", user(json!({ "bio": large }))),
        ("users/update", user(fields(3_000))),
        ("users/update", user(json!({ "devices": devices }))),
        (
            "commerce/updateCart",
            json!({"user": {"userId": "ada"}, "items": items}),
        ),
        (
            "commerce/updateCart",
            json!({"user": apart, "items": items}),
        ),
        (
            "commerce/updateCart",
            json!({"user": large_apart, "items": few}),
        ),
        (
            "events/track",
            json!({"userId": "ada", "eventName": "Seen", "dataFields": fields(9_000)}),
        ),
    ]
}

#[tokio::test]
async fn what_a_limit_does_not_let_in_is_told_and_nothing_of_its_call_is_kept() {
    let project = Project::fresh().await;
    for (path, body) in too_much() {
        let (status, answer) = call(&project, Method::POST, path, Some(&body)).await;
        let told = (status, answer["code"].as_str());
        let expected = (StatusCode::BAD_REQUEST, Some("BadParams"));
        assert_eq!(told, expected, "{path}: {answer}");
        let reason = answer["params"]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("too_"), "{answer}");
        for table in ["profile", "event"] {
            assert_eq!(project.count("*", table).await, 0, "{path} {answer}");
        }
    }
}

#[tokio::test]
async fn of_many_those_that_a_limit_does_not_let_in_are_named() {
    let project = Project::fresh().await;
    let large = json!({"bio": "x".repeat(200_000)});
    let users = json!({"users": [{"email": "a@x.test", "dataFields": large}, {"userId": "b", "dataFields": large}, {"userId": "c"}]});
    let path = "users/bulkUpdate";
    let (_, answer) = call(&project, Method::POST, path, Some(&users)).await;
    assert_eq!(answer["successCount"], 1, "{answer}");
    let failed = &answer["failedUpdates"];
    assert_eq!(failed["invalidDataEmails"], json!(["a@x.test"]), "{answer}");
    assert_eq!(failed["invalidDataUserIds"], json!(["b"]), "{answer}");
    let event =
        |user: &str, data: Value| json!({"userId": user, "eventName": "Seen", "dataFields": data});
    let events = json!({"events": [event("b", fields(9_000)), event("c", json!({}))]});
    let path = "events/trackBulk";
    let (_, answer) = call(&project, Method::POST, path, Some(&events)).await;
    assert_eq!(answer["failCount"], 1, "{answer}");
    assert_eq!(
        answer["failedUpdates"]["invalidUserIds"],
        json!(["b"]),
        "{answer}"
    );
    assert_eq!(project.count("*", "profile").await, 1);
}
