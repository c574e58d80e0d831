//! What a deletion bars while a call about the person is on its way: between its look-up and its last statement.

use crate::harness::{Project, Service, connect, fresh_database, sql, wait_until};
use serde_json::json;
use std::time::Duration;

/// The call was sent an hour ago and held back, so that its time as put right lies after the deletion, and the earliest at which it
/// may have happened before. Its look-up finds nothing erased; then the names are barred, and only the last statement can tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_may_be_older_does_not_slip_in_behind_a_deletion() {
    let database_url = fresh_database().await;
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
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND query LIKE '-- insert_events%'";
        let is_waiting = async || sql(&database_url, waits).await == ["1"];
        wait_until(
            "the last statement waits",
            Duration::from_secs(10),
            is_waiting,
        )
        .await;
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
