//! `/openapi.json` is true: what it describes is served, and nothing else; keys reach what it says; answers have the shapes that it tells.

use crate::harness::{Project, answer_to, http, shared, store_at};
use crate::migration::MAPPING;
use reqwest::{Method, Response, StatusCode};
use roster::domain::{KeyHash, KeyKind, ProjectId};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// By these a key hears that it is of the wrong kind.
const WRONG_KEY: [&str; 4] = [
    "server_key_needed",
    "write_key_needed",
    "BadApiKey",
    "unknown_key",
];

async fn document() -> Value {
    let (status, document) =
        answer_to(http().get(format!("{}/openapi.json", shared().await.url))).await;
    assert_eq!(status, StatusCode::OK);
    document
}

/// A path of the document, with something in the place of each parameter.
fn filled(path: &str, key: &str) -> String {
    let parts = path.split('{').map(|part| match part.split_once('}') {
        None => part.to_owned(),
        Some((name, rest)) => {
            let value = match name {
                "reference" => "user_id:nobody",
                "id" => "0198c0de-0000-7000-8000-000000000000",
                "key" => key,
                "verb" => "start",
                "email" => "nobody@example.com",
                "call" => "track",
                other => other,
            };
            format!("{value}{rest}")
        }
    });
    parts.collect()
}

/// What a method of a path answers to a key.
async fn ask(project: &Project, method: &str, path: &str, key: &str) -> Response {
    let url = format!("{}{}", project.url, filled(path, key));
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = project.client.request(method.clone(), url);
    let request = request.basic_auth(key, Some("")).header("Api-Key", key);
    let request = match method {
        Method::POST | Method::PUT | Method::PATCH => request.json(&json!({})),
        _ => request,
    };
    request.send().await.expect("an answer")
}

fn is_iterables(path: &str) -> bool {
    path.starts_with("/api/") && !path.starts_with("/api/s/")
}

/// True where the service has no such method of a path, or no such path.
async fn is_nowhere(reply: Response) -> bool {
    let status = reply.status();
    let text = reply.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    // A problem that is called so is the answer of a handler.
    let is_no_path = body["code"] == "not_found" && body["title"].is_null();
    status == StatusCode::METHOD_NOT_ALLOWED
        || (status == StatusCode::NOT_FOUND && (is_no_path || text.contains("Action not found")))
}

#[tokio::test]
async fn what_is_described_is_served_and_nothing_else() {
    let (project, document) = (Project::fresh().await, document().await);
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 100, "{}", paths.len());
    for (path, methods) in paths {
        for method in METHODS {
            let is_described = !methods[method.to_lowercase()].is_null();
            let reply = ask(&project, method, path, &project.server_key).await;
            let status = reply.status();
            let is_there = match method {
                "HEAD" => {
                    status != StatusCode::METHOD_NOT_ALLOWED
                        && !(is_iterables(path) && status == StatusCode::NOT_FOUND)
                }
                _ => !is_nowhere(reply).await,
            };
            let is_implied = match method {
                "HEAD" => !methods["get"].is_null(),
                // Preflights are said once for all.
                "OPTIONS" => status == StatusCode::NO_CONTENT,
                _ => false,
            };
            assert_eq!(
                is_there,
                is_described || is_implied,
                "{method} {path}: {status}"
            );
        }
    }
}

#[tokio::test]
async fn keys_reach_what_is_said_and_no_more() {
    let (project, document) = (Project::fresh().await, document().await);
    let read_key = format!("read-{}", project.name);
    let store = store_at(&shared().await.database_url);
    let made = store.create_key(KeyHash::of(&read_key), ProjectId(project.id), KeyKind::Read);
    made.await.expect("created");
    let keys = [
        ("server", &project.server_key),
        ("write", &project.write_key),
        ("read", &read_key),
    ];
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            let kinds = &described["x-key-kinds"];
            // A pixel answers with its image, whatever happened.
            if path.starts_with("/pixel/") {
                continue;
            }
            for (kind, key) in keys {
                let reply = ask(&project, &method.to_uppercase(), path, key).await;
                let status = reply.status();
                let body: Value = reply.json().await.unwrap_or_default();
                let is_refused = match method.as_str() {
                    "head" => status == StatusCode::FORBIDDEN,
                    _ => WRONG_KEY.iter().any(|code| body["code"] == *code),
                };
                let is_said = kinds.is_null() || kinds.as_array().unwrap().contains(&json!(kind));
                assert_eq!(
                    !is_refused, is_said,
                    "{method} {path} with a {kind} key: {status} {body}"
                );
            }
        }
    }
}

#[tokio::test]
async fn anybody_may_read_it_by_get_and_head() {
    let url = format!("{}/openapi.json", shared().await.url);
    let reply = http().get(&url).send().await.unwrap();
    assert_eq!(reply.headers()["content-type"], "application/json");
    let length = reply.headers()["content-length"].clone();
    assert_eq!(
        reply.text().await.unwrap().len().to_string(),
        length.to_str().unwrap()
    );
    let reply = http().head(&url).send().await.unwrap();
    assert_eq!(
        (reply.status(), &reply.headers()["content-length"]),
        (StatusCode::OK, &length)
    );
    let reply = http().post(&url).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reply.headers()["allow"], "GET, HEAD");
}

#[tokio::test]
async fn the_document_is_openapi_and_answers_have_its_shapes() {
    let project = Project::fresh().await;
    let values = [
        sent(&project).await,
        read(&project).await,
        done(&project).await,
    ]
    .concat();
    let values = values
        .into_iter()
        .map(|(shape, value)| json!({"shape": shape, "value": value}));
    let given = json!({"document": document().await, "values": values.collect::<Vec<_>>()});
    let mut check = Command::new(format!("{ROOT}/.dev/sdk/openapi/bin/python"));
    check.arg(format!("{ROOT}/tests/sdk/openapi/check.py"));
    let mut check = check
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/setup has installed it");
    serde_json::to_writer(check.stdin.take().unwrap(), &given).unwrap();
    let told = check.wait_with_output().unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stdout)
    );
}

type Values = Vec<(&'static str, Value)>;

/// Posts JSON with a key, in all its places.
async fn post(project: &Project, key: &str, path: &str, body: &Value) -> Value {
    let request = project.client.post(format!("{}{path}", project.url));
    let request = request.basic_auth(key, Some("")).header("Api-Key", key);
    answer_to(request.json(body)).await.1
}

/// What is sent, and how that is answered.
async fn sent(project: &Project) -> Values {
    let key = &project.write_key;
    let call = json!({"type": "identify", "messageId": "m-1", "userId": "ada", "anonymousId": 7,
        "traits": {"email": "ada@example.com"}, "timestamp": "2026-01-02T03:04:05Z"});
    let mended = json!({"type": "track", "userId": "ada", "event": "Seen", "timestamp": "soon"});
    let batch = json!({"batch": [call, call, mended, {"type": "dance", "userId": "ada"}]});
    let results = post(project, key, "/v1/batch?results=true", &batch).await;
    assert_eq!(results["results"][3]["code"], "unknown_type");
    let user = json!({"userId": "bob"});
    vec![
        ("Taken", results),
        ("Taken", post(project, key, "/v1/track", &mended).await),
        ("Failure", post(project, key, "/v1/track", &user).await),
        (
            "Envelope",
            post(project, key, "/api/users/update", &user).await,
        ),
        (
            "Envelope",
            post(project, "nobody", "/api/users/update", &user).await,
        ),
        ("Call", call),
        ("Batch", batch),
    ]
}

/// What is read.
async fn read(project: &Project) -> Values {
    let (status, problem) = project.get("/v1/profiles/user_id:nobody").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let url = format!("{}/v1/imports?format=csv&name=people.csv", project.url);
    let import = project.client.post(url).bearer_auth(&project.server_key);
    let (status, import) = answer_to(import.body("user_id,plan\nada,pro\n,free\n")).await;
    assert_eq!(status, StatusCode::CREATED, "{import}");
    let path = format!("/v1/imports/{}", import["id"].as_str().unwrap());
    let timeline = "/v1/profiles/user_id:ada/events?limit=1";
    vec![
        ("Problem", problem),
        ("ImportJob", import),
        ("ImportJob", project.read(&path).await),
        ("ImportPage", project.read("/v1/imports").await),
        ("Profile", project.profile("user_id:ada").await),
        ("Event", project.event("m-1").await),
        ("EventPage", project.read(timeline).await),
        ("RejectionPage", project.read("/v1/rejections").await),
    ]
}

/// What is done with a server key.
async fn done(project: &Project) -> Values {
    let key = &project.server_key;
    let index = format!("people-{}", project.name);
    let plan = json!({"mapping": MAPPING, "index": index, "source": "people"});
    let references = json!({"references": ["user_id:ada", "user_id:nobody"]});
    let blocked = "/v1/identities/anonymous_id:kiosk/block";
    vec![
        (
            "Profiles",
            post(project, key, "/v1/profiles/lookup", &references).await,
        ),
        ("Block", post(project, key, blocked, &json!({})).await),
        (
            "Migration",
            post(project, key, "/v1/migration/plan", &plan).await,
        ),
        ("Erasure", project.erase("user_id:bob").await.1),
        ("References", references),
    ]
}
