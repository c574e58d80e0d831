//! Every statement and every schema step, asked of PostgreSQL, of CockroachDB's parser, and of the planner.

use crate::harness::{connect, fresh_database, shared, sql, store_at};
use crate::machine::is_postgresql;
use roster::store::{Engine, Statement, catalogue, schema, session_settings, set_up_session};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio_postgres::Client;

/// Statements that may read a whole table, and why.
const SCANNING: &[(&str, &str)] = &[
    ("applied_steps", "the steps are the table"),
    ("create_project", "draws the next id; rare"),
    ("list_keys", "lists them all, for a person"),
    ("load_salt", "one row"),
    ("load_sources", "a row for each topic of a backfill"),
    ("load_mirrors", "a row for each project that moves"),
    ("list_mirrors", "a row for each project that moves"),
    ("load_reads", "a row for each project that moves"),
    ("count_old_nodes", "64 rows"),
    ("take_step", "the 64 rows of nodes"),
    ("due_verifications", "those that go on"),
    (
        "due_walks",
        "each project whose events have an age is looked at",
    ),
];

/// Statements that go along a whole project in the order of a key, a page at a time, or of `project` itself.
const BY_PROJECT: &[&str] = &[
    "load_rejections",
    "load_refused_documents",
    "sample_fields",
    "load_imports",
    "advance_import",
    "set_import",
    "due_pulls",
    "due_schedules",
    "load_schedules",
    "create_schedule",
    "load_conflicts",
    "load_keys",
    "load_project",
    "load_kinds",
    "load_project_names",
    "block_name",
    "expire_events",
    "load_steps",
    "measure_mirror",
    "mark_page",
    "load_marks",
    "load_gone",
    "tidy_document_refusals",
    "clear_outbox",
    "start_verification",
    "forget_verifications",
    "last_verifications",
    "people_page",
    "set_kinds",
    "set_rules",
    "remember_erased",
    "create_list",
    "load_lists",
    "load_criteria",
    "set_criteria",
    "drop_criteria",
    "set_retention",
    "set_walk",
    // Counted no further than a bound, where an event has its first field.
    "count_field_types",
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

/// CockroachDB refuses what changes one table twice in one statement.
#[test]
fn no_statement_changes_a_table_twice() {
    for statement in catalogue() {
        let words: Vec<&str> = statement.sql.split_whitespace().collect();
        let changed = words.windows(3).filter_map(|words| match words {
            ["INSERT", "INTO", table] | ["DELETE", "FROM", table] => Some(*table),
            [before, "UPDATE", table] if !["DO", "FOR"].contains(before) => Some(*table),
            _ => None,
        });
        let mut changed: Vec<&str> = changed.collect();
        changed.sort_unstable();
        let twice = changed.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "{}", statement.name);
    }
}

#[test]
fn cockroachdbs_parser_takes_every_statement_and_step() {
    let statements = catalogue().into_iter().map(|statement| {
        (
            statement.name,
            statement.sql_for(Engine::CockroachDb).into_owned(),
        )
    });
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
    assert_eq!(
        sharded,
        [
            "profile",
            "identity",
            "event",
            "rejection",
            "conflict_by_time",
            "merge_record_by_time",
            "outbox",
            "outbox_by_time",
            "outbox_gone",
            "mirror_refusal",
            "backfill_rejection_by_time",
            "import_rejection_by_time",
            "import_job_by_expiry",
            "import_pull_by_due",
            "import_schedule_by_due",
            "field_type"
        ]
    );
    for (table, key) in [
        ("profile", "(project_id, profile_id)"),
        ("identity", "(project_id, kind, value)"),
        ("event", "(project_id, event_id)"),
        ("rejection", "(project_id, received_at, rejection_id)"),
        ("outbox", "(project_id, profile_id)"),
        ("outbox_gone", "(project_id, kind, value)"),
        ("field_type", "(project_id, category, name)"),
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

/// PostgreSQL's plan of a prepared statement.
async fn plan(client: &Client, statement: &Statement, mode: &str) -> String {
    let types = parameter_types(statement.sql);
    let samples: Vec<String> = types.iter().map(|sql_type| sample(sql_type)).collect();
    let in_brackets = |list: Vec<String>| match list.is_empty() {
        true => String::new(),
        false => format!("({})", list.join(", ")),
    };
    let setup = format!(
        "DEALLOCATE ALL; SET plan_cache_mode = {mode}; PREPARE p {} AS {}",
        in_brackets(types),
        statement.sql
    );
    client
        .batch_execute(&setup)
        .await
        .unwrap_or_else(|error| panic!("{}: {error:?}", statement.name));
    explain(
        client,
        &format!("EXPLAIN EXECUTE p {}", in_brackets(samples)),
    )
    .await
}

/// CockroachDB's plan; it explains no prepared statements, so the samples stand in the text.
async fn plan_on_cockroachdb(client: &Client, statement: &Statement) -> String {
    let mut text = statement.sql.to_owned();
    let types = parameter_types(&text);
    for (index, sql_type) in types.iter().enumerate().rev() {
        let element = sql_type.trim_end_matches("[]");
        let literal = match sample(element) {
            one if sql_type == element => one,
            one => format!("ARRAY[{one}, {one}]"),
        };
        text = text.replace(&format!("${}::{sql_type}", index + 1), &literal);
    }
    let (_, text) = text.split_once('\n').expect("a name and a text");
    explain(client, &format!("EXPLAIN {text}")).await
}

async fn explain(client: &Client, question: &str) -> String {
    let rows = client.query(question, &[]).await;
    let rows = rows.unwrap_or_else(|error| panic!("{question}: {error:?}"));
    rows.iter()
        .map(|row| {
            let columns = (0..row.len()).filter_map(|column| row.try_get::<_, String>(column).ok());
            // Without the three hundred keys of a filter.
            columns.collect::<String>().chars().take(200).collect()
        })
        .collect::<Vec<String>>()
        .join("\n")
}

/// Every statement but those that may scan.
fn planned() -> impl Iterator<Item = &'static Statement> {
    let may_scan = |name: &str| SCANNING.iter().any(|(scanning, _)| *scanning == name);
    catalogue()
        .into_iter()
        .filter(move |statement| !may_scan(statement.name))
}

const EMPTY: &str = "an empty database";

/// Of an erasure or a tracking plan, which have a few keys: with the three hundred of the sample PostgreSQL goes by the project instead.
const BY_PROJECT_WITH_MANY_KEYS: &[&str] = &["lock_erased", "load_field_types"];

/// A condition on the project alone, but for the one row that a migration has.
fn reads_a_project(plan: &str) -> bool {
    let lines: Vec<&str> = plan.lines().collect();
    lines.windows(2).any(|pair| {
        let is_alone = pair[1].contains("Index Cond: (project_id = ") && !pair[1].contains("AND");
        is_alone && !pair[0].contains("migration_pkey") && !pair[0].contains("mirror_pkey")
    })
}

async fn no_statement_scans(url: &str, state: &str) {
    let client = connect(url).await;
    let settings = session_settings(Engine::PostgreSql, Duration::from_secs(30));
    client.batch_execute(&settings).await.expect("set");
    let mut wrong = Vec::new();
    for statement in planned() {
        for mode in ["force_generic_plan", "force_custom_plan"] {
            let plan = plan(&client, statement, mode).await;
            let reads_a_project = reads_a_project(&plan);
            let may_read_it = BY_PROJECT.contains(&statement.name)
                || BY_PROJECT_WITH_MANY_KEYS.contains(&statement.name);
            if plan.contains("Seq Scan") || (reads_a_project && !may_read_it) {
                wrong.push(format!("{}, {mode}:\n{plan}", statement.name));
            }
        }
    }
    assert!(wrong.is_empty(), "on {state}:\n{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn on_cockroachdb_no_statement_scans() {
    let url = &shared().await.database_url;
    if store_at(url).engine().await.expect("it answers") != Engine::CockroachDb {
        return;
    }
    let client = connect(url).await;
    set_up_session(&client, Engine::CockroachDb, Duration::from_secs(30))
        .await
        .expect("as the service does");
    for statement in planned() {
        let plan = plan_on_cockroachdb(&client, statement).await;
        let scans = plan.to_lowercase().contains("full scan");
        assert!(!scans, "{}:\n{plan}", statement.name);
    }
}

#[tokio::test]
async fn on_postgresql_no_statement_scans_an_empty_or_an_unanalysed_database() {
    let url = fresh_database().await;
    if !is_postgresql(&url).await {
        return;
    }
    store_at(&url).migrate().await.expect("migrated");
    for table in ["profile", "identity", "event", "rejection", "api_key"] {
        sql(
            &url,
            &format!("ALTER TABLE {table} SET (autovacuum_enabled = false)"),
        )
        .await;
    }
    no_statement_scans(&url, EMPTY).await;
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
    no_statement_scans(&url, "200,000 unanalysed profiles").await;
}

/// Rows that a plan's parts came to, as they ran.
fn rows_read(plan: &str) -> Vec<u64> {
    let parts = plan.split("actual time=").skip(1);
    let rows = parts.filter_map(|part| part.split_once(" rows=")?.1.split(' ').next());
    rows.filter_map(|rows| rows.parse().ok()).collect()
}

#[tokio::test]
async fn on_postgresql_a_page_of_a_timeline_reads_a_page_whoever_has_how_many_events() {
    let url = fresh_database().await;
    let store = store_at(&url);
    store.migrate().await.expect("migrated");
    if !is_postgresql(&url).await {
        return;
    }
    let busy = "'ffffffff-0000-4000-8000-000000000000'::UUID";
    let others = "('00000000-0000-4000-8000-' || lpad((n % 5000)::TEXT, 12, '0'))::UUID";
    for profile in [busy, others] {
        let insert = format!(
            "INSERT INTO event SELECT 1, gen_random_uuid(), {profile}, 'track', 'x', NULL, now() - (n / 3) * '1 s'::INTERVAL, now(), '{{}}', '{{}}' \
             FROM generate_series(1, 30000) AS g (n)"
        );
        sql(&url, &insert).await;
    }
    let client = connect(&url).await;
    let settings = session_settings(Engine::PostgreSql, Duration::from_secs(30));
    client.batch_execute(&settings).await.expect("set");
    client.batch_execute("ANALYZE event").await.expect("done");
    let catalogue = catalogue();
    let mut all = catalogue.iter();
    let statement = all.find(|one| one.name == "load_timeline").expect("it");
    let prepare = format!("PREPARE p AS {}", statement.sql);
    client.batch_execute(&prepare).await.expect("prepared");
    let question = format!(
        "EXPLAIN (ANALYZE) EXECUTE p (1, ARRAY[{busy}], '-infinity', 'infinity', 'infinity', {busy}, NULL, NULL, 100, 1000000)"
    );
    let plan = explain(&client, &question).await;
    let rows = rows_read(&plan);
    assert!(rows.contains(&100), "{plan}");
    assert!(rows.iter().all(|rows| *rows < 200), "{plan}");
}
