//! Two operators at once: one sets where people are read from while the other takes a step.

use super::ask_reads;
use crate::harness::{Project, Service, fresh_database, sql, wait_until};
use crate::migration::{MAPPING, step};
use reqwest::StatusCode;
use serde_json::json;
use std::time::Duration;

/// Somebody else's step is in the middle of its statement.
const HELD: &str = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%somebody elses step%' AND state = 'active' AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn who_sets_reads_while_a_step_is_taken_hears_where_it_led() {
    let database = fresh_database().await;
    let service = Service::start(&database, &[]).await;
    let project = Project::on(&service.url, &database).await;
    step(
        &project,
        "plan",
        json!({"mapping": MAPPING, "index": "people"}),
    )
    .await;
    step(&project, "start", json!({})).await;
    let moves =
        "WITH moved AS (UPDATE migration SET version = version + 1, state = 'backfill' RETURNING 1)
        SELECT pg_sleep(3) FROM moved -- somebody elses step";
    // Where a busy machine asks too late it reads what is new, and nothing stands against it: once more then.
    for _ in 0..10 {
        let asking = async {
            wait_until(
                "the step is being taken",
                Duration::from_secs(60),
                async || sql(&database, HELD).await != ["0"],
            )
            .await;
            ask_reads(&project, json!({"source": "legacy"})).await
        };
        let (_, (status, answer)) = tokio::join!(sql(&database, moves), asking);
        if status == StatusCode::CONFLICT {
            let told = answer["detail"].as_str().expect("a text");
            assert!(told.contains("is at backfill"), "{answer}");
            return;
        }
        sql(&database, "UPDATE migration SET state = 'mirror'").await;
    }
    panic!("nobody was in the way");
}
