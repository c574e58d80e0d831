//! Legacy profiles through a real broker: what is taken, what is refused, what survives which fault.

use crate::harness::{Project, ROSTER, Service, public_dir, shared, sql, wait_until};
use crate::kafka::{Broker, Sent, shared_broker};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
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
        let project = Project::fresh().await;
        let topic = format!("people-{}", Uuid::new_v4().simple());
        broker.create_topic(&topic, partitions, &[]).await;
        let settings = public_dir("backfill").join("roster.toml");
        let text = format!(
            "[backfill]\n{more}\n[backfill.kafka]\n\"bootstrap.servers\" = \"{}\"\n{properties}\n\
             [[backfill.sources]]\nname = \"{topic}\"\ntopic = \"{topic}\"\nproject = \"{}\"\ndead_letter_topic = \"{topic}-dead\"\n{of_source}\n",
            broker.address, project.name
        );
        fs::write(&settings, text).expect("written");
        Self {
            broker,
            project,
            topic,
            settings,
            database_url: shared().await.database_url.clone(),
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

    /// Waits until every offset of the topic is passed, and holds the counts against the offsets.
    async fn arrived(&self) -> Value {
        let ends: i64 = self.broker.ends(&self.topic).iter().sum();
        wait_until("all records are passed", PATIENCE, async || {
            let status = self.status().await;
            let partitions = status["partitions"].as_array().cloned().unwrap_or_default();
            let passed = partitions.iter().filter_map(|one| one["position"].as_i64());
            passed.sum::<i64>() == ends
        })
        .await;
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
        let mut found = Vec::new();
        for _ in 0..60 {
            found = traits_of(&self.project, people).await;
            if found == expected {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let wrong = found.iter().zip(expected).enumerate();
        let wrong: Vec<_> = wrong
            .filter(|(_, (found, wanted))| found != wanted)
            .collect();
        panic!("{wrong:#?}");
    }

    async fn refusals(&self) -> Vec<Value> {
        let mut page = self
            .project
            .read("/v1/backfill/rejections?limit=1000")
            .await;
        serde_json::from_value(page["rejections"].take()).expect("a list")
    }
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

/// Faults F12 and F13: poison in between, everything three times and shuffled.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_three_times_and_shuffled_with_poison_ends_like_once() {
    let road = Road::fresh(4).await;
    road.broker
        .create_topic(&format!("{}-dead", road.topic), 1, &[])
        .await;
    let (mut records, expected) = history(60, 6, 3);
    let huge = format!("{{\"roster\": 1, \"junk\": \"{}\"}}", "x".repeat(10 << 20));
    for (place, poison) in ["{", "[1]", "\u{0}", &huge, "7"].into_iter().enumerate() {
        let value = Some(poison.as_bytes().to_vec());
        records.insert(
            place * 150,
            Sent {
                value,
                key: Some(b"poison".to_vec()),
                ..Sent::default()
            },
        );
    }
    records.push(Sent {
        key: Some(b"p1".to_vec()),
        ..Sent::default()
    });
    records.push(Sent {
        key: None,
        ..upsert("p1", "2022-01-01T00:00:00Z", json!({"version": -1}))
    });
    road.send(&records).await;
    let _node = road.node(&[]).await;
    road.arrived().await;
    road.ends_as(60, &expected).await;
    wait_until("dead letters follow", PATIENCE, async || {
        road.broker.ends(&format!("{}-dead", road.topic)) == [5]
    })
    .await;
    let letters = road.broker.records(&format!("{}-dead", road.topic)).await;
    let header = |letter: &Sent, name: &str| {
        let found = letter.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    for letter in &letters {
        assert_eq!(
            header(letter, "__connect.errors.topic").as_deref(),
            Some(&*road.topic)
        );
        assert!(header(letter, "__connect.errors.exception.message").is_some());
        assert!(letter.value.as_ref().expect("a value").len() <= 1_000_000);
    }
    let refusals = road.refusals().await;
    let poison = refusals.iter().filter(|one| one["code"] != "erased");
    assert_eq!(poison.count(), 5);
    assert!(
        refusals.iter().any(|one| one["code"] == "record_too_large"),
        "{refusals:?}"
    );
}

/// Faults F6, F8, F11 and kill -9: whatever dies, every record is taken, and taken twice changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_survives_its_own_death_between_commit_and_offsets() {
    let road = Road::fresh(4).await;
    let (records, expected) = history(100, 10, 1);
    road.send(&records).await;
    let slow = [
        ("ROSTER__BACKFILL__BATCH_RECORDS", "40"),
        ("ROSTER__BACKFILL__RECORDS_PER_SECOND", "600"),
    ];
    let dying = [
        &slow[..],
        &[(
            "FAILPOINTS",
            "between-commit-and-offsets=3*off->1*panic(abort)->off",
        )],
    ]
    .concat();
    for round in 0..6 {
        let node = road.node(if round % 2 == 0 { &dying } else { &slow }).await;
        tokio::time::sleep(Duration::from_millis(1_500 + 300 * round)).await;
        node.kill();
    }
    let _node = road.node(&[]).await;
    road.arrived().await;
    road.ends_as(100, &expected).await;
}

/// Fault F8: the broker dies by kill -9 and stays away for a while; requests do not notice.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_waits_for_brokers_that_are_away_while_requests_go_on() {
    let mut broker = Broker::start().await;
    let road = Road::on(&broker, 4, "records_per_second = 300").await;
    let (records, expected) = history(60, 10, 1);
    road.send(&records).await;
    let node = road.node(&[]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let Road {
        project,
        topic,
        settings,
        database_url,
        ..
    } = road;
    broker.kill();
    for number in 0..20 {
        let live = json!({"type": "track", "event": "Seen", "userId": "p1", "messageId": format!("live-{number}")});
        project.through(&node.url).send("/v1/track", &live).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    broker.start_again().await;
    let road = Road {
        broker: &broker,
        project,
        topic,
        settings,
        database_url,
    };
    road.arrived().await;
    road.ends_as(60, &expected).await;
}

/// Fault F9: consumers come and go; each partition is one member's at a time.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_is_taken_once_by_consumers_that_come_and_go() {
    let road = Road::fresh(6).await;
    let (records, expected) = history(120, 10, 1);
    road.send(&records).await;
    let slow = [
        ("ROSTER__BACKFILL__RECORDS_PER_SECOND", "80"),
        ("ROSTER__BACKFILL__BATCH_RECORDS", "30"),
    ];
    let _first = road.node(&slow).await;
    for _ in 0..3 {
        let second = road.node(&slow).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let third = road.node(&slow).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(second.terminate().await.success());
        third.kill();
    }
    let _fast = road.node(&[]).await;
    road.arrived().await;
    road.ends_as(120, &expected).await;
}

/// A typo refuses everything: the source pauses with the reason before it goes on, and resumes where it was.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_pauses_before_a_typo_refuses_a_whole_topic() {
    let road = Road::fresh(1).await;
    let bad = Sent::of(
        "x",
        &json!({"roster": 1, "type": "upsert", "identity": {"user_id": "x"}}),
    );
    road.send(&vec![bad; 300]).await;
    let _node = road.node(&[]).await;
    wait_until("it pauses", PATIENCE, async || {
        road.status().await["state"] == "paused"
    })
    .await;
    let status = road.status().await;
    let reason = status["reason"].as_str().expect("a text");
    assert!(
        reason.contains("were refused") && reason.contains("(identity)"),
        "{reason}"
    );
    assert_eq!(status["rejected"], 0, "nothing of it went anywhere");
    let ready: Value = reqwest::get(format!("{}/readyz", _node.url))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(
        ready["ready"] == true && ready["backfill"][&road.topic].is_string(),
        "{ready}"
    );
}

/// Pausing reaches every node, and going on loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_is_paused_and_resumed_on_every_node() {
    let road = Road::fresh(4).await;
    let slow = [
        ("ROSTER__BACKFILL__RECORDS_PER_SECOND", "50"),
        ("ROSTER__BACKFILL__BATCH_RECORDS", "20"),
    ];
    let (records, expected) = history(60, 10, 1);
    road.send(&records).await;
    let (_one, _two) = (road.node(&slow).await, road.node(&slow).await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    road.command(&["pause", &road.topic, "--reason", "lunch"]);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let before = road.status().await;
    assert_eq!(
        (&before["state"], &before["reason"]),
        (&json!("paused"), &json!("lunch"))
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    let positions = |status: &Value| -> Vec<Value> {
        let all = status["partitions"].as_array().expect("a list").iter();
        all.map(|one| one["position"].clone()).collect()
    };
    assert_eq!(
        positions(&road.status().await),
        positions(&before),
        "it stands still"
    );
    road.command(&["resume", &road.topic]);
    let _fast = road.node(&[]).await;
    road.arrived().await;
    road.ends_as(60, &expected).await;
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

/// A topic that was deleted and made anew is another topic, also where it has as many records.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_pauses_where_the_topic_was_made_anew() {
    let road = Road::fresh(1).await;
    let people = |name: &str, count: usize| -> Vec<Sent> {
        let all = 0..count;
        all.map(|one| {
            upsert(
                &format!("{name}{one}"),
                "2023-01-01T00:00:00Z",
                json!({"n": one}),
            )
        })
        .collect()
    };
    road.send(&people("old", 50)).await;
    let node = road.node(&[]).await;
    road.arrived().await;
    drop(node);
    road.broker.delete_topic(&road.topic).await;
    road.broker.create_topic(&road.topic, 1, &[]).await;
    road.send(&people("new", 90)).await;
    let _node = road.node(&[]).await;
    wait_until("it pauses", PATIENCE, async || {
        road.status().await["state"] == "paused"
    })
    .await;
    let reason = road.status().await["reason"]
        .as_str()
        .expect("a text")
        .to_owned();
    assert!(reason.contains("was replaced"), "{reason}");
    road.command(&["restart", &road.topic]);
    road.command(&["resume", &road.topic]);
    let status = road.arrived().await;
    assert_eq!(status["stored"], 90, "{status}");
}

/// A deletion erases what is older, whatever comes in which order, and keeps what is newer.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_deletions_erase_what_is_older_and_nothing_newer() {
    let road = Road::fresh(1).await;
    let at = |hour: u32| format!("2023-01-01T{hour:02}:00:00Z");
    let live = |person: &str, hour: u32, traits: Value| json!({"type": "identify", "userId": person, "timestamp": at(hour), "messageId": format!("{person}-{hour}"), "traits": traits});
    for (hour, traits) in [
        (1, json!({"old": 1, "both": 1})),
        (9, json!({"new": 9, "both": 9})),
    ] {
        road.project
            .send("/v1/identify", &live("stays", hour, traits))
            .await;
    }
    road.project
        .send("/v1/identify", &live("goes", 1, json!({"old": 1})))
        .await;
    road.send(&[
        upsert("comes", &at(9), json!({"new": 9})),
        deletion("comes", &at(5)),
        upsert("comes", &at(2), json!({"old": 2})),
        deletion("stays", &at(5)),
        deletion("goes", &at(5)),
        deletion("never-seen", &at(5)),
        upsert("never-seen", &at(4), json!({"old": 4})),
        upsert("goes", &at(3), json!({"old": 3})),
    ])
    .await;
    let _node = road.node(&[]).await;
    let status = road.arrived().await;
    assert_eq!(status["rejected"], 3, "{status}");
    assert_eq!(
        road.project.profile("user_id:stays").await["traits"],
        json!({"new": 9, "both": 9})
    );
    assert_eq!(
        road.project.profile("user_id:comes").await["traits"],
        json!({"new": 9})
    );
    for gone in ["goes", "never-seen"] {
        let (status, _) = road
            .project
            .get(&format!("/v1/profiles/user_id:{gone}"))
            .await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{gone}");
    }
    let timeline = road.project.timeline("user_id:stays").await;
    wait_until("older events are gone too", PATIENCE, async || {
        road.project.timeline("user_id:stays").await.len() == 1
    })
    .await;
    assert!(!timeline.is_empty());
    let late = road
        .project
        .results(&[live("stays", 4, json!({"old": 4}))])
        .await;
    assert_eq!(
        late[0]["code"], "erased",
        "what is older stays out: {late:?}"
    );
    let kept = sql(
        &road.database_url,
        &format!(
            "SELECT count(*) FROM backfill_rejection WHERE source = '{}' AND record IS NOT NULL",
            road.topic
        ),
    )
    .await;
    assert_eq!(kept, ["0"], "of erased people no record is kept");
}

/// A mapping that looks in the wrong place refuses, is mended, and the records are taken again from where they are.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_replays_what_a_wrong_mapping_refused() {
    let folder = public_dir("mapping");
    let (wrong, right) = (folder.join("wrong.toml"), folder.join("right.toml"));
    let text = |pointer: &str| {
        format!(
            "[identities]\nuser_id = \"{pointer}\"\n[time]\nat = \"/at\"\n[traits]\ndrop = [\"at\"]\n"
        )
    };
    fs::write(&wrong, text("/uid")).expect("written");
    fs::write(&right, text("/id")).expect("written");
    let of_source = format!("mapping = \"{}\"", wrong.display());
    let broker = shared_broker().await;
    let road = Road::with(broker, 2, "max_rejected_percent = 100", &of_source, "").await;
    let people = (0..20).map(|person| {
        let record = json!({"id": format!("p{person}"), "at": "2023-01-01T00:00:00Z", "n": person});
        Sent::of("", &record)
    });
    road.send(&people.collect::<Vec<_>>()).await;
    road.send(&[Sent::of("", &json!({"at": "never"}))]).await;
    let _node = road.node(&[]).await;
    road.arrived().await;
    assert_eq!(road.refusals().await.len(), 21);
    let told = road.command(&[
        "replay",
        &road.topic,
        "--mapping",
        right.to_str().expect("text"),
    ]);
    assert!(told.contains("taken 20, refused again 1,"), "{told}");
    let left = road.refusals().await;
    assert_eq!(left.len(), 1);
    assert_eq!(
        (&left[0]["code"], &left[0]["attempts"]),
        (&json!("missing_identity"), &json!(2))
    );
    for person in 0..20 {
        let profile = road.project.profile(&format!("user_id:p{person}")).await;
        assert_eq!(profile["traits"]["n"], person);
    }
}

/// The newer protocol of consumer groups (KIP-848) does as well.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_takes_part_in_groups_of_the_newer_protocol() {
    let broker = shared_broker().await;
    let properties = "\"group.protocol\" = \"consumer\"";
    let road = Road::with(broker, 4, "", "", properties).await;
    let (records, expected) = history(40, 5, 1);
    road.send(&records).await;
    let (one, _two) = (road.node(&[]).await, road.node(&[]).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(one.terminate().await.success());
    road.arrived().await;
    road.ends_as(40, &expected).await;
}

/// What is wrong is one clear line, and no loss: a topic that is not there is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_says_what_is_wrong_in_one_line() {
    let road = Road::fresh(1).await;
    let run = |more: &[&str]| {
        let mut command = Command::new(ROSTER);
        command.args([
            "--database-url",
            &road.database_url,
            "backfill",
            "run",
            "--until-end",
        ]);
        let output = command.args(more).output().expect("runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{told}");
        told
    };
    let folder = public_dir("wrong");
    fs::write(folder.join("typo.toml"), "[identities]\nuser_id = \"id\"\n").expect("written");
    let typo = folder.join("typo.toml");
    let typo = typo.to_str().expect("text");
    let brokers = road.broker.address.as_str();
    let ours = ["--topic", "none", "--project", "dev", "--brokers", brokers];
    let told = run(&[&ours[..], &["--mapping", typo]].concat());
    assert!(
        told.contains("identities.user_id: \"id\" is no pointer"),
        "{told}"
    );
    let told = run(&[&ours[..], &["--mapping", "/nowhere"]].concat());
    assert!(told.contains("/nowhere can't be read"), "{told}");
    let told = run(&[]);
    assert!(told.contains("there is no source"), "{told}");
    let told = run(&[&ours[..], &["--start", "yesterday"]].concat());
    assert!(told.contains("\"yesterday\" is no time"), "{told}");
    let told = run(&[&ours[..], &["--kafka", "session.timeout=5"]].concat());
    assert!(told.contains("session.timeout"), "{told}");
}

/// A topic is taken in from the command line, with nothing set up before but a project.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_runs_apart_until_the_end() {
    let road = Road::fresh(3).await;
    let (records, expected) = history(30, 4, 1);
    road.send(&records).await;
    let own = [
        "run",
        "--topic",
        &road.topic,
        "--project",
        &road.project.name,
        "--brokers",
        &road.broker.address,
        "--until-end",
    ];
    road.command(&own);
    road.arrived().await;
    road.ends_as(30, &expected).await;
    let shown = road.command(&["status"]);
    assert!(
        shown.contains(&road.topic) && shown.contains("####################"),
        "{shown}"
    );
}
