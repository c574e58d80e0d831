//! The migrator: twice, by many at once, killed anywhere, and what it refuses.

use crate::forms::of_form;
use crate::harness::{Project, ROSTER, Service, fresh_database, sql, wait_until};
use crate::machine::is_postgresql;
use serde_json::json;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn migrate(url: &str) -> Command {
    let mut command = Command::new(ROSTER);
    command
        .args(["migrate", "--database-url", url])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("runs"))
        .await
        .expect("ends")
}

/// Tables, columns and indexes as text.
async fn shape(url: &str) -> Vec<String> {
    let columns = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns
        WHERE table_schema = 'public' ORDER BY 1";
    let indexes = "SELECT tablename || ' ' || indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1";
    let mut lines = sql(url, columns).await;
    lines.extend(sql(url, indexes).await);
    lines.extend(sql(url, "SELECT name || checksum FROM schema_step ORDER BY 1").await);
    lines
}

async fn migrated() -> (String, Vec<String>) {
    let url = fresh_database().await;
    assert!(run(migrate(&url)).await.status.success());
    let shape = shape(&url).await;
    assert!(
        shape
            .iter()
            .any(|line| line.starts_with("event.event_id uuid")),
        "{shape:?}"
    );
    (url, shape)
}

/// The migrator holds its lease and has recorded so many steps.
async fn has_recorded(url: &str, steps: usize) -> bool {
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name IN ('schema_step', 'lease')";
    if sql(url, tables).await != ["2"] {
        return false;
    }
    let state = "SELECT (SELECT count(*) FROM schema_step)::TEXT || ' ' || (SELECT count(*) FROM lease WHERE name = 'schema')::TEXT";
    sql(url, state).await == [format!("{steps} 1")]
}

#[tokio::test]
async fn applying_twice_changes_nothing() {
    let (url, once) = migrated().await;
    assert!(run(migrate(&url)).await.status.success());
    sql(&url, "DELETE FROM schema_step").await;
    assert!(
        run(migrate(&url)).await.status.success(),
        "every step may run again"
    );
    assert_eq!(shape(&url).await, once);
}

#[tokio::test]
async fn ten_at_once_end_in_one_schema() {
    let (_, expected) = migrated().await;
    let url = fresh_database().await;
    ten_at_once(&url).await;
    assert_eq!(shape(&url).await, expected);
}

/// As at a database in which others have taken nearly all connections: who gets none waits for one.
#[tokio::test]
async fn on_postgresql_ten_at_once_for_whom_there_are_three_connections_end_in_one_schema() {
    let (url, expected) = migrated().await;
    if !is_postgresql(&url).await {
        return;
    }
    let url = fresh_database().await;
    let role = format!("few_{}", uuid::Uuid::new_v4().simple());
    let made = format!("CREATE ROLE {role} LOGIN PASSWORD '{role}' CONNECTION LIMIT 3");
    sql(&url, &made).await;
    sql(&url, &format!("GRANT CREATE ON SCHEMA public TO {role}")).await;
    let mut theirs = url::Url::parse(&url).expect("a url");
    theirs
        .query_pairs_mut()
        .extend_pairs([("user", &role), ("password", &role)]);
    ten_at_once(theirs.as_str()).await;
    assert_eq!(shape(&url).await, expected);
}

async fn ten_at_once(url: &str) {
    let running: Vec<_> = (0..10)
        .map(|_| migrate(url).spawn().expect("runs"))
        .collect();
    for child in running {
        let output = tokio::task::spawn_blocking(move || child.wait_with_output());
        let output = output.await.expect("joined").expect("ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

/// The one that was killed holds the lease, and the next would wait a minute for it to run out. What the dead one had asked for may
/// still be done after its death.
async fn end_lease(url: &str) {
    let end = "UPDATE lease SET expires_at = now() - '1 second'::INTERVAL";
    sql(url, end).await;
}

/// One database for each point: every run does again what the last one left undone, and is killed some steps behind that.
#[tokio::test]
async fn killed_before_or_after_a_step_it_is_completed_by_the_next() {
    let (_, expected) = migrated().await;
    let steps = roster::store::schema::STEPS.len();
    let stride = of_form(7, 1);
    for point in ["schema-step", "schema-step-unrecorded"] {
        let url = fresh_database().await;
        for step in (0..steps).step_by(stride) {
            let again = step.min(stride);
            let mut stopped = migrate(&url);
            stopped.env("FAILPOINTS", format!("{point}={again}*off->pause"));
            let mut child = stopped.spawn().expect("runs");
            let what = format!("{point} {step} is reached");
            wait_until(&what, Duration::from_secs(60), async || {
                if step > 0 {
                    end_lease(&url).await;
                }
                has_recorded(&url, step).await
            })
            .await;
            child.kill().expect("it waits at the point");
            child.wait().expect("gone");
        }
        end_lease(&url).await;
        assert!(run(migrate(&url)).await.status.success(), "{point}");
        assert_eq!(shape(&url).await, expected, "{point}");
    }
}

#[tokio::test]
async fn a_changed_step_stops_the_start_and_a_newer_schema_does_not() {
    let (url, _) = migrated().await;
    sql(
        &url,
        "UPDATE schema_step SET checksum = 'x' WHERE name = '0005_profile'",
    )
    .await;
    let message = String::from_utf8(run(migrate(&url)).await.stderr).expect("text");
    assert!(
        message.contains("0005_profile") && message.lines().count() == 1,
        "{message}"
    );
    let (url, _) = migrated().await;
    sql(
        &url,
        "INSERT INTO schema_step (name, checksum) VALUES ('9999_future', 'x')",
    )
    .await;
    let service = Service::start(&url, &[]).await;
    let project = Project::on(&service.url, &url).await;
    project
        .send(
            "/v1/identify",
            &json!({"userId": "ada", "traits": {"plan": "pro"}}),
        )
        .await;
    assert_eq!(
        project.profile("user_id:ada").await["traits"]["plan"],
        "pro"
    );
    assert!(service.terminate().await.success());
}
