//! Nodes on machines with wrong clocks, made wrong by libfaketime: beside a right one they are one service.

use crate::harness::{Project, Service, fetch, shared, wait_until};
use crate::machine::{metric, until_ready_is};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const SIX_HOURS: f64 = 6.0 * 3_600.0;

fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a folder").flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    found
        .find(|path| path.exists())
        .expect("scripts/setup installs libfaketime")
}

/// A node whose machine's clock is off by so much: `+6h`, `-6h`.
async fn node(offset: &str, settings: &[(&str, &str)]) -> Service {
    let library = libfaketime();
    let wrong = [
        ("LD_PRELOAD", library.to_str().expect("text")),
        ("FAKETIME", offset),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    Service::start(&shared().await.database_url, &[&wrong, settings].concat()).await
}

/// One project through a right node, one that is six hours ahead, and one six hours behind.
struct Nodes {
    projects: Vec<Project>,
    _wrong: [Service; 2],
}

impl Nodes {
    async fn start() -> Self {
        let wrong = [node("+6h", &[]).await, node("-6h", &[]).await];
        let right = Project::fresh().await;
        let ways = wrong.iter().map(|node| right.through(&node.url));
        let mut projects: Vec<Project> = ways.collect();
        projects.push(right);
        Self {
            projects,
            _wrong: wrong,
        }
    }
}

#[tokio::test]
async fn of_calls_without_a_time_the_last_wins_whichever_node_took_it() {
    let nodes = Nodes::start().await;
    let mut times = Vec::new();
    for (round, project) in nodes.projects.iter().cycle().take(9).enumerate() {
        let id = format!("m{round}");
        let call = json!({"userId": "ada", "messageId": id, "traits": {"round": round}});
        project.send("/v1/identify", &call).await;
        let ada = nodes.projects[2].profile("user_id:ada").await;
        assert_eq!(ada["traits"]["round"], round);
        let event = nodes.projects[2].event(&id).await;
        assert_eq!(event["occurred_at"], event["received_at"]);
        times.push(event["received_at"].as_str().expect("text").to_owned());
    }
    assert!(times.is_sorted(), "{times:?}");
    // A time of the sender's in the future is cut at the receipt, on every node.
    for project in &nodes.projects {
        let call = json!({"userId": "bob", "timestamp": "2100-01-01T00:00:00Z", "traits": {"plan": "late"}});
        project.send("/v1/identify", &call).await;
        let call = json!({"userId": "bob", "traits": {"plan": "now"}});
        nodes.projects[2].send("/v1/identify", &call).await;
        let bob = nodes.projects[2].profile("user_id:bob").await;
        assert_eq!(bob["traits"]["plan"], "now");
    }
}

#[tokio::test]
async fn what_was_erased_through_one_node_comes_back_through_none() {
    let nodes = Nodes::start().await;
    for (number, eraser) in nodes.projects.iter().enumerate() {
        let name = format!("person-{number}");
        let call = |traits: Value| json!({"type": "identify", "userId": name, "traits": traits});
        eraser.results(&[call(json!({"secret": 1}))]).await;
        let mut old = call(json!({"secret": 2}));
        old["timestamp"] =
            eraser.timeline(&format!("user_id:{name}")).await[0]["received_at"].clone();
        let (status, _) = eraser.erase(&format!("user_id:{name}")).await;
        assert_eq!(status, StatusCode::OK);
        for project in &nodes.projects {
            let told = project.results(&[old.clone()]).await;
            assert_eq!(told[0]["code"], "erased", "{told:?}");
        }
        for (round, project) in nodes.projects.iter().enumerate() {
            let told = project.results(&[call(json!({"plan": round}))]).await;
            assert_eq!(told[0]["status"], "stored", "{told:?}");
            let person = eraser.profile(&format!("user_id:{name}")).await;
            assert_eq!(person["traits"], json!({"plan": round}));
        }
    }
}

#[tokio::test]
async fn a_wrong_clock_is_told_and_keeps_a_node_out_of_rotation_beyond_the_set_difference() {
    for (offset, ahead, side) in [
        ("+6h", SIX_HOURS, "ahead of"),
        ("-6h", -SIX_HOURS, "behind"),
    ] {
        let wrong = node(offset, &[]).await;
        let reason = format!("the machine's clock is 21600 s {side} the database's");
        let url = format!("{}/readyz", wrong.url);
        wait_until(&reason, PATIENCE, async || {
            let answer = fetch(&url).await.expect("an answer");
            let is_refused = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
            is_refused && answer.json::<Value>().await.expect("JSON")["reason"] == reason
        })
        .await;
        let told = metric(&wrong.url, "roster_clock_ahead_seconds").await;
        assert!((told - ahead).abs() < 5.0, "{told}");
        let most = ("ROSTER__DATABASE__MAX_CLOCK_DIFFERENCE_MS", "30000000");
        let allowed = node(offset, &[most]).await;
        until_ready_is(&allowed.url, true, PATIENCE).await;
    }
    let told = metric(&shared().await.url, "roster_clock_ahead_seconds").await;
    assert!(told.abs() < 5.0, "{told}");
}
