//! Who does not move pays nothing, and who moves pays a row.

use crate::harness::{Project, Service, sql};
use crate::machine::OwnDatabase;
use crate::migration::{MAPPING, step};
use crate::statements::{counts, since};
use serde_json::{Value, json};

async fn bytes_of_log(url: &str) -> i64 {
    sql(url, "SELECT pg_current_wal_insert_lsn() - '0/0'").await[0]
        .parse::<f64>()
        .expect("a number") as i64
}

fn people(name: &str, plan: usize) -> Vec<Value> {
    let call = |number: usize| json!({"type": "identify", "userId": format!("{name}-{number}"), "traits": {"plan": plan}});
    (0..100).map(call).collect()
}

/// Changes a hundred people a hundred times over: the bytes of log that it takes.
async fn cost(project: &Project, url: &str, name: &str, rounds: usize) -> i64 {
    let before = bytes_of_log(url).await;
    for plan in 0..rounds {
        project.results(&people(name, plan)).await;
    }
    bytes_of_log(url).await - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_does_not_move_pays_no_statement_and_no_row() {
    let database = OwnDatabase::start().await;
    let service = Service::start(&database.url, &[]).await;
    let (still, moving) = (
        Project::on(&service.url, &database.url).await,
        Project::on(&service.url, &database.url).await,
    );
    sql(&database.url, "CHECKPOINT").await;
    still.results(&people("warm", 0)).await;
    let alone = cost(&still, &database.url, "before", 50).await;
    step(
        &moving,
        "plan",
        json!({"mapping": MAPPING, "index": "people"}),
    )
    .await;
    step(&moving, "start", json!({})).await;
    let before = counts(&service.url).await;
    let beside = cost(&still, &database.url, "beside", 50).await;
    let ran_still = since(&before, counts(&service.url).await);
    assert_eq!(
        sql(&database.url, "SELECT count(*) FROM outbox").await,
        ["0"]
    );
    let before = counts(&service.url).await;
    let marked = cost(&moving, &database.url, "moving", 50).await;
    let ran_moving = since(&before, counts(&service.url).await);
    eprintln!("bytes of log: alone {alone}, beside one that moves {beside}, moving {marked}");
    assert_eq!(ran_still, ran_moving, "a mark costs no statement");
    assert_eq!(
        sql(&database.url, "SELECT count(*) FROM outbox").await,
        ["100"]
    );
    assert!(beside < alone + alone / 20, "{alone} {beside}");
}
