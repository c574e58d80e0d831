//! Segment's React Native SDK, its published core under Node: what its flush posts is what can be read.

use crate::harness::Project;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Plays a visit; the calls as they were posted.
async fn visit(project: &Project) -> Vec<Value> {
    let mut node = Command::new("node");
    node.arg(format!("{ROOT}/tests/sdk/react-native/drive.cjs"));
    node.args(["--modules", &format!("{ROOT}/.dev/sdk/react-native")]);
    node.args(["--host", &project.url, "--write-key", &project.write_key]);
    node.args(["--user", "ada"]);
    let done = node.stdin(Stdio::null()).kill_on_drop(true).output();
    let done = done.await.expect("node runs");
    let mut answer: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    let log = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}\n{answer:#}\n{log}", done.status);
    let settings = format!("/v1/projects/{}/settings", project.write_key);
    let requests = answer["requests"].as_array().expect("a list");
    assert!(
        requests.contains(&json!({"path": settings, "status": 200})),
        "{answer}"
    );
    serde_json::from_value(answer["calls"].take()).expect("a list")
}

#[tokio::test]
async fn segment_analytics_react_native() {
    let project = Project::fresh().await;
    let calls = visit(&project).await;
    for call in &calls {
        let stored = project
            .event(call["messageId"].as_str().expect("text"))
            .await;
        let (name, properties) = match call["type"].as_str().expect("text") {
            "identify" => (&Value::Null, &call["traits"]),
            "group" => (&call["groupId"], &call["traits"]),
            "track" => (&call["event"], &call["properties"]),
            _ => (&call["name"], &call["properties"]),
        };
        assert_eq!(&stored["name"], name, "{call}");
        assert_eq!(&stored["properties"], properties, "{call}");
        for (ours, theirs) in [
            ("type", "type"),
            ("occurred_at", "timestamp"),
            ("context", "context"),
        ] {
            assert_eq!(stored[ours], call[theirs], "{call}");
        }
        assert_eq!(
            stored["context"]["library"]["name"],
            "analytics-react-native"
        );
    }
    assert_eq!(project.count("*", "event").await, calls.len());
    assert_eq!(project.rejections().await, [json!(null); 0]);
    let ada = project.profile("user_id:ada").await;
    let identify = calls.iter().find(|call| call["type"] == "identify");
    assert_eq!(
        ada["traits"],
        identify.expect("is part of the visit")["traits"]
    );
    assert_eq!(ada["groups"], json!(["ada-company"]));
    assert_eq!(project.timeline("user_id:ada").await.len(), 5);
    // After the reset the device is a stranger's.
    let device = calls.last().expect("some")["anonymousId"]
        .as_str()
        .expect("text");
    let stranger = project.profile(&format!("anonymous_id:{device}")).await;
    assert_ne!(stranger["id"], ada["id"]);
}
