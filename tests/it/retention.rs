//! What has reached its project's age goes, and nothing else.

use crate::harness::{Project, ROSTER, Service, alone, fresh_database, sql, wait_until};
use crate::machine::metric;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const OFTEN: [(&str, &str); 2] = [
    ("ROSTER__UPKEEP__RETENTION_INTERVAL_SECONDS", "1"),
    ("ROSTER__UPKEEP__RETENTION_ROWS_PER_SECOND", "20000"),
];

/// 1 200 events, 30 rejections and 30 of records, a third of each as if it had come 40 days ago.
async fn filled(url: &str, database: &str) -> Project {
    let project = Project::on(url, database).await;
    let event = |number: usize| json!({"type": "track", "event": "Seen", "userId": format!("u{}", number % 7), "messageId": format!("m{number}")});
    let refused = |number: usize| json!({"type": "dance", "messageId": format!("r{number}")});
    let items: Vec<Value> = (0..1_200).map(event).chain((0..30).map(refused)).collect();
    project.results(&items).await;
    for (table, id) in [("event", "event_id"), ("rejection", "rejection_id")] {
        let third = format!(
            "UPDATE {table} SET received_at = received_at - INTERVAL '40 days' WHERE {id} IN
             (SELECT {id} FROM (SELECT {id}, row_number() OVER (ORDER BY {id}) AS n FROM {table} WHERE project_id = {}) AS all_rows WHERE n % 3 = 0)",
            project.id
        );
        sql(database, &third).await;
    }
    list_records(database, project.id).await;
    project
}

/// 30 refused records of a topic, ten of them as if they had come 40 days ago.
async fn list_records(database: &str, project_id: i32) {
    let records = format!(
        "INSERT INTO backfill_rejection (project_id, source, topic, partition, record_offset, rejected_at, code, message, record_bytes, attempts)
         SELECT {project_id}, 'people', 'people', 0, n, now() - CASE WHEN n <= 10 THEN INTERVAL '40 days' ELSE INTERVAL '0 days' END, 'not_json', 'no JSON', 0, 1
         FROM generate_series(1, 30) AS s (n)"
    );
    sql(database, &records).await;
    let lines = format!(
        "INSERT INTO import_rejection (project_id, job_id, number, place, record_at, rejected_at, code, message, record_bytes)
         SELECT {project_id}, '00000000-0000-7000-8000-000000000001', n, '1', now(),
            now() - CASE WHEN n <= 10 THEN INTERVAL '40 days' ELSE INTERVAL '0 days' END, 'not_json', 'no JSON', 0
         FROM generate_series(1, 30) AS s (n)"
    );
    sql(database, &lines).await;
}

async fn count(database: &str, table: &str, project: &Project) -> usize {
    let text = format!(
        "SELECT count(*) FROM {table} WHERE project_id = {}",
        project.id
    );
    sql(database, &text).await[0].parse().unwrap()
}

fn retain(project: &Project, database: &str, more: &[&str]) -> String {
    let mut command = Command::new(ROSTER);
    command
        .args(["project", "retain", &project.name])
        .args(more);
    let output = command.args(["--database-url", database]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_goes_and_the_rest_stays() {
    let _alone = alone().await;
    // Nodes on one database share one pace, and the other tests' have the default one.
    let database = &fresh_database().await;
    let (one, other) = (
        Service::start(database, &OFTEN).await,
        Service::start(database, &OFTEN).await,
    );
    let bounded = filled(&one.url, database).await;
    let unbounded = filled(&one.url, database).await;
    list_records(database, 0).await;
    // Once any number of days could be set: more than the calendar has must not keep other projects waiting.
    let longest = "UPDATE project SET event_retention_days = 2147483647 WHERE project_id =";
    sql(database, &format!("{longest} {}", unbounded.id)).await;
    let told = retain(&bounded, database, &["--events", "30", "--rejections", "7"]);
    assert_eq!(
        told.trim(),
        format!(
            "project {} keeps events 30 days, rejections 7 days",
            bounded.name
        )
    );

    wait_until("the old events go", PATIENCE, async || {
        count(database, "event", &bounded).await == 800
    })
    .await;
    wait_until("the old rejections go", PATIENCE, async || {
        count(database, "rejection", &bounded).await == 20
            && count(database, "rejection", &unbounded).await == 20
    })
    .await;
    let records = "SELECT count(*) FROM backfill_rejection WHERE project_id =";
    for project_id in [bounded.id, unbounded.id, 0] {
        let records = format!("{records} {project_id}");
        wait_until("old records of topics go", PATIENCE, async || {
            sql(database, &records).await == ["20"]
        })
        .await;
    }
    assert_eq!(
        count(database, "event", &unbounded).await,
        1_200,
        "events stay where their age is not reached"
    );
    for project in [&bounded, &unbounded] {
        wait_until("old lines of files go", PATIENCE, async || {
            count(database, "import_rejection", project).await == 20
        })
        .await;
    }
    let mut left = 0;
    for user in 0..7 {
        left += bounded.timeline(&format!("user_id:u{user}")).await.len();
    }
    assert_eq!(left, 800);

    // Another walk finds nothing more, and what it counted is what went.
    let walks = async || {
        let mut gone = 0.0;
        for service in [&one, &other] {
            gone += metric(&service.url, "roster_events_expired_total").await;
        }
        gone
    };
    assert_eq!(walks().await, 400.0);
    retain(&bounded, database, &[]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        (walks().await, count(database, "event", &bounded).await),
        (400.0, 800)
    );
}

/// Sums of comparisons under a setting that is over are shown nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_of_comparisons_go_with_the_setting_that_they_were_made_under() {
    let database = &fresh_database().await;
    let service = Service::start(database, &OFTEN).await;
    let (moving, other) = (
        Project::on(&service.url, database).await,
        Project::on(&service.url, database).await,
    );
    for project in [&moving, &other] {
        let reads = json!({"source": "compare", "share": 0, "since": 5});
        let plan = json!({"mapping": crate::migration::MAPPING, "index": "people", "document_kind": "user_id", "soak_seconds": 0});
        let text = format!(
            "INSERT INTO migration (project_id, state, version, mirrors, document_kind, settings, changed_at, reads)
             VALUES ({}, 'compare', 7, FALSE, 'user_id', '{plan}', now(), '{reads}')",
            project.id
        );
        sql(database, &text).await;
    }
    let sums = |project: &Project, since: i64| {
        let own = format!("{}, {since}, gen_random_uuid()", project.id);
        format!(
            "WITH one AS (INSERT INTO read_comparison (project_id, since, node, reads, mismatches) VALUES ({own}, 1, 1) RETURNING *)
             INSERT INTO read_mismatch (project_id, since, node, field, mismatches, path, ours, theirs, seen_at)
             SELECT project_id, since, node, 'plan', 1, 'plan', 'a text', 'nothing', now() FROM one"
        )
    };
    for (project, since) in [(&moving, 3), (&moving, 4), (&moving, 5), (&other, 5)] {
        sql(database, &sums(project, since)).await;
    }
    wait_until("what is over goes", PATIENCE, async || {
        count(database, "read_comparison", &moving).await == 1
            && count(database, "read_mismatch", &moving).await == 1
    })
    .await;
    let kept = "SELECT DISTINCT since FROM read_comparison";
    assert_eq!(sql(database, kept).await, ["5"]);
    assert_eq!(count(database, "read_mismatch", &other).await, 1);
}
