//! What somebody with a public key takes before its owner comes: names of a person, and message ids.

use crate::harness::Project;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// `limits.profile_identities`: those who can be believed have some room beyond it.
const OPEN: usize = 1_000;

/// Posts a batch with the server key; gives back the result of each item.
async fn by_server(project: &Project, items: &[Value]) -> Vec<Value> {
    let url = format!("{}/v1/batch?results=true", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let reply = request.json(&json!({"batch": items})).send().await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK);
    let mut told: Value = reply.json().await.expect("JSON");
    serde_json::from_value(told["results"].take()).expect("a list")
}

async fn names(project: &Project, reference: &str) -> usize {
    let profile = project.profile(reference).await;
    profile["identities"].as_array().expect("a list").len()
}

async fn is_eves(project: &Project, reference: &str) -> bool {
    let eve = project.profile("user_id:eve").await;
    project.profile(reference).await["id"] == eve["id"]
}

#[tokio::test]
async fn squatted_names_leave_room_for_those_whom_a_server_or_a_login_names() {
    let project = Project::fresh().await;
    let squat = |number: usize| json!({"type": "identify", "userId": "eve", "anonymousId": format!("squat-{number}")});
    let calls: Vec<Value> = (0..1_100).map(squat).collect();
    for part in calls.chunks(100) {
        for result in project.results(part).await {
            assert_eq!(result["status"], "stored", "{result}");
        }
    }
    assert_eq!(names(&project, "user_id:eve").await, OPEN);
    // Her next device is no name of hers, but what she does there is hers all the same.
    let visit = json!({"type": "track", "event": "Seen", "userId": "eve", "anonymousId": "tablet"});
    let told = &project.results(&[visit]).await[0];
    assert_eq!(told["warnings"][0]["code"], "too_many_identities", "{told}");
    assert_eq!(project.timeline("user_id:eve").await.len(), 1_101);
    // An email by the same key is, and so is what her own servers say.
    let login =
        json!({"type": "identify", "userId": "eve", "traits": {"email": "eve@example.com"}});
    let told = &project.results(&[login]).await[0];
    assert_eq!(told["warnings"], Value::Null, "{told}");
    let phone = json!({"type": "identify", "userId": "eve", "anonymousId": "phone"});
    let told = &by_server(&project, &[phone]).await[0];
    assert_eq!(told["warnings"], Value::Null, "{told}");
    for reference in ["email:eve@example.com", "anonymous_id:phone"] {
        assert!(is_eves(&project, reference).await, "{reference}");
    }
    assert_eq!(names(&project, "user_id:eve").await, OPEN + 2);
}

#[tokio::test]
async fn visitors_who_are_merged_by_a_write_key_do_not_take_the_kept_names_either() {
    let project = Project::fresh().await;
    let kinds = |number: usize| json!({"type": "identify", "userId": "eve", "anonymousId": format!("squat-{number}")});
    let calls: Vec<Value> = (0..OPEN).map(kinds).collect();
    for part in calls.chunks(100) {
        project.results(part).await;
    }
    let visitors = ["visitor-1", "visitor-2"];
    let seen = visitors.map(|id| json!({"type": "track", "event": "Seen", "anonymousId": id}));
    project.results(&seen).await;
    let logins = visitors.map(|id| json!({"type": "identify", "userId": "eve", "anonymousId": id}));
    project.results(&logins[..1]).await;
    assert!(!is_eves(&project, "anonymous_id:visitor-1").await);
    let listed = project.read("/v1/conflicts").await;
    assert_eq!(listed["conflicts"][0]["value"], "visitor-1", "{listed}");
    by_server(&project, &logins[1..]).await;
    assert!(is_eves(&project, "anonymous_id:visitor-2").await);
}

fn paid(person: &str, amount: u32) -> Value {
    json!({"type": "track", "event": "Paid", "userId": person, "messageId": "order-17", "properties": {"amount": amount}})
}

/// The codes under which something is listed.
async fn listed(project: &Project) -> Vec<Value> {
    let rejections = project.rejections().await;
    let mut codes: Vec<Value> = rejections
        .into_iter()
        .map(|one| one["code"].clone())
        .collect();
    codes.dedup();
    codes
}

#[tokio::test]
async fn a_message_id_that_was_taken_swallows_no_servers_event_in_silence() {
    let project = Project::fresh().await;
    project.results(&[paid("mallory", 0)]).await;
    let told = &by_server(&project, &[paid("eve", 99)]).await[0];
    assert_eq!(told["status"], "duplicate", "{told}");
    assert_eq!(told["code"], "message_id_taken", "{told}");
    let rejections = project.rejections().await;
    assert_eq!(rejections.len(), 1, "{rejections:?}");
    let one = &rejections[0];
    assert_eq!(
        (&one["code"], &one["stored"], &one["message_id"]),
        (
            &json!("message_id_taken"),
            &json!(false),
            &json!("order-17")
        )
    );
    assert_eq!(one["item"]["properties"], json!({"amount": 99}), "{one}");
    assert_eq!(one["item"]["names"], json!([["user_id", "eve"]]), "{one}");
    assert_eq!(project.event("order-17").await["properties"]["amount"], 0);
}

#[tokio::test]
async fn who_takes_a_message_id_with_the_same_words_for_another_person_is_noticed_too() {
    let project = Project::fresh().await;
    let seen = json!({"type": "track", "event": "Seen", "userId": "eve"});
    by_server(&project, &[seen]).await;
    project.results(&[paid("mallory", 99)]).await;
    let told = &by_server(&project, &[paid("eve", 99)]).await[0];
    assert_eq!(told["code"], "message_id_taken", "{told}");
}

#[tokio::test]
async fn a_resend_by_a_server_key_is_a_plain_duplicate_and_is_listed_nowhere() {
    let project = Project::fresh().await;
    let first = paid("eve", 99);
    for status in ["stored", "duplicate"] {
        let told = &by_server(&project, std::slice::from_ref(&first)).await[0];
        assert_eq!(
            (&told["status"], &told["code"]),
            (&json!(status), &Value::Null)
        );
    }
    // Known to a page before, and the same number written in another way.
    let mut again = first.clone();
    again["anonymousId"] = json!("phone");
    again["properties"] = serde_json::from_str(r#"{"amount": 99.0}"#).expect("JSON");
    let told = &by_server(&project, &[again, first]).await;
    assert!(
        told.iter().all(|one| one["code"] == Value::Null),
        "{told:?}"
    );
    // A write key is told nothing: it could ask what others store.
    let told = &project.results(&[paid("mallory", 0)]).await[0];
    assert_eq!(
        (&told["status"], &told["code"]),
        (&json!("duplicate"), &Value::Null)
    );
    assert_eq!(listed(&project).await, Vec::<Value>::new());
}
