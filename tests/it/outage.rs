//! The database stopped, killed, frozen and gone under a running service: F5 and F6 of `contracts/faults.md`. Each test has a
//! PostgreSQL of its own, whatever `ROSTER_TEST_DATABASE_URL` says.

use crate::harness::{Project, Service, alone, sql};
use crate::ledger::{Answer, Load, now};
use crate::machine::{OwnDatabase, is_ready, processor_time, until_ready_is, why_not_ready};
use futures_util::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);
/// `server.request_timeout_ms`, and something for a busy machine.
const DEADLINE: Duration = Duration::from_millis(9_000 + 6_000);

async fn service_with_own_database() -> (OwnDatabase, Service, Project) {
    let database = OwnDatabase::start().await;
    let service = Service::start(&database.url, &[]).await;
    let project = Project::on(&service.url, &database.url).await;
    (database, service, project)
}

/// Sends one new event.
async fn track(project: &Project) -> Response {
    let event = json!({"userId": "ada", "event": "Seen", "messageId": Uuid::new_v4()});
    project.post("/v1/track", &event).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_restarts_under_load_loses_nothing() {
    let _alone = alone().await;
    let (mut database, service, project) = service_with_own_database().await;
    let load = Load::forgetful(&project, &[&service.url]);
    for killed in [false, true, false, true] {
        load.goes_on(100, PATIENCE).await;
        if killed {
            database.kill();
        } else {
            database.stop().await;
        }
        sleep(Duration::from_millis(500)).await;
        database.start_again().await;
        load.goes_on(100, PATIENCE).await;
    }
    load.must_be_clean("database restarts", &database.url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_lost_its_connections_while_idle_heals_unnoticed() {
    let _alone = alone().await;
    let (mut database, service, project) = service_with_own_database().await;
    for killed in [false, true] {
        let warm = join_all((0..16).map(|_| track(&project))).await;
        assert!(warm.iter().all(|reply| reply.status() == StatusCode::OK));
        if killed {
            database.kill();
        } else {
            database.stop().await;
        }
        database.start_again().await;
        let after = join_all((0..16).map(|_| track(&project))).await;
        let statuses: Vec<_> = after.iter().map(Response::status).collect();
        assert!(
            statuses.iter().all(|status| *status == StatusCode::OK),
            "killed {killed}: {statuses:?}"
        );
    }
    drop(service);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_every_answer_says_when_to_come_again_until_it_is_back() {
    let _alone = alone().await;
    let (mut database, service, project) = service_with_own_database().await;
    assert_eq!(track(&project).await.status(), StatusCode::OK);
    database.stop().await;
    let (before, started) = (processor_time(service.pid()), Instant::now());
    for reply in join_all((0..40).map(|_| track(&project))).await {
        assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(reply.headers().contains_key("retry-after"));
    }
    assert!(
        started.elapsed() < DEADLINE,
        "it took {:?}",
        started.elapsed()
    );
    until_ready_is(&service.url, false, PATIENCE).await;
    let used = processor_time(service.pid()).saturating_sub(before);
    assert!(
        used < started.elapsed() / 4,
        "{used:?} of the processor in {:?} of waiting",
        started.elapsed()
    );

    database.start_again().await;
    until_ready_is(&service.url, true, PATIENCE).await;
    assert_eq!(track(&project).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_database_is_refused_in_time_and_never_taken_for_a_commit() {
    let _alone = alone().await;
    let (database, service, project) = service_with_own_database().await;
    let load = Load::forgetful(&project, &[&service.url]);
    load.goes_on(100, PATIENCE).await;
    until_ready_is(&service.url, true, PATIENCE).await;

    let frozen = database.freeze();
    let from = now();
    until_ready_is(&service.url, false, PATIENCE).await;
    let noticed = now();
    while now() - noticed < Duration::from_secs(15) {
        assert_eq!(
            is_ready(&service.url).await,
            Some(false),
            "ready with a frozen database"
        );
        sleep(Duration::from_millis(250)).await;
    }
    let until = now();
    drop(frozen);

    until_ready_is(&service.url, true, PATIENCE).await;
    load.goes_on(200, PATIENCE).await;
    refused_in_time(&load.answers(), from, until);
    let verdict = load.must_be_clean("a frozen database", &database.url).await;
    assert!(
        verdict.slowest < DEADLINE && !verdict.statuses.contains_key(&None),
        "{verdict}"
    );
}

/// What was sent and answered within the time: 503, and when to come again.
fn refused_in_time(answers: &[Answer], from: Duration, until: Duration) {
    let within: Vec<&Answer> = answers
        .iter()
        .filter(|answer| answer.sent_at > from && answer.answered_at < until)
        .collect();
    assert!(!within.is_empty(), "nobody was answered");
    for answer in within {
        assert!(answer.status == Some(503) && answer.says_when, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_answers_but_can_not_write_or_lacks_a_table_is_not_ready() {
    let _alone = alone().await;
    let (database, service, project) = service_with_own_database().await;
    until_ready_is(&service.url, true, PATIENCE).await;
    for (broken, mended, expected) in [
        (
            "ALTER SYSTEM SET default_transaction_read_only = on",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "read-only (SQLSTATE 25006)",
        ),
        (
            "ALTER TABLE membership RENAME TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO membership",
            "a table is missing (SQLSTATE 42P01)",
        ),
    ] {
        let change = async |text: &str| {
            sql(&database.url, text).await;
            sql(&database.url, "SELECT pg_reload_conf()").await;
        };
        change(broken).await;
        until_ready_is(&service.url, false, PATIENCE).await;
        let said = why_not_ready(&service.url).await;
        assert!(said.contains(expected), "{said}");
        change(mended).await;
        until_ready_is(&service.url, true, PATIENCE).await;
        assert_eq!(track(&project).await.status(), StatusCode::OK);
    }
}

/// Refuses every new event as a disk without room does. The heartbeat, which changes a row that is there, goes on.
const FULL_DISK: &str = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION full_disk()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_refuses_every_batch_is_not_ready_until_one_is_written() {
    let _alone = alone().await;
    let (database, service, project) = service_with_own_database().await;
    until_ready_is(&service.url, true, PATIENCE).await;
    sql(&database.url, FULL_DISK).await;
    let refused = track(&project).await.status();
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    until_ready_is(&service.url, false, PATIENCE).await;
    let said = why_not_ready(&service.url).await;
    assert!(said.contains("disk is full (SQLSTATE 53100)"), "{said}");
    sql(&database.url, "DROP TRIGGER full_disk ON event").await;
    assert_eq!(track(&project).await.status(), StatusCode::OK);
    until_ready_is(&service.url, true, PATIENCE).await;
}
