//! The examples of `docs/MAPPING.md`: each mapping reads its records, and says what is printed below them.

use crate::harness::{ROSTER, public_dir};
use std::fs;
use std::process::{Command, Stdio};

/// A mapping, records, and lines of the report.
struct Example<'a> {
    mapping: &'a str,
    records: &'a str,
    lines: Vec<&'a str>,
}

/// Three blocks after each other: `toml`, `json`, `text`.
fn examples(page: &str) -> Vec<Example<'_>> {
    let blocks: Vec<(&str, &str)> = page
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .collect();
    let mut examples = Vec::new();
    for (place, (language, mapping)) in blocks.iter().enumerate() {
        if *language != "toml" {
            continue;
        }
        let [("json", records), ("text", lines)] = blocks[place + 1..place + 3] else {
            panic!("records and a report belong behind the mapping\n{mapping}");
        };
        let lines = lines.lines().collect();
        examples.push(Example {
            mapping,
            records,
            lines,
        });
    }
    examples
}

fn report(example: &Example<'_>) -> String {
    let folder = public_dir("pages");
    fs::write(folder.join("people.toml"), example.mapping).expect("written");
    fs::write(folder.join("people.jsonl"), example.records).expect("written");
    let mut command = Command::new(ROSTER);
    command.current_dir(&folder).stdin(Stdio::null());
    command.args([
        "backfill",
        "check",
        "--mapping",
        "people.toml",
        "people.jsonl",
    ]);
    let output = command.output().expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}\n{}", example.mapping);
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_example_of_the_page_of_mappings_gives_the_lines_that_are_printed() {
    let page = format!("{}/docs/MAPPING.md", env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(page).expect("a page");
    let examples = examples(&page);
    assert!(examples.len() > 10, "only {} examples", examples.len());
    let mut wrong = String::new();
    for example in examples {
        let report = report(&example);
        assert!(!example.lines.is_empty(), "{}", example.mapping);
        let missing = example.lines.iter();
        let missing = missing.filter(|line| report.lines().all(|own| own != **line));
        for line in missing {
            wrong.push_str(&format!("{line}\nis not in\n{report}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
