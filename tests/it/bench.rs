//! `roster bench` as somebody uses it who measures a change: it runs, what it counts is there, and what it wrote can be read, drawn and
//! judged. How fast anything was decides nothing here.

use crate::harness::{Project, ROSTER, shared, sql};
use crate::kafka::shared_broker;
use crate::legacy::shared_store;
use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};
use tokio::process::Command;

async fn bench(words: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(ROSTER);
    command.arg("bench").args(words.split(' '));
    command.envs(environment.iter().copied());
    command.stdin(Stdio::null()).output().await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn measured(words: &str, json: &Path, environment: &[(&str, &str)]) -> Value {
    let words = format!("{words} --json {}", json.display());
    let output = bench(&words, environment).await;
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap()
}

fn line<'a>(results: &'a Value, name: &str) -> &'a Value {
    let lines = results["lines"].as_array().unwrap();
    let named = lines.iter().find(|line| line["name"] == name);
    named.unwrap_or_else(|| panic!("no line {name}: {results}"))
}

fn figure(results: &Value, name: &str) -> f64 {
    let figures = results["figures"].as_array().unwrap();
    let named = figures.iter().find(|figure| figure["name"] == name);
    number(&named.unwrap_or_else(|| panic!("no figure {name}: {results}"))["value"])
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[tokio::test]
async fn a_run_counts_compares_and_draws() {
    let folder = tempfile::tempdir().unwrap();
    let (json, html) = (
        folder.path().join("run.json"),
        folder.path().join("run.html"),
    );
    let words = format!(
        "mixed --seconds 1 --rounds 1 --people 2000 --stored 100 --connections 4 --batch-connections 2 --idle 50 --stretch 2 --rate 50% --html {}",
        html.display()
    );
    // Longer than the run takes anywhere, so that no idle connection is closed meanwhile.
    let patient = [("ROSTER__SERVER__KEEP_ALIVE_SECONDS", "3600")];
    let results = measured(&words, &json, &patient).await;
    for name in [
        "raw-events-2",
        "raw-events-4",
        "raw-identify",
        "raw-profiles",
        "mixed",
    ] {
        let line = line(&results, name);
        assert!(number(&line["items"]) > 0.0, "{line}");
        assert!(number(&line["ratio"]) > 0.0, "{line}");
    }
    // An event that a statement stores is a row of a table and entries of its indexes.
    let cost = &line(&results, "raw-events-4")["cost"];
    assert!(number(&cost["statements"]) > 0.0, "{cost}");
    assert!(number(&cost["wal_bytes"]) > 300.0, "{cost}");
    let rows = number(&cost["rows_written"]);
    assert!((0.5..3.0).contains(&rows), "{rows} rows of an event");
    assert!(number(&cost["index_entries"]) > rows, "{cost}");
    assert_eq!(cost["parts"][0]["statement"], "insert_events");
    let open = line(&results, "mixed-open");
    assert_eq!(open["seconds"].as_array().unwrap().len(), 2, "{open}");
    // Of a service that never kept up nothing is known of the sender's lateness.
    let late = open.get("late_p99_ms").expect("told of an open loop");
    assert!(late.is_null() || number(late) >= 0.0, "{open}");
    assert!(figure(&results, "events-stored") > 100.0);
    assert!((figure(&results, "idle-answered") - 50.0).abs() < 0.5);
    assert!(std::fs::read_to_string(&html).unwrap().contains("<svg"));
    judged(&json).await;
}

/// The same numbers are no worse than themselves, and reach what they reach.
async fn judged(json: &Path) {
    let file = json.display();
    let good = bench(
        &format!("report {file} --compare {file} --bar mixed=0.0001 --bar mixed-open.p99=..60000"),
        &[],
    )
    .await;
    assert!(good.status.success(), "{}", said(&good));
    assert!(said(&good).contains("| /v1/batch, 100 mixed |"));
    let bad = bench(&format!("report {file} --bar mixed=1000 --bar x=1"), &[]).await;
    assert!(!bad.status.success());
    let told = said(&bad);
    assert!(
        told.contains("less than 1000") && told.contains("x was not measured"),
        "{told}"
    );
}

#[tokio::test]
async fn a_service_that_runs_somewhere_is_measured_by_its_address_and_a_key() {
    let project = Project::fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let words = format!(
        "raw batch iterable --against {} --seconds 1 --rounds 1 --people 1000 --connections 2 --batch-connections 2 --stretch 1 --rate ramp:100..500",
        project.url
    );
    let key = [("ROSTER_KEY", &*project.server_key)];
    let results = measured(&words, &folder.path().join("run.json"), &key).await;
    let batch = line(&results, "batch");
    assert!(
        batch["ratio"].is_null() && batch["cost"].is_null(),
        "{batch}"
    );
    let notes = results["notes"].to_string();
    assert!(
        notes.contains("raw was left out") && notes.contains("not counted"),
        "{notes}"
    );
    assert!(number(&line(&results, "bulk-update")["items"]) >= 100.0);
    // Everybody was introduced by an identify; updates of users store no events.
    let count = format!(
        "SELECT count(*) FROM event WHERE project_id = {}",
        project.id
    );
    let events = sql(&shared().await.database_url, &count).await;
    let events: f64 = events[0].parse().unwrap();
    let acknowledged = number(&batch["items"]) + number(&line(&results, "batch-open")["items"]);
    assert!(
        (events - acknowledged - 1_000.0).abs() < 0.5,
        "{events} of {acknowledged}"
    );
}

#[tokio::test]
async fn profile_reads_are_measured_at_every_source_and_compared() {
    let store = shared_store().await;
    let folder = tempfile::tempdir().unwrap();
    let words = format!(
        "reads --legacy {} --seconds 1 --rounds 1 --stretch 2 --people 1000 --batch-connections 4",
        store.url
    );
    let results = measured(&words, &folder.path().join("run.json"), &[]).await;
    for name in [
        "reads-still",
        "reads-moving",
        "reads-at-legacy",
        "reads-at-compare",
    ] {
        assert!(number(&line(&results, name)["ratio"]) > 0.0, "{name}");
        let open = line(&results, &format!("{name}-open"));
        assert!(
            number(&open["items"]) > 0.0 && number(&open["p99_ms"]) > 0.0,
            "{open}"
        );
    }
    let figure = |name| figure(&results, name);
    assert!(figure("reads-compare") > 0.0);
    // Each was compared, left out, or answered by Roster alone.
    let asked = number(&line(&results, "reads-at-compare")["items"]);
    let told = ["reads-compared", "reads-left-out", "reads-fallen-back"].map(figure);
    assert!(told.iter().sum::<f64>() > asked, "{told:?} of {asked}");
    let (_, indices) = store.ask(reqwest::Method::GET, "bench-*", None).await;
    assert_eq!(indices, serde_json::json!({}), "its index is gone");
}

/// Half a minute of warm-ups, and a broker: by hand, `cargo test … --test it bench:: -- --ignored`.
#[tokio::test]
#[ignore = "takes two minutes"]
async fn a_backfill_is_measured_to_the_end_of_its_topic() {
    let broker = shared_broker().await;
    let folder = tempfile::tempdir().unwrap();
    let words = format!(
        "backfill --brokers {} --records 100000 --seconds 1 --rounds 1 --people 2000 --connections 4 --live-seconds 2 --live-turns 1",
        broker.address
    );
    let results = measured(&words, &folder.path().join("run.json"), &[]).await;
    for name in [
        "topic-read",
        "topic-mapped",
        "backfill-new",
        "backfill-known",
        "backfill-live-alone",
        "backfill-live-beside",
        "backfill-rest",
    ] {
        assert!(number(&line(&results, name)["items"]) > 0.0, "{name}");
    }
    let stored = results["figures"].as_array().unwrap().iter();
    let stored = stored.filter(|figure| figure["name"] == "backfill-stored");
    let stored: f64 = stored.map(|figure| number(&figure["value"])).sum();
    assert!((stored - 100_000.0).abs() < 0.5, "{stored}");
}

/// Numbers in the page are those of the file that stands beside it, and no such file is left out.
#[tokio::test]
async fn the_page_says_what_its_files_say() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = std::fs::read_to_string(docs.join("benchmarks.md")).unwrap();
    let entries = std::fs::read_dir(&docs).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let saved: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    assert_eq!(page.matches("\n<!-- numbers of ").count(), saved.len());
    for name in saved {
        let output = bench(&format!("report {}", docs.join(&name).display()), &[]).await;
        assert!(output.status.success(), "{}", said(&output));
        let section = String::from_utf8(output.stdout).unwrap();
        let marked = format!("<!-- numbers of {name} -->\n{section}<!-- end -->");
        assert!(
            page.contains(&marked),
            "write it again: roster bench report docs/{name} --into docs/benchmarks.md"
        );
    }
}
