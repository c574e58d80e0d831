//! Two tenants with the same names: what one forgets, where one's cursor leads in the other's lists, and what a write key may.

use super::foreign::{Ids, lived, probes};
use super::tenant::ask;
use crate::harness::Project;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn to_forget_somebody_here_forgets_nobody_there() {
    let (one, other) = (Project::fresh().await, Project::fresh().await);
    let theirs = lived(&other).await;
    let before = other.profile("user_id:ada").await;
    for name in [
        "user_id:ada",
        "anonymous_id:phone",
        &format!("user_id:{}", theirs.name),
    ] {
        let path = format!("/v1/profiles/{name}?forget=true");
        let (status, text) = ask(&one, &Method::DELETE, &path, &Value::Null, &one.server_key).await;
        assert!(status < 300, "{text}");
    }
    assert_eq!(other.profile("user_id:ada").await, before);
    let calls = |id: &str| {
        ["ada", &theirs.name].map(|user| json!({"type": "track", "event": "Back", "userId": user, "messageId": format!("{id}-{user}")}))
    };
    for (project, told) in [(&one, "forgotten"), (&other, "stored")] {
        for result in project.results(&calls("back")).await {
            assert!(
                result["code"] == told || result["status"] == told,
                "{told}: {result}"
            );
        }
    }
    // Nor does lifting the block that is there lift the one that is here.
    let path = format!("/v1/profiles/user_id:{}/unforget", theirs.forgotten);
    let block = format!("/v1/profiles/user_id:{}?forget=true", theirs.forgotten);
    assert!(
        ask(&one, &Method::DELETE, &block, &Value::Null, &one.server_key)
            .await
            .0
            < 300
    );
    assert_eq!(
        ask(&one, &Method::POST, &path, &Value::Null, &one.server_key)
            .await
            .0,
        200
    );
    let call =
        json!({"type": "track", "event": "Back", "userId": theirs.forgotten, "messageId": "again"});
    assert_eq!(
        other.results(std::slice::from_ref(&call)).await[0]["code"],
        "forgotten"
    );
    assert_eq!(one.results(&[call]).await[0]["status"], "stored");
}

#[tokio::test]
async fn anothers_cursor_leads_only_to_rows_of_ones_own() {
    let (one, other) = (Project::fresh().await, Project::fresh().await);
    let devices = (0..9).map(|number| json!({"type": "identify", "userId": "ada", "anonymousId": format!("device-{number}"), "messageId": format!("a-{number}"), "timestamp": "2024-01-01T00:00:00Z"}));
    let claims = (0..9).map(|number| json!({"type": "identify", "userId": "bob", "anonymousId": format!("device-{number}"), "messageId": format!("b-{number}")}));
    let refused = (0..9).map(|number| json!({"type": "dance", "messageId": format!("c-{number}")}));
    let calls: Vec<Value> = devices.chain(claims).chain(refused).collect();
    for turn in 0..2 {
        // In turns, so that each has rows before and after the other's; one at a time, for a time of its own.
        for call in calls.iter().skip(turn).step_by(2) {
            for project in [&one, &other] {
                project.results(std::slice::from_ref(call)).await;
            }
        }
    }
    for (path, rows) in [
        ("/v1/profiles/user_id:ada/events", "events"),
        ("/v1/conflicts", "conflicts"),
        ("/v1/rejections", "rejections"),
    ] {
        let list =
            async |project: &Project, query: &str| project.read(&format!("{path}?{query}")).await;
        let (own, foreign) = (
            list(&one, "limit=1000").await,
            list(&other, "limit=1000").await,
        );
        let (own, foreign) = (
            own[rows].as_array().unwrap(),
            foreign[rows].as_array().unwrap(),
        );
        assert_eq!((own.len(), foreign.len()), (9, 9), "{path}");
        let cursor = list(&other, "limit=4").await["next_cursor"]
            .as_str()
            .expect("more")
            .to_owned();
        let page = list(&one, &format!("limit=1000&cursor={cursor}")).await;
        let page = page[rows].as_array().unwrap();
        assert!(
            !page.is_empty() && page.len() < own.len(),
            "{path}: {}",
            page.len()
        );
        assert!(
            page.iter()
                .all(|row| own.contains(row) && !foreign.contains(row)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_write_key_reads_nothing_and_writes_only_its_own() {
    let (one, other) = (Project::fresh().await, Project::fresh().await);
    let (ours, theirs) = (lived(&one).await, lived(&other).await);
    let lists = ["/v1/conflicts", "/v1/rejections"]
        .map(|path| (Method::GET, path.to_owned(), Value::Null, 200));
    let all = [
        probes(&ours),
        probes(&theirs),
        probes(&Ids::of_nobody()),
        lists.into(),
    ]
    .concat();
    for (method, path, body, _) in all {
        let (status, text) = ask(&one, &method, &path, &body, &one.write_key).await;
        let problem: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (status, &problem["code"]),
            (403, &json!("server_key_needed")),
            "{path}"
        );
    }
    let before = (
        one.count("*", "event").await,
        other.count("*", "event").await,
    );
    let call = json!({"userId": "ada", "event": "Seen", "messageId": "both-keys", "writeKey": other.write_key});
    let path = format!("/v1/track?writeKey={}", other.write_key);
    assert_eq!(one.post("/v1/track", &call).await.status(), StatusCode::OK);
    assert_eq!(one.post(&path, &call).await.status(), StatusCode::OK);
    let after = (
        one.count("*", "event").await,
        other.count("*", "event").await,
    );
    assert_eq!(after, (before.0 + 1, before.1), "the header's key counts");
}
