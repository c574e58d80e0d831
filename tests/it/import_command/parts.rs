//! A large file in parts: the same file, whatever becomes of the command in the middle.

use super::{PATIENCE, command, line, run, text, told, written};
use crate::harness::{Project, wait_until};
use serde_json::json;
use std::process::Stdio;

/// Lines of which some are bad, some blank, and some about one person without a time.
fn mixed(lines: usize) -> String {
    let text_of = |at: usize| match at % 1_000 {
        10 => "{broken\n".to_owned(),
        20 => "\n".to_owned(),
        30 => format!(
            "{}\n",
            json!({"type": "identify", "userId": "u0", "traits": {"last": at, "odd": if at.is_multiple_of(3) { "x" } else { "y" }}})
        ),
        _ => line(at),
    };
    (0..lines).map(text_of).collect()
}

#[tokio::test]
async fn a_large_file_in_parts_is_the_same_file() {
    let project = Project::fresh().await;
    let lines = 50_000;
    let each = lines / 1_000;
    let all = mixed(lines);
    assert!(all.len() > 4 << 20);
    let path = written("mixed.ndjson", &all);
    let refused = path.with_file_name("refused.csv");
    let in_parts = [
        text(&path),
        "--parallel",
        "3",
        "--part-mib",
        "1",
        "--rejections",
        text(&refused),
    ];
    let (code, jobs) = told(&run(&project, &in_parts).await);
    let total = &jobs[0];
    assert_eq!((code, jobs.len()), (Some(2), 1), "{jobs:?}");
    assert!(
        total["parts"].as_array().expect("parts").len() >= 4,
        "{total}"
    );
    assert_eq!(
        [
            &total["lines"],
            &total["blank"],
            &total["rejected"],
            &total["offset"]
        ],
        [&json!(lines), &json!(each), &json!(each), &json!(all.len())]
    );
    let listed = std::fs::read_to_string(&refused).expect("a file");
    let numbers: Vec<&str> = listed
        .lines()
        .map(|row| row.split(',').next().expect("a cell"))
        .collect();
    let expected = (0..each).map(|part| (part * 1_000 + 11).to_string());
    let expected: Vec<String> = std::iter::once("line_number".to_owned())
        .chain(expected)
        .collect();
    assert_eq!(numbers, expected);
    let last = lines - 1_000 + 30;
    let person = project.profile("user_id:u0").await;
    assert_eq!(person["traits"]["last"], last, "the later line wins");
    // As one file it adds nothing: the events have the same ids, the traits are as late.
    let (code, jobs) = told(&run(&project, &[text(&path)]).await);
    assert_eq!((code, &jobs[0]["stored"]), (Some(2), &json!(0)), "{jobs:?}");
    let [rejected, duplicate] = ["rejected", "duplicate"].map(|name| &jobs[0][name]);
    assert_eq!(
        (rejected, duplicate),
        (&json!(each), &json!(lines - 2 * each))
    );
    assert_eq!(project.count("*", "event").await, lines - 2 * each);
}

#[tokio::test]
async fn parts_that_were_cut_off_go_on_and_those_that_are_done_are_not_sent_again() {
    let project = Project::fresh().await;
    let lines = 50_000;
    let all: String = (0..lines).map(line).collect();
    let path = written("events.ndjson", &all);
    let arguments = [text(&path), "--parallel", "2", "--part-mib", "1"];
    let jobs = async || {
        let all = project.read("/v1/imports?name=events.ndjson").await;
        all["imports"].as_array().expect("a list").clone()
    };
    let mut child = command(&project, &arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let one_is_done = async || jobs().await.iter().any(|job| job["state"] == "done");
    wait_until("a part is done", PATIENCE, one_is_done).await;
    child.kill().expect("it ran");
    child.wait().expect("it ended");
    let before = jobs().await;
    let (code, totals) = told(&run(&project, &arguments).await);
    assert_eq!(code, Some(0), "{totals:?}");
    let parts = totals[0]["parts"].as_array().expect("parts").len();
    assert_eq!(jobs().await.len(), parts, "a job for each part, all along");
    assert!(before.len() < parts, "it was killed in the middle");
    let count = |name: &str| totals[0][name].as_u64().expect(name);
    assert_eq!(count("stored") + count("duplicate"), lines as u64);
    assert_eq!(project.count("*", "event").await, lines);
    // All of it once more is a file that comes again.
    let (_, again) = told(&run(&project, &arguments).await);
    assert_eq!(again[0]["duplicate"], lines, "{again:?}");
}
