//! Kinds of keys: what each reaches, by whatever road.

use super::endpoints;
use crate::harness::{Project, ROSTER, shared, store_at};
use reqwest::{Method, RequestBuilder, StatusCode};
use roster::domain::{KeyHash, KeyKind, ProjectId};
use serde_json::{Value, json};
use tokio::process::Command;

/// A key of a project that only reads.
async fn read_key(project: &Project) -> String {
    let key = format!("read-{}", project.name);
    let store = store_at(&shared().await.database_url);
    let made = store.create_key(KeyHash::of(&key), ProjectId(project.id), KeyKind::Read);
    made.await.expect("made");
    key
}

async fn answered(request: RequestBuilder) -> (StatusCode, Value) {
    let reply = request.send().await.expect("an answer");
    let status = reply.status();
    let text = reply.text().await.expect("text");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// True of an answer that says that the key does not reach this.
fn is_insufficient(answer: &(StatusCode, Value)) -> bool {
    answer.0 == StatusCode::UNAUTHORIZED
        && answer.1["msg"] == "Disabled API key or insufficient privileges"
}

#[tokio::test]
async fn each_kind_reaches_what_the_page_says_of_iterables_api() {
    let project = Project::fresh().await;
    let read_key = read_key(&project).await;
    for endpoint in endpoints().into_iter().filter(|it| it.key != "no") {
        let path = endpoint.path.replace(['{', '}'], "");
        let url = format!("{}/api/{path}", project.url);
        let method = Method::from_bytes(endpoint.method.as_bytes()).expect("a method");
        let is_read = method == Method::GET;
        for (key, reaches) in [
            (&project.server_key, true),
            (
                &project.write_key,
                ["app", "open"].contains(&&*endpoint.key),
            ),
            (
                &read_key,
                endpoint.key == "read" || endpoint.key == "open" && is_read,
            ),
        ] {
            let request = project.client.request(method.clone(), &url);
            let answer = answered(request.header("Api-Key", key)).await;
            assert_eq!(
                !is_insufficient(&answer),
                reaches,
                "{method} {path} by {key}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn who_may_not_is_told_which_key_and_of_what_kind() {
    let project = Project::fresh().await;
    let read_key = read_key(&project).await;
    for (key, kind) in [(&project.write_key, "Mobile"), (&read_key, "ReadOnly")] {
        let url = format!("{}/api/users/bulkUpdate", project.url);
        let request = project.client.post(url).header("api_key", key);
        let answer = answered(request.json(&json!({"users": []}))).await;
        assert!(is_insufficient(&answer), "{answer:?}");
        let identifier = &KeyHash::of(key).fingerprint()[..8];
        let expected = json!({"ip": "127.0.0.1", "endpoint": "/api/users/bulkUpdate", "apiKeyIdentifier": identifier, "apiKeyType": kind});
        assert_eq!(answer.1["params"], expected);
    }
}

#[tokio::test]
async fn a_read_key_reads_all_of_the_native_api_and_changes_nothing_by_any_road() {
    let project = Project::fresh().await;
    let key = read_key(&project).await;
    let item = json!({"type": "identify", "userId": "u1", "messageId": "m1", "traits": {"a": 1}});
    project.send("/v1/batch", &json!({"batch": [item]})).await;
    let at = |method: Method, path: &str| {
        let url = format!("{}{path}", project.url);
        project.client.request(method, url).bearer_auth(&key)
    };
    for path in [
        "/v1/profiles/user_id:u1",
        "/v1/profiles?user_id=u1",
        "/v1/profiles/user_id:u1/events",
        "/v1/profiles/user_id:u1/export",
        "/v1/events/m1",
        "/v1/conflicts",
        "/v1/rejections",
        "/v1/imports",
        "/v1/backfill",
    ] {
        assert_eq!(
            answered(at(Method::GET, path)).await.0,
            StatusCode::OK,
            "{path}"
        );
    }
    let lookup = json!({"references": ["user_id:u1"]});
    let (status, told) = answered(at(Method::POST, "/v1/profiles/lookup").json(&lookup)).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let changes = [
        (Method::DELETE, "/v1/profiles/user_id:u1"),
        (Method::POST, "/v1/profiles/user_id:u1/merge"),
        (Method::POST, "/v1/profiles/user_id:u1/split"),
        (Method::POST, "/v1/profiles/user_id:u1/unforget"),
        (Method::POST, "/v1/identities/user_id:u1/block"),
        (Method::DELETE, "/v1/identities/user_id:u1/block"),
        (Method::POST, "/v1/imports"),
        (Method::POST, "/v1/imports/preview"),
        (Method::PUT, "/v1/migration/reads"),
        (Method::POST, "/v1/migration/start"),
        (Method::POST, "/v1/migration/verify"),
    ];
    for (method, path) in changes {
        let answer = answered(at(method.clone(), path).json(&json!({}))).await;
        let told = (answer.0, &answer.1["code"]);
        assert_eq!(
            told,
            (StatusCode::FORBIDDEN, &json!("server_key_needed")),
            "{method} {path}"
        );
    }
    let event = json!({"userId": "u2", "event": "x", "messageId": "m2", "writeKey": key});
    for request in [
        at(Method::POST, "/v1/track"),
        at(Method::POST, "/v1/batch"),
        at(Method::POST, "/v1/import"),
        project.client.post(format!("{}/v1/track", project.url)),
        project
            .client
            .post(format!("{}/v1/track", project.url))
            .basic_auth(&key, Some("")),
    ] {
        let (status, told) = answered(request.json(&event)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{told}");
    }
    let pixel = format!("/v1/pixel/track?userId=u2&event=x&writeKey={key}");
    answered(at(Method::GET, &pixel)).await;
    assert_eq!(project.count("*", "event").await, 1);
    assert_eq!(project.count("*", "profile").await, 1);
}

#[tokio::test]
async fn the_command_line_makes_a_read_key() {
    let project = Project::fresh().await;
    let made = Command::new(ROSTER)
        .args([
            "key",
            "create",
            "--kind",
            "read",
            "--project",
            &project.name,
        ])
        .args(["--database-url", &shared().await.database_url])
        .output()
        .await
        .expect("it ran");
    let key = String::from_utf8(made.stdout).expect("text");
    assert!(key.starts_with("rk_read_"), "{key}");
    let url = format!("{}/v1/conflicts", project.url);
    let request = project.client.get(url).bearer_auth(key.trim());
    assert_eq!(answered(request).await.0, StatusCode::OK);
}
