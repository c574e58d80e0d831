//! What operators are given to watch with: alarms that ring, each with a page that helps, and questions about metrics that there are.

use crate::harness::{Project, ROSTER, fetch};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const RULES: &str = include_str!("../../deploy/prometheus/rules.yml");
const ALARMS: &str = include_str!("../../docs/ALARMS.md");
const API: &str = include_str!("../../docs/API.md");
const PAGES: [&str; 2] = [ALARMS, include_str!("../../docs/OPERATIONS.md")];

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The dashboards, by their names.
fn dashboards() -> Vec<(String, Value)> {
    let folder = std::fs::read_dir(at("deploy/grafana")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let board = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (
            path.file_name().unwrap().to_string_lossy().into_owned(),
            board,
        )
    };
    paths.map(read).collect()
}

/// What the panels of a dashboard ask for.
fn questions(board: &Value) -> Vec<String> {
    let panels = board["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array());
    let asked = |target: &Value| target["expr"].as_str().unwrap().to_owned();
    targets.flatten().map(asked).collect()
}

/// The metrics that a text names, without what a histogram adds to its name.
fn named(text: &str) -> BTreeSet<&str> {
    let is_end = |character: char| !character.is_alphanumeric() && character != '_';
    let names = text
        .split(is_end)
        .filter(|word| word.starts_with("roster_"));
    let bare = |name| {
        let ends = ["_bucket", "_count", "_sum"].into_iter();
        let mut bare = ends.filter_map(|end| str::strip_suffix(name, end));
        bare.find(|bare| kind(bare) == Some(roster::metric_names::Kind::Histogram))
            .unwrap_or(name)
    };
    names.map(bare).collect()
}

fn kind(name: &str) -> Option<roster::metric_names::Kind> {
    let mut all = roster::metric_names::ALL.iter();
    all.find(|metric| metric.name == name)
        .map(|metric| metric.kind)
}

#[test]
fn every_metric_that_is_asked_for_is_there() {
    let boards: Vec<String> = dashboards()
        .iter()
        .map(|(name, board)| {
            let asked = questions(board).join(" ");
            assert!(named(&asked).len() > 10, "{name} asks for little");
            asked
        })
        .collect();
    assert!(boards.len() >= 3);
    let trials = include_str!("../../deploy/prometheus/rules_test.yml");
    let texts = boards.iter().map(String::as_str);
    for text in texts.chain([RULES, trials]).chain(PAGES) {
        for name in named(text) {
            // A role of the database in the examples of grants.
            let is_known = kind(name).is_some() || name == "roster_app";
            assert!(is_known, "{name} is no metric");
        }
    }
}

#[test]
fn histograms_are_told_from_what_merely_ends_like_one() {
    let text = "rate(roster_batch_rows_sum{a=\"b\"}[1m]) + roster_no_count";
    assert_eq!(
        named(text).into_iter().collect::<Vec<_>>(),
        ["roster_batch_rows", "roster_no_count"]
    );
}

/// The names of the alarms, in their order.
fn alarms() -> Vec<&'static str> {
    let lines = RULES.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.strip_prefix("- alert: "))
        .collect()
}

#[test]
fn every_alarm_has_its_section_and_every_section_its_alarm() {
    let links = RULES.lines().map(str::trim_start);
    let links: Vec<_> = links
        .filter_map(|line| line.strip_prefix("runbook_url: docs/ALARMS.md#"))
        .collect();
    let wanted: Vec<_> = alarms().iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(links, wanted, "each alarm leads to its own section");
    let sections = ALARMS.lines().filter_map(|line| line.strip_prefix("### "));
    assert_eq!(sections.collect::<Vec<_>>(), alarms(), "in the same order");
    assert!(alarms().len() > 30);
}

#[test]
fn every_alarm_says_how_bad_it_is_and_what_about() {
    for (name, text) in alarms().into_iter().zip(RULES.split("- alert: ").skip(1)) {
        for part in ["severity: ", "summary: ", "description: ", "expr: "] {
            assert!(text.contains(part), "{name} has no {part}");
        }
    }
}

/// The texts between backquotes of a page.
fn spans(page: &str) -> impl Iterator<Item = &str> {
    page.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The verbs of a command as it is printed: what comes before names and options.
fn verbs(command: &str) -> Option<Vec<&str>> {
    let rest = command.strip_prefix("roster ")?;
    let is_verb = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase());
    Some(rest.split(' ').take_while(is_verb).collect())
}

#[test]
fn every_command_that_the_page_names_is_one() {
    let commands: BTreeSet<Vec<&str>> = spans(ALARMS).filter_map(verbs).collect();
    assert!(commands.len() > 8, "{commands:?}");
    for verbs in commands {
        let shown = Command::new(ROSTER)
            .args(&verbs)
            .arg("--help")
            .output()
            .unwrap();
        let help = String::from_utf8_lossy(&shown.stdout).into_owned();
        let usage = format!("Usage: roster {}", verbs.join(" "));
        assert!(help.contains(&usage), "{verbs:?}: {help}");
    }
}

#[test]
fn every_path_and_setting_that_the_page_names_is_one() {
    let settings: Vec<String> = roster::config::entries()
        .into_iter()
        .map(|entry| entry.key)
        .collect();
    let sections: BTreeSet<&str> = settings
        .iter()
        .filter_map(|key| key.split('.').next())
        .collect();
    let (mut paths, mut keys) = (0, 0);
    for span in spans(ALARMS) {
        if let Some(at) = span.find("/v1/") {
            paths += 1;
            let path = &span[at..];
            assert!(API.contains(path), "{path} is not in API.md");
        }
        let section = span.split_once('.').map(|(section, _)| section);
        if section.is_some_and(|section| sections.contains(section)) && !span.contains(' ') {
            keys += 1;
            let is_known = |key: &String| *key == span || key.starts_with(&format!("{span}."));
            assert!(settings.iter().any(is_known), "{span} is no setting");
        }
    }
    assert!(paths > 8 && keys > 15, "{paths} paths, {keys} settings");
}

/// Runs promtool in a folder; all that it says.
fn promtool(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let program = at(".dev/promtool/promtool");
    let run = Command::new(&program)
        .args(arguments)
        .current_dir(folder)
        .output();
    let run = run.unwrap_or_else(|error| panic!("{program:?}: {error}; scripts/setup fetches it"));
    let text = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn every_trouble_rings_its_own_alarm_and_a_service_that_is_well_none() {
    let folder = at("deploy/prometheus");
    let (holds, said) = promtool(&folder, &["check", "rules", "rules.yml"]);
    let found = format!("{} rules found", alarms().len());
    assert!(holds && said.contains(&found), "{said}");
    for trials in ["rules_test.yml", "rules_day_test.yml"] {
        let (holds, said) = promtool(&folder, &["test", "rules", trials]);
        assert!(holds && said.contains("SUCCESS"), "{said}");
    }
    let trials = ["rules_test.yml", "rules_day_test.yml"]
        .map(|name| std::fs::read_to_string(folder.join(name)).unwrap());
    for name in alarms() {
        let expected = format!("alertname=\"{name}\"}}");
        assert!(trials.concat().contains(&expected), "{name} was never rung");
    }
}

/// As if each question were a rule: promtool reads those.
#[test]
fn what_the_dashboards_ask_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let boards = dashboards();
    let asked: Vec<String> = boards
        .iter()
        .flat_map(|(_, board)| questions(board))
        .map(|question| question.replace("$node", ".*"))
        .collect();
    let check = |questions: &[String]| {
        let rules = questions.iter().enumerate();
        let rules: Vec<Value> = rules
            .map(
                |(number, question)| json!({"record": format!("asked:{number}"), "expr": question}),
            )
            .collect();
        // JSON is YAML.
        let text = json!({"groups": [{"name": "asked", "rules": rules}]}).to_string();
        std::fs::write(folder.path().join("asked.yml"), text).unwrap();
        promtool(folder.path(), &["check", "rules", "asked.yml"])
    };
    let (holds, said) = check(&asked);
    assert!(
        holds && asked.len() > 80,
        "{} questions: {said}",
        asked.len()
    );
    let (holds, said) = check(&["sum(rate(roster_ready[1m])".to_owned()]);
    assert!(!holds, "the check can fail: {said}");
}

#[test]
fn dashboards_have_names_of_their_own_and_panels_that_say_what_they_show() {
    let boards = dashboards();
    let uids: BTreeSet<&str> = boards
        .iter()
        .map(|(_, board)| board["uid"].as_str().unwrap())
        .collect();
    assert_eq!(uids.len(), boards.len());
    for (name, board) in &boards {
        let panels = board["panels"].as_array().unwrap();
        let ids: BTreeSet<u64> = panels
            .iter()
            .map(|panel| panel["id"].as_u64().unwrap())
            .collect();
        assert_eq!(ids.len(), panels.len(), "{name}");
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            let text = panel["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{name}: {} says nothing", panel["title"]);
        }
    }
}

/// The values of a metric with some label, as a service tells them.
fn told(text: &str, name: &str, label: &str) -> Vec<f64> {
    let lines = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label)
    });
    lines
        .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        .collect()
}

#[tokio::test]
async fn a_service_tells_why_batches_are_cut_and_how_long_items_wait() {
    let project = Project::fresh().await;
    let call = json!({"userId": "seen", "event": "Seen"});
    project.send("/v1/track", &call).await;
    let mut stranger = project.through(&project.url);
    stranger.write_key = "nobody's".to_owned();
    assert_eq!(stranger.post("/v1/track", &call).await.status(), 401);
    project.read("/v1/profiles/user_id:seen/events").await;
    let answer = fetch(format!("{}/metrics", project.url)).await.unwrap();
    let text = answer.text().await.unwrap();
    for (name, label) in [
        ("roster_batches_total", "began=\"idle\",cut=\"all\""),
        ("roster_batched_items_total", "class=\"live\""),
        ("roster_queue_duration_seconds_count", "class=\"live\""),
        ("roster_batch_bytes_sum", "lane="),
        ("roster_batch_rows_count", "lane="),
        ("roster_pool_wait_duration_seconds_count", ""),
        (
            "roster_read_wait_duration_seconds_count",
            "room=\"connection\"",
        ),
        ("roster_requests_refused_total", "code=\"unknown_key\""),
        (
            "roster_http_requests_total",
            "route=\"/v1/track\",status=\"401\"",
        ),
        ("roster_http_connections", ""),
    ] {
        let values = told(&text, name, label);
        assert!(
            values.iter().sum::<f64>() > 0.0,
            "{name} {label}: {values:?}"
        );
    }
    for (name, label) in [
        ("roster_imports_ended_total", "state=\"failed\""),
        ("roster_spans_total", "outcome=\"lost\""),
        ("roster_mirror_foreign_writes_total", ""),
    ] {
        assert_eq!(told(&text, name, label).len(), 1, "{name} begins at 0");
    }
}
