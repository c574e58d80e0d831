//! Requests of many: what they may hold, and their place among other calls.

use super::call;
use crate::harness::Project;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// How often a request is sent again before the test fails: half a minute.
const TIMES: usize = 300;

/// Somebody first, and so many others.
fn users(first: &Value, others: usize) -> Value {
    let others = (0..others).map(|number| json!({"userId": format!("o{number}")}));
    let users: Vec<Value> = std::iter::once(first.clone()).chain(others).collect();
    json!({ "users": users })
}

async fn post(project: &Project, path: &str, body: &Value) -> Value {
    post_text(project, path, body.to_string()).await
}

/// Comes again, as clients do, while too much is in flight: two of the largest requests are more
/// than the service of these tests holds at once.
async fn post_text(project: &Project, path: &str, body: String) -> Value {
    let url = format!("{}/api/{path}", project.url);
    let request = project.client.post(url);
    let request = request.header("Api-Key", &project.server_key).body(body);
    for _ in 0..TIMES {
        let again = request.try_clone().expect("a body of text");
        let reply = again.send().await.expect("an answer");
        let status = reply.status();
        let answer = reply.json().await.expect("JSON");
        if status != StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(status, StatusCode::OK, "{path}: {answer}");
            return answer;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{path}: refused {TIMES} times");
}

/// The bodies are written before, so that one call follows the answer of another at once.
#[tokio::test]
async fn the_first_of_many_is_as_late_as_the_last() {
    let project = Project::fresh().await;
    let said = |x: i64| json!({"userId": "u", "dataFields": {"x": x}});
    let [two, one] = [2, 1].map(|x| users(&said(x), 7_999).to_string());
    post(&project, "users/update", &said(9)).await;
    post_text(&project, "users/bulkUpdate", two).await;
    assert_eq!(project.profile("user_id:u").await["traits"]["x"], 2);
    let (status, _) = call(&project, Method::DELETE, "users/byUserId/u", None).await;
    assert_eq!(status, StatusCode::OK);
    post_text(&project, "users/bulkUpdate", one).await;
    assert_eq!(project.profile("user_id:u").await["traits"]["x"], 1);
}

/// Events of one request are microseconds apart, and none is from before its receipt.
#[tokio::test]
async fn the_first_of_many_events_is_behind_an_erasure_that_was_answered() {
    let project = Project::fresh().await;
    let event = |user: &str| json!({"userId": user, "eventName": "Seen"});
    let mut events = vec![event("u")];
    events.extend((0..7_999).map(|number| event(&format!("o{}", number % 9))));
    let many = json!({ "events": events }).to_string();
    post(&project, "users/update", &json!({"userId": "u"})).await;
    let (status, _) = call(&project, Method::DELETE, "users/byUserId/u", None).await;
    assert_eq!(status, StatusCode::OK);
    post_text(&project, "events/trackBulk", many).await;
    assert_eq!(project.timeline("user_id:u").await.len(), 1);
}

#[tokio::test]
async fn what_is_documented_to_fit_fits_and_what_never_fits_is_to_be_split() {
    let project = Project::fresh().await;
    let fields: serde_json::Map<String, Value> =
        (0..20).map(|n| (format!("k{n}"), json!(1))).collect();
    let user = |number: usize| json!({"userId": format!("u{number}"), "dataFields": fields});
    let many: Vec<Value> = (0..8_000).map(user).collect();
    let answer = post(&project, "users/bulkUpdate", &json!({ "users": many })).await;
    assert_eq!(answer["successCount"], 8_000);
    let fields: serde_json::Map<String, Value> =
        (0..400).map(|n| (format!("k{n}"), json!(1))).collect();
    let user = |number: usize| json!({"userId": format!("u{number}"), "dataFields": fields});
    let many: Vec<Value> = (0..1_000).map(user).collect();
    let body = json!({ "users": many });
    let (status, answer) = call(&project, Method::POST, "users/bulkUpdate", Some(&body)).await;
    let told = (status, answer["code"].as_str());
    let expected = (StatusCode::PAYLOAD_TOO_LARGE, Some("BatchTooLarge"));
    assert_eq!(told, expected, "{answer}");
}

/// Members of which the first is refused; the second is taken as it is when it comes alone.
#[tokio::test]
async fn a_member_that_is_refused_bars_no_other_with_its_names() {
    let project = Project::fresh().await;
    let gone = json!({"userId": "gone", "email": "gone@example.com"});
    post(&project, "users/update", &gone).await;
    post(&project, "users/forget", &json!({"userId": "gone"})).await;
    let update = |id: &str, email: &str| json!({"userId": id, "email": email});
    let track = |id: &str, event: &str| json!({"userId": id, "email": "e@example.com", "eventName": "x", "id": event});
    let calls = [
        (
            "users/bulkUpdate",
            json!({"users": [update("gone", "n@example.com"), update("u2", "n@example.com")]}),
            1,
        ),
        (
            "users/bulkUpdate",
            json!({"users": [update("u3", "gone@example.com"), update("u4", "gone@example.com")]}),
            0,
        ),
        (
            "events/trackBulk",
            json!({"events": [track("u5", &"i".repeat(600)), track("u6", "i")]}),
            1,
        ),
    ];
    for (path, body, refused) in calls {
        let answer = post(&project, path, &body).await;
        assert_eq!(answer["failCount"], refused, "{answer}");
        for names in ["conflictEmails", "conflictUserIds"] {
            let told = answer["failedUpdates"][names].as_array();
            assert!(told.is_none_or(Vec::is_empty), "{answer}");
        }
    }
}
