//! Every `curl` line of the pages that is followed by its answer, run in order against a service: pages that a reader copies from.

use crate::harness::Project;
use std::process::Command;

const PAGES: &[&str] = &["README.md", "docs/API.md", "docs/PRIVACY.md"];

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

/// True where the answer is what is printed; `…` stands for anything.
fn matches(answer: &str, printed: &str) -> bool {
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
}
