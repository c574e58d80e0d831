//! Requests of many: what they may hold, and their place among other calls.

use super::call;
use crate::harness::Project;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Somebody first, and so many others.
fn users(first: &Value, others: usize) -> Value {
    let others = (0..others).map(|number| json!({"userId": format!("o{number}")}));
    let users: Vec<Value> = std::iter::once(first.clone()).chain(others).collect();
    json!({ "users": users })
}

async fn post(project: &Project, path: &str, body: &Value) -> Value {
    let (status, answer) = call(project, Method::POST, path, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
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

async fn post_text(project: &Project, path: &str, body: String) {
    let url = format!("{}/api/{path}", project.url);
    let request = project.client.post(url);
    let request = request.header("Api-Key", &project.server_key).body(body);
    let reply = request.send().await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK);
}

/// What phones send has whole seconds: a second that is not over may be later than an erasure in it.
#[tokio::test]
async fn who_buys_in_the_second_of_their_deletion_is_there_again() {
    let project = Project::fresh().await;
    post(&project, "users/update", &json!({"userId": "u"})).await;
    let (status, _) = call(&project, Method::DELETE, "users/byUserId/u", None).await;
    assert_eq!(status, StatusCode::OK);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    let purchase = json!({"id": "p1", "user": {"userId": "u"}, "items": [], "total": 1, "createdAt": now.as_secs()});
    post(&project, "commerce/trackPurchase", &purchase).await;
    let profile = project.profile("user_id:u").await;
    assert_eq!(profile["traits"]["shoppingCartItems"], json!([]));
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
