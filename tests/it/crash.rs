//! The service killed and stopped under load: F1 to F3 of `contracts/faults.md`, each judged by the ledger.

use crate::forms::of_form;
use crate::harness::{Project, ROSTER, Service, alone, public_dir, shared, sql, wait_until};
use crate::ledger::Load;
use crate::machine::{free_address, resident_memory_mib, until_ready_is};
use rand::random_range;
use reqwest::StatusCode;
use serde_json::json;
use std::fs;
use std::time::Duration;
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(20);
const DRAINS_SLOWLY: [(&str, &str); 1] = [("ROSTER__SERVER__DRAIN_DELAY_MS", "2000")];

/// A service on the shared database at an address that it will come back to.
async fn start_at(address: &str, settings: &[(&str, &str)]) -> Service {
    Service::start_at(&shared().await.database_url, address, settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_instants_lose_nothing() {
    let _alone = alone().await;
    let (address, database) = (free_address(), &shared().await.database_url);
    let mut service = start_at(&address, &[]).await;
    let project = Project::on(&service.url, database).await;
    let url = service.url.clone();
    let load = Load::forgetful(&project, &[&url]);
    let kills = of_form(6, 50);
    for _ in 0..kills {
        sleep(Duration::from_millis(random_range(50..800))).await;
        service.kill();
        service = start_at(&address, &[]).await;
    }
    load.goes_on(200, PATIENCE).await;
    let verdict = load
        .must_be_clean(&format!("{kills} kills"), database)
        .await;
    assert!(verdict.unknown > 0, "no kill met a request: {verdict}");
}

/// As `make run` does it: the database is the service's child, outlives the kill, and is taken over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_a_service_with_a_private_database_lose_nothing() {
    let _alone = alone().await;
    let (address, data_dir) = (free_address(), public_dir("killed"));
    let text = data_dir.to_str().expect("text");
    let arguments = ["--data-dir", text];
    let listen = [("ROSTER__SERVER__LISTEN", &*address)];
    let mut service = Service::start_by(ROSTER, &arguments, &listen).await;
    let database = roster::embedded::running_url(&data_dir).expect("it runs");
    let project = Project::on(&service.url, &database).await;
    let load = Load::forgetful(&project, &[&project.url]);
    for _ in 0..of_form(3, 5) {
        load.goes_on(30, PATIENCE).await;
        service.kill();
        service = Service::start_by(ROSTER, &arguments, &listen).await;
    }
    load.must_be_clean("kills beside a private database", &database)
        .await;
    assert!(service.terminate().await.success());
    fs::remove_dir_all(data_dir).expect("its database has stopped");
}

#[tokio::test]
async fn a_kill_between_commit_and_reply_and_a_resend_make_exactly_one() {
    let (address, database) = (free_address(), &shared().await.database_url);
    let stopped = [("FAILPOINTS", "between-commit-and-reply=pause")];
    let service = start_at(&address, &stopped).await;
    let project = Project::on(&service.url, database).await;
    let call = json!({"userId": "ada", "event": "Paid", "messageId": "once"});
    let count = format!(
        "SELECT count(*) FROM event WHERE project_id = {}",
        project.id
    );

    let unanswered = project
        .client
        .post(format!("{}/v1/track", project.url))
        .basic_auth(&project.write_key, Some(""));
    let unanswered = tokio::spawn(unanswered.json(&call).send());
    wait_until("the commit", PATIENCE, async || {
        sql(database, &count).await == ["1"]
    })
    .await;
    assert!(
        !unanswered.is_finished(),
        "answered in spite of the failpoint"
    );
    service.kill();
    unanswered
        .await
        .expect("no panic")
        .expect_err("nobody is there to answer");

    let _service = start_at(&address, &[]).await;
    let again = json!({"type": "track", "userId": "ada", "event": "Paid", "messageId": "once"});
    assert_eq!(project.results(&[again]).await[0]["status"], "duplicate");
    assert_eq!(sql(database, &count).await, ["1"]);
}

/// Lingering after the commit makes nearly every kill fall between commit and reply; a panic there loses the reply alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_replies_under_load_make_no_second_copies() {
    let _alone = alone().await;
    let (address, database) = (free_address(), &shared().await.database_url);
    let project = Project::on(&format!("http://{address}"), database).await;
    let load = Load::forgetful(&project, &[&project.url]);
    for failpoint in [
        "between-commit-and-reply=50%sleep(400)",
        "between-commit-and-reply=3%panic",
    ] {
        for _ in 0..of_form(3, 5) {
            let service = start_at(&address, &[("FAILPOINTS", failpoint)]).await;
            load.goes_on(20, PATIENCE).await;
            service.kill();
        }
    }
    let _service = start_at(&address, &[]).await;
    let verdict = load.must_be_clean("lost replies", database).await;
    assert!(
        verdict.unknown_present > 0,
        "no reply was lost after a commit: {verdict}"
    );
}

/// Two nodes that come back to their addresses, and clients of both.
async fn two_nodes() -> ([String; 2], [Service; 2], Load) {
    let addresses = [free_address(), free_address()];
    let one = start_at(&addresses[0], &DRAINS_SLOWLY).await;
    let other = start_at(&addresses[1], &DRAINS_SLOWLY).await;
    let project = Project::on(&one.url, &shared().await.database_url).await;
    let load = Load::start(&project, &[&one.url, &other.url]);
    (addresses, [one, other], load)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_nobody_who_tries_again() {
    let _alone = alone().await;
    let (addresses, [mut one, mut other], load) = two_nodes().await;
    for _ in 0..of_form(2, 3) {
        load.goes_on(50, PATIENCE).await;
        one = restarted(one, &addresses[0]).await;
        load.goes_on(50, PATIENCE).await;
        other = restarted(other, &addresses[1]).await;
    }
    let verdict = load
        .must_be_clean("a rolling restart", &shared().await.database_url)
        .await;
    assert_eq!(verdict.unknown, 0, "somebody was never answered: {verdict}");
}

/// `make soak`: the same for a long time, one node a minute, by its count of minutes. What a node holds at the end of its life does not grow
/// from one to the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half an hour"]
async fn a_soak_with_a_restart_each_minute_loses_nothing_and_holds_no_more() {
    const MINUTE: Duration = Duration::from_secs(60);
    let _alone = alone().await;
    let minutes = std::env::var("ROSTER_SOAK_MINUTES");
    let minutes: usize = minutes.map_or(30, |text| text.parse().expect("minutes"));
    assert!(minutes >= 6, "of fewer minutes it can't be told what grows");
    let (addresses, [mut one, mut other], load) = two_nodes().await;
    let mut memory = Vec::new();
    for minute in 0..minutes {
        sleep(MINUTE).await;
        load.goes_on(50, PATIENCE).await;
        memory.push(resident_memory_mib(one.pid()));
        eprintln!(
            "minute {minute}: {} requests, {memory:?} MiB",
            load.acknowledged()
        );
        let next = restarted(one, &addresses[minute % 2]).await;
        (one, other) = (other, next);
    }
    let verdict = load
        .must_be_clean("a soak", &shared().await.database_url)
        .await;
    assert_eq!(verdict.unknown, 0, "somebody was never answered: {verdict}");
    // The first has lived for one minute only.
    let (early, late) = memory[1..].split_at(memory[1..].len() / 2);
    let most = |held: &[u64]| held.iter().copied().max().expect("some");
    assert!(most(late) <= most(early) + most(early) / 10, "{memory:?}");
}

/// SIGTERM; unready while it drains, still answering, and an end without complaint. Then it comes back.
async fn restarted(node: Service, address: &str) -> Service {
    node.signal(nix::sys::signal::Signal::SIGTERM);
    until_ready_is(&node.url, false, PATIENCE).await;
    let why = crate::harness::fetch(format!("{}/readyz", node.url))
        .await
        .expect("it still answers");
    assert_eq!(why.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(why.text().await.expect("text").contains("draining"));
    assert!(node.ended(PATIENCE).await.success(), "it did not end well");
    start_at(address, &DRAINS_SLOWLY).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_service_stops_at_once() {
    let service = start_at("127.0.0.1:0", &[]).await;
    let held = crate::harness::http();
    held.get(format!("{}/livez", service.url))
        .send()
        .await
        .expect("an answer");
    let started = std::time::Instant::now();
    assert!(service.terminate().await.success());
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "an idle connection held it for {:?}",
        started.elapsed()
    );
}
