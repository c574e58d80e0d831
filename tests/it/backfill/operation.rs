//! What an operator does with a source, and what it says by itself.

use super::{PATIENCE, Road, history, upsert};
use crate::harness::{ROSTER, public_dir, wait_until};
use crate::kafka::{Sent, shared_broker};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// A typo refuses everything: the source pauses with the reason before it goes on, and resumes where it was.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_pauses_before_a_typo_refuses_a_whole_topic() {
    let road = Road::fresh(1).await;
    let bad = Sent::of(
        "x",
        &json!({"roster": 1, "type": "upsert", "identity": {"user_id": "x"}}),
    );
    road.send(&vec![bad; 300]).await;
    let _node = road.node(&[]).await;
    wait_until("it pauses", PATIENCE, async || {
        road.status().await["state"] == "paused"
    })
    .await;
    let status = road.status().await;
    let reason = status["reason"].as_str().expect("a text");
    assert!(
        reason.contains("were refused") && reason.contains("missing_identity"),
        "{reason}"
    );
    assert_eq!(status["rejected"], 0, "nothing of it went anywhere");
    let ready: Value = crate::harness::fetch(format!("{}/readyz", _node.url))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(
        ready["ready"] == true && ready["backfill"][&road.topic].is_string(),
        "{ready}"
    );
}

/// Pausing reaches every node, and going on loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_is_paused_and_resumed_on_every_node() {
    let road = Road::fresh(4).await;
    let slow = [
        ("ROSTER__BACKFILL__RECORDS_PER_SECOND", "50"),
        ("ROSTER__BACKFILL__BATCH_RECORDS", "20"),
    ];
    let (records, expected) = history(60, 10, 1);
    road.send(&records).await;
    let nodes = [road.node(&slow).await, road.node(&slow).await];
    road.goes_beyond(0).await;
    road.command(&["pause", &road.topic, "--reason", "lunch"]);
    for node in &nodes {
        wait_until("the node has paused", PATIENCE, async || {
            let ready = crate::harness::fetch(format!("{}/readyz", node.url)).await;
            let ready: Value = ready.unwrap().json().await.unwrap();
            ready["backfill"][&road.topic] == "lunch"
        })
        .await;
    }
    let before = road.status().await;
    assert_eq!(
        (&before["state"], &before["reason"]),
        (&json!("paused"), &json!("lunch"))
    );
    // What must not happen can't be waited for.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let positions = |status: &Value| -> Vec<Value> {
        let all = status["partitions"].as_array().expect("a list").iter();
        all.map(|one| one["position"].clone()).collect()
    };
    assert_eq!(
        positions(&road.status().await),
        positions(&before),
        "it stands still"
    );
    road.command(&["resume", &road.topic]);
    let _fast = road.node(&[]).await;
    road.arrived().await;
    road.ends_as(60, &expected).await;
}

/// A topic that was deleted and made anew is another topic, also where it has as many records.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_pauses_where_the_topic_was_made_anew() {
    let road = Road::fresh(1).await;
    road.send(&named("old", 50)).await;
    let status = made_anew_and_restarted(&road).await;
    assert_eq!(status["stored"], 90, "{status}");
}

/// The same where the last that the old topic had was the mark of a transaction, which is no record.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_pauses_where_a_topic_that_ended_with_a_mark_was_made_anew() {
    let road = Road::fresh(1).await;
    let (broker, old) = (&road.broker, named("old", 50));
    broker.produce_at_once(&road.topic, &old, true).await;
    let status = made_anew_and_restarted(&road).await;
    assert_eq!(status["stored"], 90, "{status}");
}

fn named(name: &str, count: usize) -> Vec<Sent> {
    let one = |number| {
        let (user, traits) = (format!("{name}{number}"), json!({"n": number}));
        upsert(&user, "2023-01-01T00:00:00Z", traits)
    };
    (0..count).map(one).collect()
}

/// Reads the topic, makes it anew with 90 people, sees that nothing of it is taken, and has it taken from its beginning.
async fn made_anew_and_restarted(road: &Road<'_>) -> Value {
    let node = road.node(&[]).await;
    road.arrived().await;
    drop(node);
    road.broker.delete_topic(&road.topic).await;
    road.broker.create_topic(&road.topic, 1, &[]).await;
    road.send(&named("new", 90)).await;
    let _node = road.node(&[]).await;
    wait_until("it pauses", PATIENCE, async || {
        road.status().await["state"] == "paused"
    })
    .await;
    let status = road.status().await;
    let reason = status["reason"].as_str().expect("a text");
    assert!(reason.contains("was replaced"), "{reason}");
    road.command(&["restart", &road.topic]);
    road.command(&["resume", &road.topic]);
    road.arrived().await
}

/// A mapping that looks in the wrong place refuses, is mended, and the records are taken again from where they are.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_replays_what_a_wrong_mapping_refused() {
    let folder = public_dir("mapping");
    let (wrong, right) = (folder.join("wrong.toml"), folder.join("right.toml"));
    let text = |pointer: &str| {
        format!(
            "[identities]\nuser_id = \"{pointer}\"\n[time]\nat = \"/at\"\n[traits]\ndrop = [\"at\"]\n"
        )
    };
    fs::write(&wrong, text("/uid")).expect("written");
    fs::write(&right, text("/id")).expect("written");
    let of_source = format!("mapping = \"{}\"", wrong.display());
    let broker = shared_broker().await;
    let road = Road::with(broker, 2, "max_rejected_percent = 100", &of_source, "").await;
    let people = (0..20).map(|person| {
        let record = json!({"id": format!("p{person}"), "at": "2023-01-01T00:00:00Z", "n": person});
        Sent::of("", &record)
    });
    road.send(&people.collect::<Vec<_>>()).await;
    road.send(&[Sent::of("", &json!({"at": "never"}))]).await;
    let _node = road.node(&[]).await;
    road.arrived().await;
    assert_eq!(road.refusals().await.len(), 21);
    let told = road.command(&[
        "replay",
        &road.topic,
        "--mapping",
        right.to_str().expect("text"),
    ]);
    assert!(told.contains("taken 20, refused again 1,"), "{told}");
    let left = road.refusals().await;
    assert_eq!(left.len(), 1);
    assert_eq!(
        (&left[0]["code"], &left[0]["attempts"]),
        (&json!("missing_identity"), &json!(2))
    );
    for person in 0..20 {
        let profile = road.project.profile(&format!("user_id:p{person}")).await;
        assert_eq!(profile["traits"]["n"], person);
    }
}

/// What is wrong is one clear line, and no loss: a topic that is not there is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_says_what_is_wrong_in_one_line() {
    let road = Road::fresh(1).await;
    let run = |more: &[&str]| {
        let mut command = Command::new(ROSTER);
        command.args([
            "--database-url",
            &road.database_url,
            "backfill",
            "run",
            "--until-end",
        ]);
        let output = command.args(more).output().expect("runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{told}");
        told
    };
    let folder = public_dir("wrong");
    fs::write(folder.join("typo.toml"), "[identities]\nuser_id = \"id\"\n").expect("written");
    let typo = folder.join("typo.toml");
    let typo = typo.to_str().expect("text");
    let brokers = road.broker.address.as_str();
    let ours = ["--topic", "none", "--project", "dev", "--brokers", brokers];
    let told = run(&[&ours[..], &["--mapping", typo]].concat());
    assert!(told.contains("\"id\" is no JSON pointer"), "{told}");
    let told = run(&[&ours[..], &["--mapping", "/nowhere"]].concat());
    assert!(told.contains("/nowhere can't be read"), "{told}");
    let told = run(&[]);
    assert!(told.contains("there is no source"), "{told}");
    let told = run(&[&ours[..], &["--start", "yesterday"]].concat());
    assert!(told.contains("\"yesterday\" is no time"), "{told}");
    let told = run(&[&ours[..], &["--kafka", "session.timeout=5"]].concat());
    assert!(told.contains("session.timeout"), "{told}");
    let told = run(&ours);
    assert!(told.contains("there is no topic none"), "{told}");
    let nobody = [
        "--topic",
        "none",
        "--project",
        "dev",
        "--brokers",
        "127.0.0.1:1",
    ];
    let told = run(&nobody);
    assert!(told.contains("no broker answers at 127.0.0.1:1"), "{told}");
}

/// A topic is taken in from the command line, with nothing set up before but a project.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_runs_apart_until_the_end() {
    let road = Road::fresh(3).await;
    let (records, expected) = history(30, 4, 1);
    road.send(&records).await;
    let own = [
        "run",
        "--topic",
        &road.topic,
        "--project",
        &road.project.name,
        "--brokers",
        &road.broker.address,
        "--until-end",
    ];
    road.command(&own);
    road.arrived().await;
    road.ends_as(30, &expected).await;
    // Nobody sits before a terminal here.
    let shown: serde_json::Value =
        serde_json::from_str(&road.command(&["status"])).expect("a line of JSON");
    assert!(shown.to_string().contains(&road.topic), "{shown}");

    // What came since is taken by the same command, which does not end where the first run did.
    let (more, _) = history(3_000, 5, 2);
    road.send(&more).await;
    road.command(&own);
    let ends: i64 = road.broker.ends(&road.topic).iter().sum();
    assert_eq!(road.passed().await, ends);
}

/// A source that had taken everything goes on also where all of that has expired meanwhile: nothing that is needed is gone.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_goes_on_where_what_it_took_has_expired() {
    let road = Road::fresh(1).await;
    let (records, _) = history(10, 2, 1);
    road.send(&records).await;
    let node = road.node(&[]).await;
    road.arrived_whole().await;
    assert!(node.terminate().await.success());
    road.broker.expire(&road.topic, road.passed().await).await;
    road.send(&[upsert("late", "2023-01-01T00:00:00Z", json!({"n": 1}))])
        .await;
    let _node = road.node(&[]).await;
    road.arrived_whole().await;
    assert_eq!(road.status().await["state"], "running");
    assert_eq!(road.project.profile("user_id:late").await["traits"]["n"], 1);
}

/// Where records that are still needed have expired the source stops and says which are there.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_pauses_where_records_it_needs_have_expired() {
    let road = Road::fresh(1).await;
    let (records, _) = history(10, 2, 1);
    road.send(&records).await;
    let node = road.node(&[]).await;
    road.arrived_whole().await;
    assert!(node.terminate().await.success());
    let taken = road.passed().await;
    road.send(&records).await;
    road.broker.expire(&road.topic, taken + 5).await;
    let _node = road.node(&[]).await;
    wait_until("it pauses", PATIENCE, async || {
        road.status().await["state"] == "paused"
    })
    .await;
    let reason = road.status().await["reason"]
        .as_str()
        .expect("a text")
        .to_owned();
    assert!(
        reason.contains(&format!("now has {} to", taken + 5)),
        "{reason}"
    );
}
