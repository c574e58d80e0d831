//! Legacy profiles through a real broker: what is taken, what is refused, what survives which fault.

mod calls;
mod check;
mod demo;
mod erased;
mod faults;
mod guarded;
mod letters;
mod memory;
mod model;
mod operation;
mod pages;
mod published;
mod roads;

use crate::harness::{Project, ROSTER, Service, public_dir, shared, wait_until};
use crate::kafka::{Broker, Sent, shared_broker};
use crate::machine::metric;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(90);

/// A topic with a source of its own, of a fresh project.
struct Road<'a> {
    broker: &'a Broker,
    project: Project,
    topic: String,
    settings: PathBuf,
    database_url: String,
}

/// Lines of a settings file: of the backfill, of the source, of Kafka.
#[derive(Default)]
struct Settings<'a> {
    more: &'a str,
    of_source: &'a str,
    properties: &'a str,
    /// Where the service finds the brokers; the test's own address of them where it is none.
    address: Option<&'a str>,
}

impl<'a> Road<'a> {
    async fn on(broker: &'a Broker, partitions: i32, more: &str) -> Self {
        Self::with(
            broker,
            partitions,
            more,
            "",
            "\"session.timeout.ms\" = \"6000\"",
        )
        .await
    }

    /// `more` of the backfill, of the source, and of Kafka's properties.
    async fn with(
        broker: &'a Broker,
        partitions: i32,
        more: &str,
        of_source: &str,
        properties: &str,
    ) -> Self {
        let settings = Settings {
            more,
            of_source,
            properties,
            address: None,
        };
        let database_url = shared().await.database_url.clone();
        Self::of(
            broker,
            partitions,
            settings,
            Project::fresh().await,
            database_url,
        )
        .await
    }

    /// For a project that may be in another database than the shared one.
    async fn of(
        broker: &'a Broker,
        partitions: i32,
        texts: Settings<'_>,
        project: Project,
        database_url: String,
    ) -> Self {
        let topic = format!("people-{}", Uuid::new_v4().simple());
        broker.create_topic(&topic, partitions, &[]).await;
        let settings = public_dir("backfill").join("roster.toml");
        let text = format!(
            "[backfill]\n{}\n[backfill.kafka]\n\"bootstrap.servers\" = \"{}\"\n{}\n\
             [[backfill.sources]]\nname = \"{topic}\"\ntopic = \"{topic}\"\nproject = \"{}\"\ndead_letter_topic = \"{topic}-dead\"\n{}\n",
            texts.more,
            texts.address.unwrap_or(&broker.address),
            texts.properties,
            project.name,
            texts.of_source
        );
        fs::write(&settings, text).expect("written");
        Self {
            broker,
            project,
            topic,
            settings,
            database_url,
        }
    }

    async fn fresh(partitions: i32) -> Road<'static> {
        Road::on(shared_broker().await, partitions, "").await
    }

    /// A node that takes the topic in.
    async fn node(&self, environment: &[(&str, &str)]) -> Service {
        let settings = self.settings.to_str().expect("text");
        let all = [
            ("ROSTER__DATABASE__URL", self.database_url.as_str()),
            ("ROSTER__DATABASE__POOL_SIZE", "8"),
            ("ROSTER__INGEST__PARALLEL_FLUSHES", "2"),
        ];
        let all = [&all[..], environment].concat();
        Service::start_by(ROSTER, &["--config", settings], &all).await
    }

    async fn send(&self, records: &[Sent]) {
        self.broker.produce(&self.topic, records).await;
    }

    async fn status(&self) -> Value {
        let all = self.command(&["status", "--json"]);
        let all: Vec<Value> = serde_json::from_str(&all).expect("JSON");
        let own = all.into_iter().find(|one| one["source"] == self.topic);
        own.unwrap_or(Value::Null)
    }

    /// `roster backfill …` on the same database.
    fn command(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(ROSTER);
        command.arg("--config").arg(&self.settings);
        command
            .args(["--database-url", &self.database_url, "backfill"])
            .args(arguments);
        let output = command.output().expect("runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The offsets that are passed.
    async fn passed(&self) -> i64 {
        let status = self.status().await;
        let partitions = status["partitions"].as_array().cloned().unwrap_or_default();
        let passed = partitions.iter().filter_map(|one| one["position"].as_i64());
        passed.sum()
    }

    /// Waits until more than so many offsets are passed.
    async fn goes_beyond(&self, passed: i64) {
        let what = format!("more than {passed} records are passed");
        wait_until(&what, PATIENCE, async || self.passed().await > passed).await;
    }

    /// The same as `arrived` of a topic in which every offset has a record: none may be taken for a gap.
    async fn arrived_whole(&self) {
        let status = self.arrived().await;
        for one in status["partitions"].as_array().expect("a list") {
            assert_eq!(one["gaps"], 0, "{one}");
        }
    }

    /// Waits until every offset of the topic is passed, and holds the counts against the offsets.
    async fn arrived(&self) -> Value {
        self.arrived_after(PATIENCE).await
    }

    async fn arrived_after(&self, patience: Duration) -> Value {
        let ends: i64 = self.broker.ends(&self.topic).iter().sum();
        let all = async || self.passed().await == ends;
        wait_until("all records are passed", patience, all).await;
        let status = self.status().await;
        for one in status["partitions"].as_array().expect("a list") {
            let number = |name: &str| one[name].as_i64().unwrap_or(0);
            let passed = number("position") - number("began_at");
            let counted = ["stored", "unchanged", "rejected", "control", "gaps"];
            let counted: i64 = counted.iter().map(|name| number(name)).sum();
            assert_eq!(passed, counted, "{one}");
        }
        status
    }

    /// Waits until people have the traits that they must have. A deletion beside a write that had begun before is done again by a
    /// sweep some seconds later.
    async fn ends_as(&self, people: usize, expected: &[Value]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = traits_of(&self.project, people).await;
            if found == expected {
                return;
            }
            let wrong = found.iter().zip(expected).enumerate();
            let wrong: Vec<_> = wrong
                .filter(|(_, (found, wanted))| found != wanted)
                .collect();
            assert!(Instant::now() < deadline, "{wrong:#?}");
        }
    }

    async fn refusals(&self) -> Vec<Value> {
        let mut page = self
            .project
            .read("/v1/backfill/rejections?limit=1000")
            .await;
        serde_json::from_value(page["rejections"].take()).expect("a list")
    }
}

/// Waits until a node has been given partitions.
async fn takes_part(node: &Service) {
    wait_until("it is given partitions", PATIENCE, async || {
        metric(&node.url, "roster_backfill_rebalances_total").await > 0.0
    })
    .await;
}

fn upsert(person: &str, at: &str, traits: Value) -> Sent {
    let record = json!({
        "roster": 1, "type": "upsert", "identities": {"user_id": person}, "updated_at": at, "traits": traits,
    });
    Sent::of(person, &record)
}

fn deletion(person: &str, at: &str) -> Sent {
    let record = json!({
        "roster": 1, "type": "delete", "identities": {"user_id": person}, "deleted_at": at,
    });
    Sent::of(person, &record)
}

#[tokio::test(flavor = "multi_thread")]
async fn backfill_a_topic_of_people_ends_in_the_tables() {
    let road = Road::fresh(3).await;
    let live = json!({"type": "identify", "userId": "ada", "timestamp": "2024-01-01T00:00:00Z", "traits": {"plan": "pro"}});
    road.project.send("/v1/identify", &live).await;
    road.send(&[
        upsert(
            "ada",
            "2023-01-01T00:00:00Z",
            json!({"plan": "free", "city": "Ulm"}),
        ),
        upsert("bob", "2023-01-01T00:00:00Z", json!({"plan": "free"})),
        upsert("bob", "2023-01-01T00:00:00Z", json!({"plan": "free"})),
        Sent {
            value: Some(b"{no json".to_vec()),
            ..Sent::default()
        },
        Sent {
            key: Some(b"bob".to_vec()),
            ..Sent::default()
        },
    ])
    .await;
    let _node = road.node(&[]).await;
    let status = road.arrived().await;
    let counted = |name: &str| status[name].as_i64().expect("a number");
    assert_eq!(
        (counted("stored"), counted("unchanged"), counted("rejected")),
        (2, 1, 1)
    );
    let ada = road.project.profile("user_id:ada").await;
    assert_eq!(
        ada["traits"],
        json!({"plan": "pro", "city": "Ulm"}),
        "newer live data stays"
    );
    assert_eq!(
        road.project.timeline("user_id:bob").await.len(),
        0,
        "a record is no event"
    );
    let refusals = road.refusals().await;
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0]["record"], "{no json");
    let (status, _) = road.project.get("/v1/backfill").await;
    assert_eq!(status, StatusCode::OK);
}

/// What the database has of a person, without what differs from run to run.
async fn traits_of(project: &Project, people: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for person in 0..people {
        let (status, body) = project
            .get(&format!("/v1/profiles/user_id:p{person}"))
            .await;
        all.push(if status == StatusCode::OK {
            body["traits"].clone()
        } else {
            Value::Null
        });
    }
    all
}

/// `versions` records of each of so many people, shuffled, every one `copies` times, with some poison; what must come of them.
fn history(people: usize, versions: usize, copies: usize) -> (Vec<Sent>, Vec<Value>) {
    let mut records = Vec::new();
    for person in 0..people {
        for version in 0..versions {
            let at = format!("2023-01-01T00:{version:02}:00Z");
            let traits = json!({"version": version, format!("only_{version}"): person});
            records.extend(vec![upsert(&format!("p{person}"), &at, traits); copies]);
        }
        if person % 10 == 9 {
            records.extend(vec![
                deletion(&format!("p{person}"), "2023-06-01T00:00:00Z");
                copies
            ]);
        }
    }
    // A walk through all of them with a step that shares no factor with their number: the same on every run.
    let (count, mut shuffled, mut place) = (records.len(), Vec::new(), 0);
    let step = (count * 7 / 11..)
        .find(|step| gcd(*step, count) == 1)
        .expect("one");
    for _ in 0..count {
        shuffled.push(records[place].clone());
        place = (place + step) % count;
    }
    let expected = (0..people).map(|person| {
        if person % 10 == 9 {
            return Value::Null;
        }
        let mut traits = json!({"version": versions - 1});
        for version in 0..versions {
            traits[format!("only_{version}")] = json!(person);
        }
        traits
    });
    (shuffled, expected.collect())
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Marks of transactions and aborted records are gaps: the counts say so, and the end is reached.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_of_transactions_takes_what_was_committed_and_reaches_the_end() {
    let road = Road::fresh(1).await;
    let some = |from: usize| -> Vec<Sent> {
        let people = from..from + 100;
        people
            .map(|person| {
                upsert(
                    &format!("p{person}"),
                    "2023-01-01T00:00:00Z",
                    json!({"n": person}),
                )
            })
            .collect()
    };
    road.broker
        .produce_at_once(&road.topic, &some(0), true)
        .await;
    road.broker
        .produce_at_once(&road.topic, &some(100), false)
        .await;
    road.broker
        .produce_at_once(&road.topic, &some(200), true)
        .await;
    let _node = road.node(&[]).await;
    let status = road.arrived().await;
    assert_eq!(status["stored"], 200);
    assert_eq!(status["partitions"][0]["gaps"], 103);
    assert_eq!(status["lag"], 0);
}
