//! One tenant asks with another's ids and names. It gets what it would get with ones that nobody ever had, to the last byte, for
//! the same statements, and the other notices nothing.

use super::tenant::{Tenant, ask};
use crate::harness::{Project, Service, fresh_database};
use crate::statements::{Counts, counts, since};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a tenant has that others may guess or find: ids of a person, of one that was absorbed, of an event and an erasure, a
/// name, a message id, the name of somebody who is forgotten.
pub struct Ids {
    person: String,
    absorbed: String,
    event: String,
    erasure: String,
    pub name: String,
    message: String,
    pub forgotten: String,
}

impl Ids {
    pub fn of_nobody() -> Self {
        let drawn = || Uuid::new_v4().to_string();
        Self {
            person: drawn(),
            absorbed: drawn(),
            event: drawn(),
            erasure: drawn(),
            name: drawn(),
            message: drawn(),
            forgotten: drawn(),
        }
    }
}

/// The same for every tenant, but for what it is named.
fn life(ids: &Ids) -> Vec<Value> {
    vec![
        json!({"type": "identify", "userId": "ada", "anonymousId": "phone", "messageId": "m-1", "traits": {"plan": "pro"}}),
        json!({"type": "identify", "userId": "bob", "anonymousId": "phone", "messageId": "m-2", "traits": {"plan": "free"}}),
        json!({"type": "track", "event": "Seen", "userId": "ada", "messageId": ids.event}),
        json!({"type": "track", "event": "Seen", "userId": ids.name, "messageId": ids.message}),
        json!({"type": "track", "event": "Seen", "userId": ids.forgotten, "messageId": "m-3"}),
        json!({"type": "track", "event": "Seen", "userId": "cyd", "messageId": "m-5"}),
        json!({"type": "dance", "userId": "ada", "messageId": "m-6"}),
    ]
}

/// Lives, and tells the ids that came of it.
pub async fn lived(project: &Project) -> Ids {
    let mut ids = Ids::of_nobody();
    project.results(&life(&ids)).await;
    let id_of = async |name: &str| {
        project.profile(name).await["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    (ids.person, ids.absorbed) = (id_of("user_id:ada").await, id_of("user_id:cyd").await);
    let as_owner = async |method: Method, path: &str, body: Value| -> Value {
        let (status, text) = ask(project, &method, path, &body, &project.server_key).await;
        assert!(status < 300, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    };
    as_owner(
        Method::POST,
        "/v1/profiles/user_id:ada/merge",
        json!({"from": "user_id:cyd"}),
    )
    .await;
    let path = format!("/v1/profiles/user_id:{}?forget=true", ids.forgotten);
    let receipt = as_owner(Method::DELETE, &path, Value::Null).await;
    ids.erasure = receipt["id"].as_str().expect("an id").to_owned();
    ids
}

/// Every request that may name something, with the status it gets where nobody has it.
pub fn probes(ids: &Ids) -> Vec<(Method, String, Value, u16)> {
    let mut probes = Vec::new();
    let mut probe = |method: Method, path: String, body: Value, status: u16| {
        probes.push((method, path, body, status));
    };
    let nothing = || Value::Null;
    let references = [
        format!("id:{}", ids.person),
        format!("id:{}", ids.absorbed),
        format!("user_id:{}", ids.name),
    ];
    for reference in &references {
        for part in ["", "/events", "/export"] {
            probe(
                Method::GET,
                format!("/v1/profiles/{reference}{part}"),
                nothing(),
                404,
            );
        }
        probe(
            Method::POST,
            format!("/v1/profiles/{reference}/merge"),
            json!({"from": "user_id:ada"}),
            404,
        );
        probe(
            Method::POST,
            "/v1/profiles/user_id:ada/merge".to_owned(),
            json!({"from": reference}),
            404,
        );
    }
    for reference in &references[..2] {
        probe(
            Method::DELETE,
            format!("/v1/profiles/{reference}?forget=true"),
            nothing(),
            404,
        );
    }
    probe(
        Method::GET,
        format!("/v1/profiles?user_id={}", ids.name),
        nothing(),
        404,
    );
    probe(
        Method::POST,
        "/v1/profiles/lookup".to_owned(),
        json!({"references": references}),
        200,
    );
    probe(
        Method::POST,
        format!("/v1/profiles/user_id:{}/unforget", ids.forgotten),
        nothing(),
        404,
    );
    for id in [&ids.event, &ids.message] {
        probe(Method::GET, format!("/v1/events/{id}"), nothing(), 404);
    }
    probe(
        Method::GET,
        format!("/v1/erasures/{}", ids.erasure),
        nothing(),
        404,
    );
    probes
}

/// An answer to the last bit but the request's own id and time, and what it cost.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    statements: Counts,
}

async fn seen(project: &Project, probe: &(Method, String, Value, u16)) -> Seen {
    let (method, path, body, _) = probe;
    let before = counts(&project.url).await;
    let mut request = project
        .client
        .request(method.clone(), format!("{}{path}", project.url))
        .bearer_auth(&project.server_key);
    if !body.is_null() {
        request = request.json(body);
    }
    let reply = request.send().await.expect("an answer");
    let (status, headers) = (reply.status().as_u16(), headers(&reply));
    let body = reply.text().await.expect("text");
    let statements = since(&before, counts(&project.url).await);
    Seen {
        status,
        headers,
        body,
        statements,
    }
}

fn headers(reply: &Response) -> BTreeMap<String, String> {
    let all = reply
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()));
    all.filter(|(name, _)| name != "x-request-id" && name != "date")
        .collect()
}

#[tokio::test]
async fn anothers_ids_are_answered_as_nobodys_and_at_the_same_cost() {
    let database = fresh_database().await;
    let service = Service::start(&database, &[]).await;
    let [one, other] = [
        Project::on(&service.url, &database).await,
        Project::on(&service.url, &database).await,
    ];
    let (_, theirs) = (lived(&one).await, lived(&other).await);
    let other = Tenant::new(other);
    let before = other.everything().await;
    for (foreign, nobodys) in probes(&theirs).iter().zip(&probes(&Ids::of_nobody())) {
        // What the node does by itself may fall between two counts: a difference that is one is there every time.
        for turn in 0.. {
            let (foreign_seen, nobodys_seen) =
                (seen(&one, foreign).await, seen(&one, nobodys).await);
            assert_eq!(
                foreign_seen.status, foreign.3,
                "{foreign:?}: {}",
                foreign_seen.body
            );
            assert!(
                !foreign_seen.statements.is_empty(),
                "{foreign:?} asked nobody"
            );
            if foreign_seen == nobodys_seen {
                break;
            }
            assert!(turn < 5, "{foreign:?}: {foreign_seen:?}, {nobodys_seen:?}");
        }
    }
    assert_eq!(other.everything().await, before);
    for (method, path, body, _) in probes(&theirs)
        .iter()
        .filter(|(method, ..)| *method == Method::GET)
    {
        let (status, text) = ask(
            &other.project,
            method,
            path,
            body,
            &other.project.server_key,
        )
        .await;
        assert_eq!(status, 200, "its owner finds it: {path}: {text}");
    }
}
