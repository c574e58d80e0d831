//! Two operators at once: one sets where people are read from while the other takes a step. Who waits for a lock is seen on PostgreSQL only.

use super::ask_reads;
use crate::harness::{Project, Service, connect};
use crate::machine::{OwnDatabase, until_waiting};
use crate::migration::{MAPPING, step};
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_who_sets_reads_while_a_step_is_taken_hears_where_it_led() {
    let own = OwnDatabase::start().await;
    let database = own.url.clone();
    let service = Service::start(&database, &[]).await;
    let project = Project::on(&service.url, &database).await;
    step(
        &project,
        "plan",
        json!({"mapping": MAPPING, "index": "people"}),
    )
    .await;
    step(&project, "start", json!({})).await;
    let taking = connect(&database).await;
    taking
        .batch_execute("BEGIN; UPDATE migration SET version = version + 1, state = 'backfill'")
        .await
        .expect("a step that is being taken");
    let asking = ask_reads(&project, json!({"source": "legacy"}));
    let ending = async {
        until_waiting(&database, "set_reads").await;
        taking.batch_execute("COMMIT").await.expect("taken");
    };
    let ((status, answer), ()) = tokio::join!(asking, ending);
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    let told = answer["detail"].as_str().expect("a text");
    assert!(told.contains("is at backfill"), "{answer}");
}
