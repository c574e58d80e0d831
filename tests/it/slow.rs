//! Senders that take their time, and more connections than anybody needs: F26 and F37 of `contracts/faults.md`.

use crate::harness::{Project, ROSTER, Service, alone, shared, wait_until};
use crate::machine::{allow_files, peak_memory_mib};
use crate::socket::{Outcome, Wire, head};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use reqwest::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(40);

/// A service on the shared database with settings of its own, and a project of it.
pub async fn service_with(settings: &[(&str, &str)]) -> (Service, Project) {
    let database = &shared().await.database_url;
    let service = Service::start(database, settings).await;
    let project = Project::on(&service.url, database).await;
    (service, project)
}

/// Sends some calls one after the other; when the last was answered.
async fn served(project: &Project, calls: usize) -> Instant {
    for _ in 0..calls {
        project
            .send("/v1/track", &json!({"userId": "ada", "event": "Seen"}))
            .await;
    }
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_senders_are_sent_away_and_keep_nobody_waiting() {
    let _alone = alone().await;
    let times = [
        ("ROSTER__SERVER__HEADER_TIMEOUT_MS", "6000"),
        ("ROSTER__SERVER__BODY_TIMEOUT_MS", "7000"),
    ];
    let (service, project) = service_with(&times).await;
    let begun_body = head(&project.write_key, "Content-Length: 100000\r\n");
    let begun_chunk = head(&project.write_key, "Transfer-Encoding: chunked\r\n");
    let slow = [
        (
            "a header",
            "POST /v1/batch HTTP/1.1\r\nHost: ros".to_owned(),
            "t",
        ),
        ("nothing at all", String::new(), ""),
        ("a body", format!("{begun_body}{{\"batch\":["), " "),
        ("chunks", begun_chunk, "1\r\n \r\n"),
    ];
    let url = &service.url;
    let begun = join_all((0..200).map(|number| {
        let (name, begin, byte) = slow[number % slow.len()].clone();
        async move {
            let mut wire = Wire::to(url).await;
            wire.send(begin).await;
            (name, byte, wire)
        }
    }));
    let ends = begun
        .await
        .into_iter()
        .map(|(name, byte, mut wire)| async move {
            let end = wire.trickle(byte, PATIENCE).await;
            (name, end, Instant::now())
        });
    let (ends, served) = tokio::join!(join_all(ends), served(&project, 20));
    for (name, end, _) in &ends {
        assert!(end.is_farewell(), "{name}: {end:?}");
    }
    let first_end = ends.iter().map(|(_, _, at)| at).min();
    assert!(
        Some(&served) < first_end,
        "the others were served only when the slow ones went"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_disturb_nobody() {
    const CONNECTIONS: usize = 10_000;
    let _alone = alone().await;
    allow_files(CONNECTIONS as u64 + 1_000);
    let (service, project) = service_with(&[]).await;
    let opening = (0..CONNECTIONS).map(|_| async {
        let mut wire = Wire::to(&service.url).await;
        wire.send("GET /livez HTTP/1.1\r\nHost: roster\r\n\r\n")
            .await;
        let outcome = wire.outcome(PATIENCE).await;
        assert_eq!(outcome.status(), Some(200), "{outcome:?}");
        wire
    });
    let mut idle: Vec<Wire> = stream::iter(opening).buffer_unordered(200).collect().await;
    served(&project, 100).await;
    let peak = peak_memory_mib(service.pid());
    eprintln!("with {CONNECTIONS} idle connections: {peak} MiB");
    assert!(peak < 256, "{peak} MiB");
    for wire in idle.iter_mut().step_by(1_000) {
        assert_eq!(
            wire.outcome(Duration::ZERO).await,
            Outcome::Silence,
            "an idle connection was closed early"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_out_of_files_sheds_connections_and_recovers() {
    let _alone = alone().await;
    let database = &shared().await.database_url;
    let few = ["-c", "ulimit -n 150; exec \"$@\"", "bash", ROSTER];
    let service = Service::start_by("bash", &few, &[("ROSTER__DATABASE__URL", database)]).await;
    let project = Project::on(&service.url, database).await;
    served(&project, 1).await;
    let crowd = join_all((0..400).map(|_| Wire::to(&service.url))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(crowd);
    let call = json!({"userId": "ada", "event": "Seen"});
    wait_until("it serves again", PATIENCE, async || {
        project.post("/v1/track", &call).await.status() == StatusCode::OK
    })
    .await;
}
