//! What a deletion bars while a call about the person is on its way: between its look-up and its last statement. Who waits for a lock is
//! seen on PostgreSQL only, where writers may get between another's look and its statement: CockroachDB is serializable.

use crate::harness::{Project, Service, connect, sql, wait_until};
use crate::machine::{OwnDatabase, until_waiting};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

/// The call was sent an hour ago and held back, so that its time as put right lies after the deletion, and the earliest at which it
/// may have happened before. Its look-up finds nothing erased; then the names are barred, and only the last statement can tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_an_event_that_may_be_older_does_not_slip_in_behind_a_deletion() {
    let database = OwnDatabase::start().await;
    let database_url = database.url.clone();
    let service = Service::start(&database_url, &[]).await;
    let project = Project::on(&service.url, &database_url).await;
    let known = json!({"type": "track", "event": "Seen", "userId": "ada", "messageId": "known"});
    project.results(&[known]).await;

    let locking = connect(&database_url).await;
    locking
        .batch_execute("BEGIN; LOCK TABLE event IN SHARE MODE")
        .await
        .expect("locked");
    let ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let call = json!({"type": "identify", "userId": "ada", "messageId": "held-back", "timestamp": ago.to_string(),
        "sentAt": ago.to_string(), "traits": {"plan": "pro"}});
    let sending = async { project.results(&[call]).await };
    let barring = async {
        until_waiting(&database_url, "insert_events").await;
        let bar = "UPDATE identity SET not_before = now() - '30 minutes'::INTERVAL";
        locking
            .batch_execute(&format!("{bar}; COMMIT"))
            .await
            .expect("barred");
    };
    let (told, ()) = tokio::join!(sending, barring);
    assert_eq!(told[0]["code"], "erased", "{told:?}");
    let count = sql(&database_url, "SELECT count(*) FROM event").await;
    assert_eq!(count, ["1"]);
}

/// A call looked for erasures before there was one, and gets to its names behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_call_that_looked_before_an_erasure_makes_nobody_behind_it() {
    let database = OwnDatabase::start().await;
    let database_url = database.url.clone();
    let service = Service::start(&database_url, &[]).await;
    let project = Project::on(&service.url, &database_url).await;
    // The table of marks is written by the statement that makes people, and by no erasure.
    let locking = connect(&database_url).await;
    locking
        .batch_execute("BEGIN; LOCK TABLE outbox IN SHARE MODE")
        .await
        .expect("locked");
    let late = [
        json!({"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}}),
        json!({"type": "identify", "userId": "bob", "traits": {"plan": "pro"}}),
    ];
    let sending = async { project.results(&late).await };
    let erasing = async {
        until_waiting(&database_url, "create_identities").await;
        let (status, receipt) = project.erase("user_id:ada").await;
        assert_eq!(status, StatusCode::OK, "{receipt}");
        locking.batch_execute("COMMIT").await.expect("let go");
    };
    let (told, ()) = tokio::join!(sending, erasing);
    assert_eq!(told[0]["code"], "erased", "{told:?}");
    assert_eq!(told[1]["status"], "stored", "{told:?}");
    let names = sql(&database_url, "SELECT value FROM identity").await;
    assert_eq!(names, ["bob"]);
}

/// A call that looked for erasures before there was one makes the person anew behind it: without a name's row to wait for, it would be
/// too quick for that. The person comes back on that profile before the sweep looks for such calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_who_comes_back_on_what_a_late_call_made_keeps_what_they_said_since() {
    let database = OwnDatabase::start().await;
    let database_url = database.url.clone();
    let service = Service::start(&database_url, &[]).await;
    let project = Project::on(&service.url, &database_url).await;
    let holding = connect(&database_url).await;
    let hold = format!(
        "BEGIN; INSERT INTO identity (project_id, kind, value, profile_id, first_seen)
        VALUES ({}, 'user_id', 'ada', gen_random_uuid(), now())",
        project.id
    );
    holding.batch_execute(&hold).await.expect("held");
    let late = json!({"type": "identify", "userId": "ada", "messageId": "late", "traits": {"plan": "old", "secret": 1}});
    let sending = async { project.results(&[late]).await };
    let erasing = async {
        until_waiting(&database_url, "create_identities").await;
        let (status, receipt) = project.erase("user_id:ada").await;
        assert_eq!(status, StatusCode::OK, "{receipt}");
        holding.batch_execute("ROLLBACK").await.expect("let go");
    };
    tokio::join!(sending, erasing);
    let back = [
        json!({"type": "identify", "userId": "ada", "messageId": "back", "traits": {"plan": "new"}}),
    ];
    project.results(&back).await;

    swept(&database_url).await;
    let profile = project.profile("user_id:ada").await;
    assert_eq!(profile["traits"], json!({"plan": "new"}));
    let events = project.timeline("user_id:ada").await;
    let told: Vec<&Value> = events.iter().map(|event| &event["message_id"]).collect();
    assert_eq!(told, ["back"], "{events:?}");
    let older = json!({"type": "identify", "userId": "ada", "timestamp": "2024-01-01T00:00:00Z", "traits": {"secret": 2}});
    assert_eq!(project.results(&[older]).await[0]["code"], "erased");
}

/// Waits for the sweeps to end, all of which are due at once.
async fn swept(database_url: &str) {
    let open = "UPDATE erasure_request SET sweep_at = now() WHERE finished_at IS NULL RETURNING 1";
    let is_over = async || sql(database_url, open).await.is_empty();
    wait_until("the sweeps end", Duration::from_secs(60), is_over).await;
}
