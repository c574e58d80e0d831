//! Every statement and every schema step, asked of PostgreSQL, of CockroachDB's parser, and of the planner.

use crate::harness::{connect, fresh_database, shared, sql, store_at};
use roster::store::{Engine, Statement, catalogue, schema, session_settings};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio_postgres::Client;

/// Statements that traffic waits for.
const HOT: &[&str] = &[
    "insert_events",
    "resolve_identities",
    "create_identities",
    "link_identities",
    "load_names",
    "write_traits",
    "insert_rejections",
    "find_person",
    "find_person_by_id",
    "load_profiles",
    "load_identities",
    "load_timeline",
    "load_event",
    "load_rejections",
    "load_keys",
];

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let client = connect(&shared().await.database_url).await;
    for statement in catalogue() {
        client
            .prepare(statement.sql)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", statement.name));
    }
}

#[test]
fn every_statement_carries_its_name() {
    for statement in catalogue() {
        assert_eq!(
            statement.sql.lines().next(),
            Some(format!("-- {}", statement.name).as_str())
        );
    }
}

#[test]
fn cockroachdbs_parser_takes_every_statement_and_step() {
    let statements = catalogue()
        .into_iter()
        .map(|statement| (statement.name, statement.sql.to_owned()));
    let steps = schema::STEPS
        .iter()
        .map(|step| (step.name, step.sql_for(Engine::CockroachDb).into_owned()));
    let records: String = statements
        .chain(steps)
        .map(|(name, sql)| format!("{}\n", serde_json::json!({"name": name, "sql": sql})))
        .collect();
    let (accepted, output) = parse(&records);
    assert!(accepted, "{output}");
    let (accepted, output) = parse("{\"name\":\"bad\",\"sql\":\"SELEC 1\"}\n");
    assert!(
        !accepted && output.contains("bad"),
        "the check can fail: {output}"
    );
}

fn parse(records: &str) -> (bool, String) {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/.dev/bin/crdb-parser");
    let mut child = Command::new(tool)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`scripts/setup test` builds the parser");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(records.as_bytes())
        .expect("written");
    let output = child.wait_with_output().expect("ends");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr),
    )
}

/// design.md, "Tables": which keys are spread by a hash, and that no other is.
#[test]
fn the_keys_of_the_design_are_hash_sharded_and_no_others() {
    let sharded: Vec<&str> = schema::STEPS
        .iter()
        .filter(|step| step.sql_for(Engine::CockroachDb).contains("USING HASH"))
        .map(|step| &step.name[5..])
        .collect();
    assert_eq!(sharded, ["profile", "identity", "event", "rejection"]);
    for (table, key) in [
        ("profile", "(project_id, profile_id)"),
        ("identity", "(project_id, kind, value)"),
        ("event", "(project_id, event_id)"),
        ("rejection", "(project_id, received_at, rejection_id)"),
    ] {
        let step = schema::STEPS
            .iter()
            .find(|step| &step.name[5..] == table)
            .expect("a step");
        assert!(
            step.sql
                .contains(&format!("PRIMARY KEY {key} /*crdb USING HASH */")),
            "{table}"
        );
    }
}

/// A literal of the type that a placeholder is cast to: three hundred for arrays, as in a batch.
fn sample(sql_type: &str) -> String {
    let element = sql_type.trim_end_matches("[]");
    let literal = match element {
        "TEXT" => "'x'".to_owned(),
        "UUID" => "'00000000-0000-4000-8000-000000000001'".to_owned(),
        "JSONB" => "'{}'".to_owned(),
        "TIMESTAMPTZ" => "'2026-01-01T00:00:00Z'".to_owned(),
        "BYTEA" => "'\\x00'".to_owned(),
        "BOOL" => "true".to_owned(),
        _ => "1".to_owned(),
    };
    if sql_type.ends_with("[]") {
        format!("array_fill({literal}::{element}, ARRAY[300])")
    } else {
        format!("{literal}::{element}")
    }
}

/// The types that `$1`, `$2`… are cast to.
fn parameter_types(sql: &str) -> Vec<String> {
    let type_of = |number: usize| {
        let (_, rest) = sql.split_once(&format!("${number}::"))?;
        let end = rest
            .find(|character: char| !(character.is_alphanumeric() || "[]".contains(character)))
            .unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    };
    (1..).map_while(type_of).collect()
}

async fn plan(client: &Client, statement: &Statement, mode: &str) -> String {
    let types = parameter_types(statement.sql);
    let samples: Vec<String> = types.iter().map(|sql_type| sample(sql_type)).collect();
    let setup = format!(
        "DEALLOCATE ALL; SET plan_cache_mode = {mode}; PREPARE p ({}) AS {}",
        types.join(", "),
        statement.sql
    );
    client
        .batch_execute(&setup)
        .await
        .unwrap_or_else(|error| panic!("{}: {error:?}", statement.name));
    let rows = client
        .query(&format!("EXPLAIN EXECUTE p ({})", samples.join(", ")), &[])
        .await
        .expect("a plan");
    rows.iter()
        .map(|row| row.get::<_, String>(0))
        .collect::<Vec<_>>()
        .join("\n")
}

async fn no_hot_statement_scans(url: &str, state: &str) {
    let client = connect(url).await;
    client
        .batch_execute(&session_settings(
            Engine::PostgreSql,
            Duration::from_secs(30),
        ))
        .await
        .expect("set");
    for statement in catalogue()
        .into_iter()
        .filter(|statement| HOT.contains(&statement.name))
    {
        for mode in ["force_generic_plan", "force_custom_plan"] {
            let plan = plan(&client, statement, mode).await;
            assert!(
                !plan.contains("Seq Scan"),
                "{} on {state}, {mode}:\n{plan}",
                statement.name
            );
            let whole_project = plan
                .lines()
                .any(|line| line.contains("Index Cond: (project_id = ") && !line.contains("AND"));
            // Rejections are listed by project, and of `project` itself the id is the whole key.
            let listed_by_project = ["load_rejections", "load_keys"].contains(&statement.name);
            assert!(
                listed_by_project || !whole_project,
                "{} on {state}, {mode} reads a whole project:\n{plan}",
                statement.name
            );
        }
    }
}

#[tokio::test]
async fn no_hot_statement_scans_on_an_empty_or_an_unanalysed_database() {
    if store_at(&shared().await.database_url)
        .engine()
        .await
        .expect("it answers")
        != Engine::PostgreSql
    {
        println!("PostgreSQL only: no_hot_statement_scans_on_an_empty_or_an_unanalysed_database");
        return;
    }
    let url = fresh_database().await;
    store_at(&url).migrate().await.expect("migrated");
    for table in ["profile", "identity", "event", "rejection", "api_key"] {
        sql(
            &url,
            &format!("ALTER TABLE {table} SET (autovacuum_enabled = false)"),
        )
        .await;
    }
    no_hot_statement_scans(&url, "an empty database").await;
    let id = "('00000000-0000-4000-8000-' || lpad(n::TEXT, 12, '0'))::UUID";
    let from = "FROM generate_series(1, 200000) AS g (n)";
    sql(
        &url,
        &format!(
            "INSERT INTO profile SELECT 1, {id}, '{{}}', '{{\"base\":0}}', 1, now(), now(), NULL, ARRAY[]::UUID[] {from}"
        ),
    )
    .await;
    sql(
        &url,
        &format!("INSERT INTO identity SELECT 1, 'user_id', 'user-' || n, {id}, now() {from}"),
    )
    .await;
    sql(&url, &format!("INSERT INTO event SELECT 1, {id}, {id}, 'track', 'x', NULL, now(), now(), '{{}}', '{{}}' {from}")).await;
    no_hot_statement_scans(&url, "200,000 unanalysed profiles").await;
}
