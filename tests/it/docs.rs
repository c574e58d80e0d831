//! The generated pages are what the code says, and dashboards ask for what there is.

use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn generated_pages_are_current() {
    for (path, text) in roster::docs::pages() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == text,
            "{path} is not what the code says: run `make docs`"
        );
    }
}

/// Every metric that a dashboard asks for, without what a histogram adds to its name.
fn asked(dashboard: &str) -> BTreeSet<String> {
    let panels: Value = serde_json::from_str(dashboard).expect("JSON");
    let panels = panels["panels"].as_array().expect("a list").clone();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let questions = targets.map(|target| target["expr"].as_str().expect("a question").to_owned());
    let is_end = |character: char| !character.is_alphanumeric() && character != '_';
    let words = |question: String| {
        let words = question.split(is_end).map(str::to_owned);
        words.collect::<Vec<_>>()
    };
    let names = questions.flat_map(words);
    let names = names.filter(|word| word.starts_with("roster_"));
    names
        .map(|name| name.trim_end_matches("_bucket").to_owned())
        .collect()
}

#[test]
fn dashboards_ask_for_metrics_that_there_are() {
    let known = roster::metric_names::ALL.iter().map(|metric| metric.name);
    let known: BTreeSet<&str> = known.collect();
    let asked = asked(include_str!("../../deploy/grafana/migration.json"));
    assert!(asked.len() > 10, "{asked:?}");
    for name in &asked {
        assert!(known.contains(name.as_str()), "{name} is no metric");
    }
}
