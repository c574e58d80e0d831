//! `roster backfill check`: what a topic or a file would come to, said before anything is written.

use super::PATIENCE;
use crate::harness::{ROSTER, public_dir};
use crate::kafka::{Sent, shared_broker};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

const MAPPING: &str = "[identities]\nuser_id = \"/id\"\n[time]\nat = \"/changed\"\nformat = \"epoch_ms\"\n[traits.types]\nage = \"integer\"\n";

/// `roster backfill check …`, on a machine without any database.
fn check(arguments: &[&str]) -> Output {
    let mut command = Command::new(ROSTER);
    command.args(["--database-url", "postgres://nobody@127.0.0.1:1/none"]);
    command.args(["backfill", "check"]).args(arguments);
    command.stdin(Stdio::null()).output().expect("runs")
}

fn report(arguments: &[&str]) -> Value {
    let output = check(&[arguments, &["--json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The one line of a check that can't be made.
fn complaint(arguments: &[&str]) -> String {
    let output = check(arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8(output.stderr).expect("text");
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 1, "{error}");
    lines[0].to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn written(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).expect("written");
    path
}

/// 400 people over four partitions, each named twice, with a few records that are no people.
fn records() -> Vec<Sent> {
    let person = |number: i64| {
        let changed = 1_700_000_000_000_i64 + number;
        let row = json!({"id": number % 400 + 1, "changed": changed, "age": number.to_string(), "plan": "pro"});
        Sent {
            key: (number % 2 == 0).then(|| number.to_string().into_bytes()),
            value: Some(row.to_string().into_bytes()),
            partition: Some((number % 4) as i32),
            ..Sent::default()
        }
    };
    let odd = |text: &str| Sent {
        value: Some(text.as_bytes().to_vec()),
        partition: Some(0),
        ..Sent::default()
    };
    let nobody = [odd("{\"plan\":\"free\"}"), odd("{no JSON")];
    let people = (0..800).map(person);
    let deleted = Sent {
        key: Some(b"7".to_vec()),
        partition: Some(1),
        ..Sent::default()
    };
    people.chain(nobody).chain([deleted]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_surveyed_evenly_and_nothing_of_it_is_taken() {
    let broker = shared_broker().await;
    let topic = format!("people-{}", Uuid::new_v4().simple());
    broker.create_topic(&topic, 4, &[]).await;
    broker.produce(&topic, &records()).await;
    let folder = public_dir("check");
    let mapping = written(&folder, "people.toml", MAPPING);
    let of_topic = ["--topic", &topic, "--brokers", &broker.address];
    let by_mapping = [&of_topic[..], &["--mapping", text(&mapping)]].concat();

    let whole = report(&by_mapping);
    assert_eq!(whole["records"], 803, "{whole}");
    assert_eq!(whole["commands"]["upsert"], 800);
    assert_eq!(whole["control"]["tombstone"], 1);
    assert_eq!(whole["rejections"]["missing_identity"]["count"], 1);
    let not_json = whole["rejections"]["not_json"]["place"].as_str();
    assert!(not_json.is_some_and(|place| place.contains(&format!("{topic} partition 0"))));
    assert_eq!(whole["fields"]["by_name"]["age"]["types"]["number"], 800);
    let changed = &whole["times"]["by_name"]["/changed"];
    assert_eq!(changed["earliest"], "2023-11-14T22:13:20.000Z");
    assert_eq!(changed["latest"], "2023-11-14T22:13:20.799Z");
    assert_eq!(whole["without_key"], 402);
    assert_eq!(whole["whole"]["records"], 803);
    assert_eq!(whole["whole"]["profiles_at_most"], 800);

    let part = report(&[&by_mapping[..], &["--sample", "40"]].concat());
    assert_eq!(part["records"], 40, "{part}");
    assert_eq!(part["whole"]["records"], 803);
    let latest = part["times"]["by_name"]["/changed"]["latest"].as_str();
    assert!(latest >= Some("2023-11-14T22:13:20.790Z"), "{part}");
    let earliest = part["times"]["by_name"]["/changed"]["earliest"].as_str();
    assert!(earliest <= Some("2023-11-14T22:13:20.004Z"), "{part}");
    let few = report(&[&by_mapping[..], &["--sample", "2"]].concat());
    assert_eq!(few["records"], 2, "less than there are partitions: {few}");
    assert_eq!(groups(&broker.address), Vec::<String>::new());
}

/// The groups of checks that the broker remembers.
fn groups(address: &str) -> Vec<String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let all = consumer.fetch_group_list(None, Duration::from_secs(10));
    let all = all.expect("asked");
    let names = all.groups().iter().map(|group| group.name().to_owned());
    names.filter(|name| name.contains("check")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_or_a_broker_that_is_not_there_is_one_line_and_no_new_topic() {
    let broker = shared_broker().await;
    let topic = format!("nobody-{}", Uuid::new_v4().simple());
    let of_topic = ["--topic", &topic, "--brokers", &broker.address];
    let line = complaint(&of_topic);
    assert!(line.contains(&topic), "{line}");
    assert!(broker.ends(&topic).is_empty(), "it was made");
    let begun = Instant::now();
    let line = complaint(&["--topic", &topic, "--brokers", "127.0.0.1:1"]);
    assert!(line.contains("no broker answers at 127.0.0.1:1"), "{line}");
    assert!(begun.elapsed() < PATIENCE);
    let line = complaint(&[&of_topic[..], &["--kafka", "no.such.thing=1"]].concat());
    assert!(line.contains("no.such.thing"), "{line}");
}

#[test]
fn a_typo_in_a_mapping_shows_itself_in_a_file_of_lines() {
    let folder = public_dir("check");
    let rows = (1..=50).map(|id| json!({"id": id, "changed": 1_700_000_000_000_i64, "age": "4"}));
    let rows: Vec<String> = rows.map(|row| row.to_string()).collect();
    let people = written(&folder, "people.jsonl", &rows.join("\n"));
    let right = written(&folder, "right.toml", MAPPING);
    let seen = report(&["--mapping", text(&right), text(&people)]);
    assert_eq!(seen["commands"]["upsert"], 50);
    assert_eq!(seen["never_met"], json!({}));
    assert_eq!(
        (&seen["without_time"], &seen["without_key"]),
        (&json!(0), &Value::Null)
    );

    // A place that no record has: nothing is refused, and it says so all the same.
    let typo = MAPPING
        .replace("/changed", "/chagned")
        .replace("age =", "agge =");
    let typo = written(&folder, "typo.toml", &typo);
    let seen = report(&["--mapping", text(&typo), text(&people)]);
    assert_eq!(seen["without_time"], 50);
    let unmet = json!({"[time] at": "/chagned", "[traits.types] /agge": "/agge"});
    assert_eq!(seen["never_met"], unmet);
    let shown = check(&["--mapping", text(&typo), text(&people)]);
    let shown = String::from_utf8(shown.stdout).expect("text");
    assert!(
        shown.contains("in no record: [time] at, looked for at /chagned"),
        "{shown}"
    );
    assert!(shown.contains("without a time: 50"), "{shown}");

    // The name of a person that no record has: each is refused, with the place of the first.
    let nobody = MAPPING.replace("\"/id\"", "\"/ID\"");
    let nobody = written(&folder, "nobody.toml", &nobody);
    let seen = report(&["--mapping", text(&nobody), text(&people)]);
    let refused = &seen["rejections"]["missing_identity"];
    assert_eq!(refused["count"], 50);
    assert_eq!(refused["place"], format!("{}:1", people.display()));
    assert_eq!(seen["without_identity"], 50);

    // A key that there is not: nothing is read.
    let wrong = MAPPING.replace("[time]", "[tmie]");
    let wrong = written(&folder, "wrong.toml", &wrong);
    let line = complaint(&["--mapping", text(&wrong), text(&people)]);
    assert!(
        line.contains("wrong.toml") && line.contains("tmie"),
        "{line}"
    );
}

#[test]
fn a_file_that_is_not_there_is_one_line() {
    let line = complaint(&["/no/such/people.jsonl"]);
    assert!(line.contains("/no/such/people.jsonl"), "{line}");
    let line = complaint(&["--mapping", "/no/such.toml", "/no/such/people.jsonl"]);
    assert!(line.contains("/no/such.toml"), "{line}");
    assert!(complaint(&[]).contains("name a topic"));
}
