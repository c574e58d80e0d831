//! The Iterable-compatible API: its fixtures, the laws that hold across dialects, and its page.

mod addresses;
mod bulk;
mod by_email;
mod clients;
mod cost;
mod devices;
mod forgotten;
mod invalidated;
mod keys;
mod limits;
mod lists;
mod mobile;
mod reads;
pub mod signed;
mod tokens;
mod unknown;
mod web;

use crate::harness::{Project, ROSTER, shared, store_at};
use crate::tracking::every_fixture_of;
use reqwest::{Method, StatusCode};
use roster::domain::ProjectId;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[tokio::test]
async fn every_iterable_fixture_holds() {
    every_fixture_of("iterable").await;
}

/// A call of either dialect.
#[derive(Clone, Debug)]
enum Call {
    Iterable(&'static str, Value),
    Tracking(Value),
}

impl Call {
    async fn make(&self, project: &Project) {
        match self {
            Self::Iterable(path, body) => {
                let (status, answer) = call(project, Method::POST, path, Some(body)).await;
                assert_eq!(status, StatusCode::OK, "{path}: {answer}");
            }
            Self::Tracking(item) => {
                project.send("/v1/batch", &json!({"batch": [item]})).await;
            }
        }
    }
}

/// Calls a path of this dialect by the server key.
async fn call(
    project: &Project,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> (StatusCode, Value) {
    call_by(project, &project.server_key, (method, path), body).await
}

/// The same by a key.
async fn call_by(
    project: &Project,
    key: &str,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> (StatusCode, Value) {
    let url = format!("{}/api/{path}", project.url);
    let mut request = project.client.request(method, url).header("Api-Key", key);
    if let Some(body) = body {
        request = request.json(body);
    }
    let reply = request.send().await.expect("an answer");
    (reply.status(), reply.json().await.expect("JSON"))
}

/// A project of a type.
async fn of_type(iterable: &str) -> Project {
    let project = Project::fresh().await;
    let rules = serde_json::from_value(json!({"iterable": iterable})).expect("rules");
    let store = store_at(&shared().await.database_url);
    let set = store.set_rules(ProjectId(project.id), &rules).await;
    set.expect("set");
    project
}

/// Calls about one person that say when they were true, or say different things, so that no order matters.
fn calls() -> Vec<Call> {
    vec![
        Call::Tracking(
            json!({"type": "identify", "userId": "u1", "messageId": "m1",
            "traits": {"email": "Ada@example.com", "plan": "free"}, "timestamp": "2024-01-01T00:00:00Z"}),
        ),
        Call::Iterable(
            "users/update",
            json!({"email": "ada@example.com", "userId": "u1", "dataFields": {"city": "Ulm"}}),
        ),
        Call::Iterable(
            "commerce/updateCart",
            json!({"user": {"userId": "u1"}, "createdAt": 1_704_164_645,
            "items": [{"id": "i", "name": "Shoe", "price": 1, "quantity": 1}], "id": "c1"}),
        ),
        Call::Tracking(
            json!({"type": "track", "userId": "u1", "anonymousId": "a1", "event": "Seen", "messageId": "m2",
            "timestamp": "2024-01-02T00:00:00Z"}),
        ),
        Call::Iterable(
            "events/track",
            json!({"email": "ada@example.com", "eventName": "Opened", "id": "e1", "createdAt": 1_704_164_700}),
        ),
    ]
}

/// All that can be read of the person, without what differs from run to run.
async fn read(project: &Project) -> Value {
    let profile = project.profile("user_id:u1").await;
    let identities: BTreeSet<String> = profile["identities"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|name| format!("{}:{}", name["kind"], name["value"]))
        .collect();
    let timeline = project.timeline("user_id:u1").await;
    let events: Vec<Value> = timeline
        .iter()
        .map(|event| {
            json!([
                event["message_id"],
                event["name"],
                event["occurred_at"],
                event["properties"]
            ])
        })
        .collect();
    json!([profile["traits"], identities, events])
}

#[tokio::test]
async fn a_person_of_both_dialects_ends_the_same_in_any_order() {
    let mut calls = calls();
    let mut seen = BTreeSet::new();
    for turn in 0..calls.len() {
        for is_reversed in [false, true] {
            let mut order = calls.clone();
            if is_reversed {
                order.reverse();
            }
            let project = Project::fresh().await;
            for call in &order {
                call.make(&project).await;
            }
            let person = read(&project).await;
            assert_eq!(
                person[2].as_array().map(Vec::len),
                Some(4),
                "turn {turn}: {person}"
            );
            seen.insert(person.to_string());
        }
        calls.rotate_left(1);
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
}

#[tokio::test]
async fn who_is_forgotten_by_one_dialect_is_forgotten_by_the_other() {
    let project = Project::fresh().await;
    let update = json!({"email": "ada@example.com", "userId": "u1"});
    let (status, _) = call(&project, Method::POST, "users/update", Some(&update)).await;
    assert_eq!(status, StatusCode::OK);
    let forget = json!({"email": "ada@example.com"});
    let (status, _) = call(&project, Method::POST, "users/forget", Some(&forget)).await;
    assert_eq!(status, StatusCode::OK);
    let item = json!({"type": "track", "userId": "u1", "event": "x", "messageId": "m1"});
    let results = project.results(&[item]).await;
    assert_eq!(results[0]["code"], "forgotten", "{results:?}");

    let project = Project::fresh().await;
    let item = json!({"type": "identify", "userId": "u2", "traits": {"email": "b@example.com"}, "messageId": "m2"});
    project.send("/v1/batch", &json!({"batch": [item]})).await;
    assert!(project.erase("user_id:u2?forget=true").await.0.is_success());
    let update = json!({"email": "b@example.com", "dataFields": {"back": true}});
    let (status, answer) = call(&project, Method::POST, "users/update", Some(&update)).await;
    assert_eq!(
        (status, &answer["code"]),
        (StatusCode::CONFLICT, &json!("ForgottenUserError"))
    );
}

#[tokio::test]
async fn who_has_a_name_with_a_nul_in_a_path_is_nobody() {
    let project = Project::fresh().await;
    let empty = json!({});
    let calls = [
        (Method::GET, "users/getByEmail?email=a%00@example.com", 400),
        (Method::GET, "users/a%00@example.com", 400),
        (Method::GET, "users/byUserId?userId=a%00b", 400),
        (Method::GET, "users/byUserId/a%00b", 400),
        (Method::GET, "events/byUserId/a%00b", 200),
        (Method::GET, "events/a%00@example.com", 400),
        (Method::DELETE, "users/a%00@example.com", 400),
        (Method::DELETE, "users/byUserId/a%00b", 400),
    ];
    for (method, path, status) in calls {
        let body = (method == Method::DELETE).then_some(&empty);
        let (got, answer) = call(&project, method.clone(), path, body).await;
        assert_eq!(got.as_u16(), status, "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn eight_thousand_events_of_one_request_are_taken_and_one_more_is_refused_whole() {
    let project = Project::fresh().await;
    let event =
        |number: usize| json!({"userId": "u1", "eventName": "x", "id": format!("e{number}")});
    let mut events: Vec<Value> = (0..8_000).map(event).collect();
    let (status, answer) = call(
        &project,
        Method::POST,
        "events/trackBulk",
        Some(&json!({"events": events})),
    )
    .await;
    assert_eq!(
        (status, &answer["successCount"]),
        (StatusCode::OK, &json!(8_000))
    );
    assert_eq!(project.count("*", "event").await, 8_000);
    events.push(event(8_000));
    let (status, answer) = call(
        &project,
        Method::POST,
        "events/trackBulk",
        Some(&json!({"events": events})),
    )
    .await;
    assert_eq!(
        (status, &answer["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("BatchTooLarge"))
    );
}

#[tokio::test]
async fn the_type_of_a_project_is_set_on_the_command_line() {
    let project = Project::fresh().await;
    let set = Command::new(ROSTER)
        .args(["project", "rules", &project.name, "--iterable", "user-id"])
        .args([
            "--database-url",
            &crate::harness::shared().await.database_url,
        ])
        .output()
        .await
        .expect("it ran");
    assert!(
        set.status.success(),
        "{}",
        String::from_utf8_lossy(&set.stderr)
    );
    let update = json!({"email": "ada@example.com"});
    let (status, answer) = call(&project, Method::POST, "users/update", Some(&update)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
}

/// A row of the page's table of endpoints.
struct Endpoint {
    method: String,
    path: String,
    /// Whose key it takes.
    key: String,
}

/// The rows of the page's table of endpoints.
fn endpoints() -> Vec<Endpoint> {
    let page = std::fs::read_to_string(format!("{ROOT}/docs/ITERABLE.md")).expect("the page");
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let path = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        let methods = ["GET", "POST", "DELETE", "PUT", "PATCH"];
        methods.contains(&cells[0]).then(|| Endpoint {
            method: cells[0].to_owned(),
            path: path.to_owned(),
            key: cells[2].to_owned(),
        })
    };
    page.lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(row)
        .collect()
}

#[tokio::test]
async fn the_page_lists_what_the_service_has() {
    let project = Project::fresh().await;
    let endpoints = endpoints();
    assert!(endpoints.len() > 40, "the page lost its table");
    for Endpoint { method, path, key } in &endpoints {
        let plain = path.replace(['{', '}'], "");
        let url = format!("{}/api/{plain}", project.url);
        let method_of = Method::from_bytes(method.as_bytes()).expect("a method");
        let reply = project
            .client
            .request(method_of, url)
            .send()
            .await
            .expect("an answer");
        let wanted = match key.as_str() {
            "no" => StatusCode::NOT_FOUND,
            _ => StatusCode::UNAUTHORIZED,
        };
        assert_eq!(reply.status(), wanted, "{method} {path}");
        // Pages ask for leave first, and show no key with that.
        let preflight = project
            .client
            .request(Method::OPTIONS, format!("{}/api/{plain}", project.url));
        let preflight = preflight.header("Origin", "https://shop.example");
        let leave = preflight.send().await.expect("an answer");
        assert_eq!(leave.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(
            leave.headers()["access-control-allow-origin"],
            "*",
            "{path}"
        );
    }
    let source = ["mod.rs", "messages.rs", "sdk.rs"].map(|file| {
        std::fs::read_to_string(format!("{ROOT}/src/api/iterable/{file}")).expect("source")
    });
    let listed = |path: &str| endpoints.iter().any(|endpoint| endpoint.path == path);
    let missing: Vec<String> = source
        .iter()
        .flat_map(|text| text.split('"').skip(1).step_by(2))
        .filter(|text| {
            text.contains('/') && !text.contains([' ', ':', '\\', '.']) && !text.starts_with("/api")
        })
        .filter(|path| !listed(path))
        .map(str::to_owned)
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}
