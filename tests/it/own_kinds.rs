//! A project's own kinds of identity, from the command line to the profile.

use crate::harness::{Project, ROSTER, answer_to, shared, wait_until};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

async fn set(project: &Project, kinds: &[&str]) -> Result<(), String> {
    let mut command = Command::new(ROSTER);
    command.args(["project", "identities", &project.name]);
    command
        .args(kinds)
        .args(["--database-url", &shared().await.database_url]);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(error)
}

/// Nodes remember a key and its project for some seconds.
pub async fn project_with(kinds: &[&str]) -> Project {
    let project = Project::fresh().await;
    set(&project, kinds).await.unwrap();
    project
}

fn names(profile: &Value) -> Vec<String> {
    let name = |known: &Value| {
        format!(
            "{}:{}",
            known["kind"].as_str().unwrap(),
            known["value"].as_str().unwrap()
        )
    };
    profile["identities"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect()
}

#[tokio::test]
async fn people_are_known_by_what_the_project_calls_them() {
    let project = project_with(&["--kind", "customer_no:500", "--kind", "phone::phone"]).await;
    let segment = |id: &str| json!({"externalIds": [{"id": id, "type": "customer_no", "collection": "users", "encoding": "none"}, {"id": "x", "type": "nobody_knows"}]});
    let results = project
        .results(&[
            json!({"type": "track", "event": "Bought", "messageId": "1", "context": segment("C-7")}),
            json!({"type": "identify", "userId": "ada", "messageId": "2", "traits": {"phone": "+49 731 12-34"}}),
            json!({"type": "track", "event": "Called", "messageId": "3", "context": {"externalId": [{"type": "phone", "id": "0049 731/1234"}]}}),
            json!({"type": "track", "event": "Seen", "userId": "ada", "messageId": "4", "context": segment("C-7")}),
            json!({"type": "track", "event": "Nobody", "messageId": "5", "context": {"externalIds": [{"id": "x", "type": "nobody_knows"}]}}),
        ])
        .await;
    assert!(
        results[..4]
            .iter()
            .all(|result| result["status"] == "stored"),
        "{results:?}"
    );
    assert_eq!(results[4]["code"], "missing_identity");
    let ada = project.profile("customer_no:C-7").await;
    assert_eq!(
        names(&ada),
        ["customer_no:C-7", "phone:+497311234", "user_id:ada"]
    );
    for reference in ["user_id:ada", "phone:00497311234"] {
        assert_eq!(project.profile(reference).await, ada, "{reference}");
    }
    assert_eq!(project.read("/v1/profiles?phone=%2B49-731-1234").await, ada);
    assert_eq!(
        project.get("/v1/profiles?customer_number=7").await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(project.timeline("user_id:ada").await.len(), 4);
}

/// A table that has numbers as fractions spells an id as `7.0`: it is the same id wherever it stands, and nobody else's.
#[tokio::test]
async fn numbers_name_the_same_people_wherever_they_stand() {
    let project = project_with(&["--kind", "plain", "--kind", "phone::phone"]).await;
    let calls = r#"{"batch": [
        {"type": "identify", "userId": "owner", "traits": {"phone": "49176123450", "plain": "7"}},
        {"type": "identify", "anonymousId": "stranger", "traits": {"phone": 4917612345.0}},
        {"type": "track", "event": "Seen", "messageId": "t", "context": {"externalIds": [{"type": "plain", "id": 7.0}]}},
        {"type": "merge", "messageId": "m", "mergeProperties": [{"type": "userId", "value": "owner"}, {"type": "userId", "value": 555.0}]},
        {"type": "track", "event": "Seen", "userId": 1e600},
        {"type": "merge", "mergeProperties": [{"type": "userId", "value": "owner"}, {"type": "userId", "value": 1e600}]}]}"#;
    let url = format!("{}/v1/batch?results=true", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let (_, told) = answer_to(request.body(calls)).await;
    let codes = [4, 5].map(|place| told["results"][place]["code"].as_str());
    assert_eq!(codes, [Some("number_too_large"); 2], "{told}");
    let owner = project.profile("user_id:owner").await;
    let known = [
        "phone:49176123450",
        "plain:7",
        "user_id:555",
        "user_id:owner",
    ];
    assert_eq!(names(&owner), known);
    let stranger = project.profile("phone:4917612345").await;
    assert_eq!(
        names(&stranger),
        ["anonymous_id:stranger", "phone:4917612345"]
    );
    assert_eq!(project.timeline("plain:7").await.len(), 3);
}

#[tokio::test]
async fn a_stronger_kind_decides_and_two_user_ids_stay_apart() {
    let project = project_with(&["--kind", "customer_no:500"]).await;
    let call = |id: &str, user: &str| json!({"type": "identify", "userId": user, "messageId": id, "traits": {"customer_no": 7, "plan": id}});
    project.results(&[call("1", "ada"), call("2", "bob")]).await;
    let (ada, bob) = (
        project.profile("user_id:ada").await,
        project.profile("user_id:bob").await,
    );
    assert_eq!(
        (names(&ada).len(), names(&bob)),
        (2, vec!["user_id:bob".to_owned()])
    );
    assert_eq!(project.profile("customer_no:7").await["id"], ada["id"]);
    let conflicts = project.read("/v1/conflicts").await;
    assert_eq!(conflicts["conflicts"][0]["kind"], "customer_no");
}

#[tokio::test]
async fn a_device_token_names_somebody_only_where_the_project_says_so() {
    let call = json!({"type": "screen", "name": "Home", "anonymousId": "phone", "messageId": "1", "context": {"device": {"token": "t-1"}}});
    let usual = Project::fresh().await;
    usual.results(std::slice::from_ref(&call)).await;
    assert_eq!(
        names(&usual.profile("anonymous_id:phone").await),
        ["anonymous_id:phone"]
    );
    assert_eq!(
        usual.event("1").await["context"]["device"]["token"],
        "t-1",
        "it is kept as it was sent"
    );
    let telling = project_with(&["--device-tokens"]).await;
    telling.results(&[call]).await;
    assert_eq!(
        telling.profile("device_token:t-1").await["id"],
        telling.profile("anonymous_id:phone").await["id"]
    );
}

/// A misspelt kind names nobody: an erasure that is answered with success must not leave its person there.
#[tokio::test]
async fn a_kind_that_there_is_not_is_refused_wherever_somebody_is_referred_to() {
    use reqwest::Method;
    let project = project_with(&["--kind", "customer_no"]).await;
    project
        .results(&[json!({"type": "identify", "userId": "eve"})])
        .await;
    let ask = |method: Method, path: &str, body: Value| {
        let url = format!("{}/v1/{path}", project.url);
        let request = project.client.request(method, url).json(&body);
        answer_to(request.bearer_auth(&project.server_key))
    };
    let wrong = [
        (Method::DELETE, "profiles/userId:eve?forget=true", json!({})),
        (Method::GET, "profiles/userId:eve", json!({})),
        (Method::GET, "profiles/userId:eve/events", json!({})),
        (Method::POST, "profiles/userId:eve/unforget", json!({})),
        (
            Method::POST,
            "profiles/user_id:eve/merge",
            json!({"from": "userId:eve"}),
        ),
        (
            Method::POST,
            "profiles/user_id:eve/split",
            json!({"identities": ["userId:eve"]}),
        ),
        (Method::POST, "identities/userId:eve/block", json!({})),
        (
            Method::POST,
            "profiles/lookup",
            json!({"references": ["user_id:eve", "userId:eve"]}),
        ),
    ];
    for (method, path, body) in wrong {
        let (status, told) = ask(method, path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {told}");
        let detail = told["detail"].as_str().unwrap();
        assert!(
            detail.contains("userId") && detail.contains("customer_no"),
            "{detail}"
        );
        assert_eq!(
            detail.contains("references[1]"),
            path.ends_with("lookup"),
            "{detail}"
        );
    }
    for kind in ["email", "group_id", "device_token", "customer_no"] {
        let (status, _) = project.get(&format!("/v1/profiles/{kind}:nobody")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{kind}");
    }
    // What was blocked when there was no such check can be let go.
    let (status, told) = ask(Method::DELETE, "identities/userId:eve/block", json!({})).await;
    assert_eq!((status, &told["blocked"]), (StatusCode::OK, &json!(false)));
}

#[tokio::test]
async fn what_makes_no_sense_is_said_and_a_change_reaches_every_node() {
    let project = Project::fresh().await;
    for (kinds, word) in [
        (["--kind", "email"], "meaning of its own"),
        (["--kind", "Loud"], "is no name"),
        (["--kind", "phone:strong"], "whole number"),
        (["--kind", "phone:1:upside-down"], "none of"),
    ] {
        let error = set(&project, &kinds).await.unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    let call = |id: usize| json!({"type": "identify", "userId": "ada", "messageId": format!("{id}"), "traits": {"loyalty": "L-1"}});
    project.results(&[call(0)]).await;
    assert_eq!(
        project.get("/v1/profiles/loyalty:L-1").await.0,
        StatusCode::BAD_REQUEST
    );
    set(&project, &["--kind", "loyalty"]).await.unwrap();
    let number = std::sync::atomic::AtomicUsize::new(1);
    wait_until("the node knows", PATIENCE, async || {
        let next = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        project.results(&[call(next)]).await;
        project.get("/v1/profiles/loyalty:L-1").await.0 == StatusCode::OK
    })
    .await;
}

/// A name stronger than a user id can't take another person in, whichever of them came first and however often they come.
#[tokio::test]
async fn two_users_with_one_customer_number_keep_their_own_timelines_and_traits() {
    let project = project_with(&["--kind", "customer_no:500"]).await;
    let call = |user: &str, message_id: &str, plan: &str| {
        json!({"type": "identify", "userId": user, "messageId": message_id,
            "traits": {"customer_no": "7", "plan": plan}})
    };
    let results = project
        .results(&[call("ada", "1", "pro"), call("bob", "2", "free")])
        .await;
    assert!(
        results.iter().all(|result| result["status"] == "stored"),
        "{results:?}"
    );
    project
        .send("/v1/identify", &call("bob", "3", "gold"))
        .await;
    let track = json!({"event": "Bought", "userId": "bob", "messageId": "4",
        "context": {"externalIds": [{"id": "7", "type": "customer_no"}]}});
    project.send("/v1/track", &track).await;
    for (user, plan, events) in [
        ("ada", "pro", vec!["1"]),
        ("bob", "gold", vec!["2", "3", "4"]),
    ] {
        let reference = format!("user_id:{user}");
        assert_eq!(project.profile(&reference).await["traits"]["plan"], plan);
        let mut seen: Vec<Value> = project.timeline(&reference).await;
        seen.sort_by_key(|event| event["message_id"].to_string());
        let seen: Vec<&str> = seen
            .iter()
            .map(|event| event["message_id"].as_str().unwrap())
            .collect();
        assert_eq!(seen, events, "{user}");
    }
    let conflicts = project.read("/v1/conflicts").await;
    assert_eq!(
        conflicts["conflicts"].as_array().unwrap().len(),
        1,
        "{conflicts}"
    );
}
