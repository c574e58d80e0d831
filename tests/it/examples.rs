//! The examples of the pages, run as they are printed: `curl` lines with their answers, and the worked examples of the data model.

use crate::harness::Project;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::process::Command;

const PAGES: &[&str] = &[
    "README.md",
    "docs/API.md",
    "docs/IMPORTS.md",
    "docs/PRIVACY.md",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_gives_the_answer_that_is_printed() {
    for page in PAGES {
        let text =
            std::fs::read_to_string(format!("{}/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let project = Project::fresh().await;
        let adapted = |text: &str| {
            let address = project.url.trim_start_matches("http://");
            text.replace("127.0.0.1:8080", address)
                .replace("dev-write-key", &project.write_key)
                .replace("dev-server-key", &project.server_key)
        };
        let examples = examples(&text);
        assert!(examples.len() >= 3, "{page} lost its examples");
        for (command, expected) in examples {
            let output = Command::new("bash")
                .args(["-c", &adapted(command)])
                .output()
                .unwrap();
            let answer = String::from_utf8(output.stdout).unwrap();
            let expected = adapted(expected);
            assert!(
                matches(answer.trim(), expected.trim()),
                "{page}:\n{command}\nanswers\n{answer}\nnot\n{expected}"
            );
        }
    }
}

/// Pairs of a shell block with `curl` and the JSON block right behind it.
fn examples(page: &str) -> Vec<(&str, &str)> {
    let blocks: Vec<&str> = page.split("```").collect();
    let is_pair = |at: &usize| {
        blocks[*at].starts_with("sh\ncurl")
            && blocks[at + 1] == "\n"
            && blocks[at + 2].starts_with("json\n")
    };
    let pair = |at: usize| {
        (
            &blocks[at]["sh\n".len()..],
            &blocks[at + 2]["json\n".len()..],
        )
    };
    (1..blocks.len().saturating_sub(2))
        .step_by(2)
        .filter(is_pair)
        .map(pair)
        .collect()
}

/// A worked example of DATA_MODEL.md: calls and erasures line by line, and what is read afterwards under one or more references.
struct Worked<'a> {
    lines: Vec<&'a str>,
    is_in_any_order: bool,
    expected: Vec<(&'a str, Value)>,
}

#[tokio::test]
async fn every_worked_example_of_the_data_model_holds() {
    let page = format!("{}/docs/DATA_MODEL.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(page).unwrap();
    let examples = worked(&text);
    assert!(examples.len() >= 5, "the page lost its examples");
    for example in &examples {
        let mut lines = example.lines.clone();
        example.hold(&lines).await;
        if example.is_in_any_order {
            lines.reverse();
            example.hold(&lines).await;
            lines.rotate_left(1);
            example.hold(&lines).await;
        }
    }
}

/// A block of `jsonl` begins an example; each `json` block behind it belongs to the last reference in the text before.
fn worked(page: &str) -> Vec<Worked<'_>> {
    let blocks: Vec<&str> = page.split("```").collect();
    let mut examples: Vec<Worked> = Vec::new();
    for at in (1..blocks.len()).step_by(2) {
        let (language, body) = blocks[at].split_once('\n').unwrap();
        let reference = blocks[at - 1].rsplit('`').nth(1).unwrap_or_default();
        match (language, examples.last_mut()) {
            ("jsonl" | "jsonl in any order", _) => examples.push(Worked {
                lines: body.lines().collect(),
                is_in_any_order: language != "jsonl",
                expected: Vec::new(),
            }),
            ("json", Some(example)) => {
                example
                    .expected
                    .push((reference, serde_json::from_str(body).unwrap()));
            }
            _ => {}
        }
    }
    examples
}

impl Worked<'_> {
    async fn hold(&self, lines: &[&str]) {
        let project = Project::fresh().await;
        let mut statuses = Vec::new();
        for line in lines {
            statuses.push(step(&project, line).await);
        }
        for (reference, expected) in &self.expected {
            let found = match *reference {
                "statuses" => json!({"statuses": statuses}),
                path if path.starts_with('/') => project.read(path).await,
                person => shown(project.get(&format!("/v1/profiles/{person}")).await),
            };
            assert!(
                holds(expected, &found),
                "{lines:#?}\n{reference}: {found:#}\nis not {expected:#}"
            );
        }
    }
}

/// Sends a call, or erases: what became of it.
async fn step(project: &Project, line: &str) -> Value {
    if let Some(reference) = line.strip_prefix("DELETE ") {
        let url = format!("{}/v1/profiles/{reference}", project.url);
        let request = project.client.delete(url).bearer_auth(&project.server_key);
        assert!(request.send().await.unwrap().status().is_success());
        return json!("erased for now");
    }
    let call: Value = serde_json::from_str(line).unwrap();
    let result = project.results(&[call]).await[0].clone();
    if result["code"].is_null() {
        result["status"].clone()
    } else {
        result["code"].clone()
    }
}

/// A profile with its names as references; `null` where there is none.
fn shown((status, mut profile): (StatusCode, Value)) -> Value {
    if status == StatusCode::NOT_FOUND {
        return Value::Null;
    }
    let names = profile["identities"].as_array().unwrap().iter();
    let name = |known: &Value| {
        json!(format!(
            "{}:{}",
            known["kind"].as_str().unwrap(),
            known["value"].as_str().unwrap()
        ))
    };
    profile["identities"] = names.map(name).collect();
    profile
}

/// True where all that is expected is there; lists have to be as long.
fn holds(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|found| holds(value, found))),
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .zip(found)
                    .all(|(left, right)| holds(left, right))
        }
        _ => expected == found,
    }
}

/// True where the answer is what is printed; JSON is compared by value, line by line, since the order of keys is the database's.
/// `…` in a text stands for anything.
fn matches(answer: &str, printed: &str) -> bool {
    let values = |text: &str| -> Result<Vec<Value>, _> {
        text.lines().map(serde_json::from_str::<Value>).collect()
    };
    match (values(answer), values(printed)) {
        (Ok(answer), Ok(printed)) => is_printed(&json!(answer), &json!(printed)),
        _ => matches_text(answer, printed),
    }
}

fn is_printed(answer: &Value, printed: &Value) -> bool {
    match (answer, printed) {
        (Value::Object(answer), Value::Object(printed)) => {
            answer.len() == printed.len()
                && printed.iter().all(|(key, value)| {
                    let found = answer.get(key);
                    found.is_some_and(|found| is_printed(found, value))
                })
        }
        (Value::Array(answer), Value::Array(printed)) => {
            answer.len() == printed.len()
                && answer
                    .iter()
                    .zip(printed)
                    .all(|(answer, printed)| is_printed(answer, printed))
        }
        (Value::String(answer), Value::String(printed)) => matches_text(answer, printed),
        _ => answer == printed || *printed == "…",
    }
}

fn matches_text(answer: &str, printed: &str) -> bool {
    let mut parts = printed.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = answer.strip_prefix(first) else {
        return false;
    };
    let mut ends = rest.is_empty();
    for part in parts {
        let found = if part.is_empty() {
            Some(rest.len())
        } else {
            rest.find(part)
        };
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
        ends = rest.is_empty();
    }
    ends
}

#[test]
fn the_comparison_can_fail() {
    assert!(matches("{\"id\":\"7\",\"a\":1}", "{\"id\":\"…\",\"a\":1}"));
    assert!(!matches("{\"id\":\"7\",\"a\":2}", "{\"id\":\"…\",\"a\":1}"));
    assert!(!matches("{\"id\":\"7\"}x", "{\"id\":\"…\"}"));
    assert!(!matches("{}", "{\"id\":\"…\"}"));
    assert!(matches("{\"b\":[2],\"a\":1}", "{\"a\": 1, \"b\": [2]}"));
    assert!(!matches("{\"a\":1,\"b\":2}", "{\"a\":1}"));
    assert!(holds(&json!({"a": [1]}), &json!({"a": [1], "b": 2})));
    assert!(!holds(&json!({"a": [1]}), &json!({"a": [1, 2]})));
}
