//! A real browser with published browser SDKs, on a page of another origin than Roster's: every call is one event.
//!
//! The settings document, CORS and its preflights are tested by this working at all: without them the SDK sends nothing.

use crate::harness::{Project, wait_until};
use crate::iterable::signed::{App, SECRET, token};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// One visit after the other: a browser is heavy.
#[tokio::test]
async fn every_call_of_a_visit_is_one_event() {
    story().await;
    alias().await;
    hasty().await;
    offline().await;
    unload().await;
    tabs().await;
    signed().await;
    rudder().await;
}

async fn story() {
    let visit = Visit::play("story").await;
    let identify = visit.call("identify", &Value::Null);
    let ada = visit.project.profile("user_id:ada").await;
    assert_eq!(ada["traits"], identify["traits"]);
    assert_eq!(visit.project.timeline("user_id:ada").await.len(), 5);
    // After reset somebody new looks around.
    let later = visit.call("track", &json!("Browsed Again"));
    let stranger = visit.visitor(later).await;
    assert_ne!(stranger["id"], ada["id"]);
    assert_eq!(visit.visitor(identify).await["id"], ada["id"]);
}

/// Somebody who looked around unnamed keeps that past when they are named.
async fn alias() {
    let visit = Visit::play("alias").await;
    visit.is_all_adas().await;
    let before = visit.call("track", &json!("Looked Around"));
    assert_eq!(before["userId"], Value::Null);
    assert_eq!(
        visit.visitor(before).await["traits"],
        json!({"email": "ada@example.com"})
    );
}

/// The same in one breath: only the device tells that the visitor and the user are one.
async fn hasty() {
    let visit = Visit::play("hasty").await;
    visit.is_all_adas().await;
}

async fn offline() {
    let visit = Visit::play("offline").await;
    visit.is_all_adas().await;
}

/// Nobody but the service can tell what arrived of a page that went away.
async fn unload() {
    let visit = Visit::play("unload").await;
    visit.is_all_adas().await;
}

async fn tabs() {
    let visit = Visit::play("tabs").await;
    visit.is_all_adas().await;
    let traits = &visit.project.profile("user_id:ada").await["traits"];
    assert!(
        (1..=3).all(|tab| traits[format!("tab_{tab}")] == true),
        "{traits}"
    );
}

/// A key that asks for tokens: the SDK sends one in a header of its own, which the browser asks leave for.
async fn signed() {
    let app = App::fresh().await;
    let token = token(json!({"userId": "ada"}), SECRET, (10, 600));
    let by = By {
        key: app.key,
        token: Some(token),
    };
    let visit = Visit::play_by("alias", app.project, by).await;
    visit.is_all_adas().await;
}

/// The same with RudderStack's SDK, which puts traits into the context.
async fn rudder() {
    let visit = Visit::play("rudder").await;
    let identify = visit.call("identify", &Value::Null);
    let ada = visit.project.profile("user_id:ada").await;
    assert_eq!(ada["traits"], identify["context"]["traits"]);
    assert_eq!(ada["groups"], json!(["ada-company"]));
    assert_eq!(visit.project.timeline("user_id:ada").await.len(), 6);
    let before = visit.call("track", &json!("Looked Around"));
    assert_eq!(before["userId"], "");
    assert_eq!(visit.visitor(before).await["id"], ada["id"]);
    let later = visit.call("track", &json!("Browsed Again"));
    assert_ne!(visit.visitor(later).await["id"], ada["id"]);
}

/// A key, and whom it speaks for.
struct By {
    key: String,
    token: Option<String>,
}

/// What the driver saw of a visit, and the project it went to.
struct Visit {
    project: Project,
    calls: Vec<Value>,
}

impl Visit {
    /// Plays a scenario of `tests/sdk/browser/scenarios.mjs`; then every call of it must be stored once, as it was sent.
    async fn play(scenario: &str) -> Self {
        let project = Project::fresh().await;
        let by = By {
            key: project.write_key.clone(),
            token: None,
        };
        Self::play_by(scenario, project, by).await
    }

    /// The same by a key of the test's.
    async fn play_by(scenario: &str, project: Project, by: By) -> Self {
        let mut answer = drive(scenario, &project, &by).await;
        let requests = answer["requests"].as_array().expect("a list");
        let settings = format!("/v1/projects/{}/settings", by.key);
        let asks = |path: &Value| {
            let path = path.as_str().expect("text");
            path == settings || path.trim_end_matches('/') == "/sourceConfig"
        };
        let mut requests = requests.iter();
        assert!(
            requests.any(|request| asks(&request["path"]) && request["status"] == 200),
            "{answer}"
        );
        assert_ne!(
            answer["origin"],
            project.url.as_str(),
            "the page stands elsewhere"
        );
        let calls: Vec<Value> = serde_json::from_value(answer["events"].take()).expect("a list");
        let visit = Self { project, calls };
        for call in &visit.calls {
            visit.is_stored(call).await;
        }
        visit.is_all().await;
        visit
    }

    /// A call may arrive after its page is gone, so that this waits for it.
    async fn is_stored(&self, call: &Value) {
        let path = format!("/v1/events/{}", call["messageId"].as_str().expect("text"));
        let there = async || self.project.get(&path).await.0 == StatusCode::OK;
        wait_until(
            &format!("{} is stored", call["event"]),
            Duration::from_secs(10),
            there,
        )
        .await;
        let stored = self.project.read(&path).await;
        // Of a page that went away the driver may not have seen the call as it left; then the SDK's own view must do.
        let sent = call.get("wire").unwrap_or(call);
        assert_eq!(stored["type"], sent["type"]);
        let or_else = |field: &str, other: &'static str| {
            let own = sent.get(field).filter(|value| !value.is_null());
            own.or(sent.pointer(other)).unwrap_or(&Value::Null).clone()
        };
        let traits = &or_else("traits", "/context/traits");
        let (name, properties) = match sent["type"].as_str().expect("text") {
            "identify" => (&Value::Null, traits),
            "group" => (&sent["groupId"], traits),
            "alias" => (&sent["previousId"], &json!({})),
            "track" => (&sent["event"], &sent["properties"]),
            _ => (&sent["name"], &sent["properties"]),
        };
        assert_eq!(&stored["name"], name, "{sent}");
        assert_eq!(&stored["properties"], properties, "{sent}");
        if call.get("wire").is_some() {
            let at = or_else("timestamp", "/originalTimestamp");
            assert_eq!(stored["occurred_at"], at, "{sent}");
            assert_eq!(stored["context"], sent["context"], "{sent}");
            let library = &stored["context"]["library"]["name"];
            assert!(library == "analytics.js" || library == "RudderLabs JavaScript SDK");
        }
    }

    /// Nothing is stored but these calls, however often they were sent, and nothing was refused.
    async fn is_all(&self) {
        let ids: BTreeSet<&str> = self
            .calls
            .iter()
            .filter_map(|call| call["messageId"].as_str())
            .collect();
        assert_eq!(
            ids.len(),
            self.calls.len(),
            "the SDK gives each call an id of its own"
        );
        assert_eq!(self.project.count("*", "event").await, ids.len());
        assert_eq!(self.project.rejections().await, [json!(null); 0]);
    }

    /// Every call of the visit, and nothing else, is on one person's timeline.
    async fn is_all_adas(&self) {
        let timeline = self.project.timeline("user_id:ada").await;
        let ids = |calls: &[Value], field: &str| -> BTreeSet<String> {
            calls.iter().map(|call| call[field].to_string()).collect()
        };
        assert_eq!(ids(&timeline, "message_id"), ids(&self.calls, "messageId"));
        assert!(timeline.is_sorted_by(
            |newer, older| newer["occurred_at"].as_str() >= older["occurred_at"].as_str()
        ));
    }

    /// The call of a type, and of a name where there are several, as it left.
    fn call(&self, call_type: &str, event: &Value) -> &Value {
        let found = self
            .calls
            .iter()
            .find(|call| call["type"] == call_type && &call["event"] == event);
        &found.expect("is part of the scenario")["wire"]
    }

    /// Whose the device of a call is.
    async fn visitor(&self, call: &Value) -> Value {
        let device = call["anonymousId"].as_str().expect("text");
        self.project
            .profile(&format!("anonymous_id:{device}"))
            .await
    }
}

/// Plays a scenario; its answer, once the browser has told the fate of every call.
async fn drive(scenario: &str, project: &Project, by: &By) -> Value {
    let mut node = Command::new("node");
    node.arg(format!("{ROOT}/tests/sdk/browser/drive.mjs"));
    node.args([
        scenario,
        "--modules",
        &format!("{ROOT}/.dev/sdk/browser"),
        "--user",
        "ada",
    ]);
    node.args(["--host", &project.url, "--write-key", &by.key]);
    if let Some(token) = &by.token {
        node.args(["--user-token", token]);
    }
    let done = node
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("node runs");
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    assert!(
        done.status.success(),
        "{scenario}: {}\n{answer:#}\n{}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    answer
}
