//! Who says where a project is mirrored to, who can't be mirrored, and how far behind it all is.

use super::{PATIENCE, Scene};
use crate::harness::{Project, ROSTER, Service, fresh_database, public_dir, sql, wait_until};
use crate::machine::metric;
use crate::migration::{MAPPING, ask, step};
use reqwest::StatusCode;
use serde_json::json;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_key_names_what_the_operator_allows_and_a_command_line_any() {
    let scene = Scene::fresh().await;
    let strict = ("ROSTER__LEGACY__INDICES", "somebody = else*");
    let service = Scene::node(&scene.database, &scene.store.url, &[strict]).await;
    let project = scene.project.through(&service.url);
    for target in [json!({"index": scene.index}), json!({"topic": "people"})] {
        let mut plan = target;
        plan["mapping"] = json!(MAPPING);
        let (status, answer) = ask(&project, "plan", plan).await;
        assert_eq!(
            (status, answer["code"].as_str()),
            (StatusCode::FORBIDDEN, Some("target_not_allowed")),
            "{answer}"
        );
    }
    let (status, answer) = ask(
        &project,
        "plan",
        json!({"mapping": MAPPING, "index": "people-*"}),
    )
    .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    // A plan of when it was allowed: no step begins it here, and where another node began it this one does not write.
    let (status, _) = ask(&project, "start", json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    scene.start().await;
    let mut scene = scene;
    drop(scene.service.take());
    scene.project = project;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    wait_until("the relay says why it waits", PATIENCE, async || {
        sql(&scene.database, "UPDATE mirror SET due_at = now()").await;
        let reason = scene.status().await["reason"].take();
        reason
            .as_str()
            .is_some_and(|reason| reason.contains("legacy.indices"))
    })
    .await;
    assert_eq!(scene.document("ada").await, None);
    // The operator plans the same at the command line.
    step(&scene.project, "rollback", json!({})).await;
    let file = public_dir("targets").join("people.toml");
    std::fs::write(&file, MAPPING).expect("written");
    for words in [
        &[
            "plan",
            &scene.project.name,
            "--index",
            &scene.index,
            "--mapping",
            file.to_str().expect("text"),
        ][..],
        &["start", &scene.project.name],
    ] {
        let mut command = Command::new(ROSTER);
        command
            .args(["--database-url", &scene.database, "migration"])
            .args(words);
        let output = command.output().expect("runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    scene.is_equal_to(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_profile_that_can_not_be_read_is_listed_and_stops_nobody() {
    let scene = Scene::fresh().await;
    for user in ["ada", "bob", "eve"] {
        scene
            .identify(&scene.project, user, json!({"plan": "pro"}))
            .await;
    }
    let of_bob = "FROM identity AS i WHERE i.profile_id = p.profile_id AND i.value = 'bob'";
    let spoil = format!("UPDATE profile AS p SET stamps = '{{\"base\":\"never\"}}' {of_bob}");
    sql(&scene.database, &spoil).await;
    scene.start().await;
    scene.at_rest().await;
    assert!(scene.document("ada").await.is_some() && scene.document("eve").await.is_some());
    assert_eq!(scene.document("bob").await, None);
    let status = scene.status().await;
    assert_eq!(
        (&status["refused"], &status["reason"]),
        (&json!(1), &json!(""))
    );
    let reason = sql(&scene.database, "SELECT reason FROM mirror_refusal").await;
    assert_eq!(reason, ["its row in profile can't be read"]);
    let mend = format!("UPDATE profile AS p SET stamps = '{{\"base\":1}}' {of_bob}");
    sql(&scene.database, &mend).await;
    scene
        .identify(&scene.project, "bob", json!({"plan": "new"}))
        .await;
    wait_until("who is mended is off the list", PATIENCE, async || {
        scene.status().await["refused"] == 0
    })
    .await;
    scene.is_equal_to(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_tells_how_far_behind_a_mirror_is_until_it_ends() {
    let database = fresh_database().await;
    let nowhere = [("ROSTER__LEGACY__URL", "http://127.0.0.1:9")];
    let nodes = [
        Service::start(&database, &nowhere).await,
        Service::start(&database, &nowhere).await,
    ];
    let project = Project::on(&nodes[0].url, &database).await;
    let plan = json!({"mapping": MAPPING, "index": "people"});
    step(&project, "plan", plan).await;
    step(&project, "start", json!({})).await;
    let call = json!({"type": "identify", "userId": "ada", "traits": {"plan": "pro"}});
    project.results(&[call]).await;
    let is = async |backlog: f64| {
        let told = [
            metric(&nodes[0].url, "roster_mirror_backlog").await,
            metric(&nodes[1].url, "roster_mirror_backlog").await,
        ];
        told == [backlog; 2]
    };
    wait_until("both tell what is not published", PATIENCE, async || {
        is(1.0).await
    })
    .await;
    let force = json!({"force": true, "reason": "a drill"});
    for _ in 0..6 {
        step(&project, "advance", force.clone()).await;
    }
    wait_until("nobody is behind any more", PATIENCE, async || {
        sql(&database, "UPDATE mirror SET due_at = now()").await;
        is(0.0).await
    })
    .await;
    assert_eq!(sql(&database, "SELECT count(*) FROM outbox").await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_waits_for_the_slowest_node_whoever_takes_the_step() {
    let database = fresh_database().await;
    let slow = [("ROSTER__DATABASE__STATEMENT_TIMEOUT_MS", "120000")];
    let service = Service::start(&database, &slow).await;
    let project = Project::on(&service.url, &database).await;
    step(
        &project,
        "plan",
        json!({"mapping": MAPPING, "index": "people"}),
    )
    .await;
    let mut command = Command::new(ROSTER);
    command.args([
        "--database-url",
        &database,
        "migration",
        "start",
        &project.name,
    ]);
    assert!(command.output().expect("runs").status.success());
    let waits = "SELECT (walk_at > now() + INTERVAL '100 seconds')::TEXT FROM mirror";
    assert_eq!(sql(&database, waits).await, ["true"]);
}
