//! The same people live and in records at once: two nodes that are killed, a topic of many projects, deletions, merges, everything
//! shuffled and some of it twice, held against a model that knows no order (`model/people.rs`). A seed that fails is printed;
//! `ROSTER_TEST_SEEDS=7,8` runs these alone; `make faults` runs more of them.

mod people;

use super::PATIENCE;
use crate::forms::seeds;
use crate::harness::{Project, ROSTER, Service, alone, public_dir, shared};
use crate::kafka::{Broker, Sent, shared_broker};
use crate::machine::free_address;
use futures_util::{StreamExt, stream};
use people::{Deed, Person};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng, random_range};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uuid::Uuid;

const PEOPLE: usize = 40;
const CLIENTS: usize = 16;
const PARTITIONS: i32 = 4;
/// How often a node is killed for each seed, at most: as often as a quick machine saw. On a slow one it would be killed again and again
/// before it was given its partitions, for which the group waits six seconds each time.
const KILLS: usize = 1;

/// One seed: a project and its people.
struct World {
    seed: u64,
    project: Project,
    people: Vec<Person>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backfill_and_live_end_as_the_model_says_in_any_order() {
    let _alone = alone().await;
    let (broker, database) = (shared_broker().await, &shared().await.database_url);
    let topic = format!("people-{}", Uuid::new_v4().simple());
    broker.create_topic(&topic, PARTITIONS, &[]).await;
    let settings = settings(broker, &topic);
    let addresses = [free_address(), free_address()];
    let urls = addresses.clone().map(|address| format!("http://{address}"));
    let (over, kills) = (AtomicBool::new(false), AtomicBool::new(true));
    let work = async {
        let worlds = worlds(&urls[0], database).await;
        let live = stream::iter(&worlds).for_each(async |world| world.live(&urls).await);
        let records = records(&worlds);
        tokio::join!(live, broker.produce(&topic, &records));
        kills.store(false, Ordering::Relaxed);
        stream::iter(&worlds)
            .for_each(async |world| world.judge(&urls).await)
            .await;
        over.store(true, Ordering::Relaxed);
    };
    let [one, other] = [0, 1].map(|node| keep(&settings, &addresses[node], &over, &kills));
    tokio::join!(work, one, other);
}

/// Each record says whose it is.
fn settings(broker: &Broker, topic: &str) -> PathBuf {
    let folder = public_dir("model");
    let mapping = folder.join("people.toml");
    std::fs::write(
        &mapping,
        "preset = \"roster\"\n[project]\nheader = \"tenant\"\n",
    )
    .expect("written");
    let text = format!(
        "[backfill.kafka]\n\"bootstrap.servers\" = \"{}\"\n\"session.timeout.ms\" = \"6000\"\n\
         [[backfill.sources]]\nname = \"{topic}\"\ntopic = \"{topic}\"\nmapping = \"{}\"\n",
        broker.address,
        mapping.display()
    );
    let path = folder.join("roster.toml");
    std::fs::write(&path, text).expect("written");
    path
}

fn drawn() -> Vec<u64> {
    seeds(4, 20)
}

async fn worlds(url: &str, database: &str) -> Vec<World> {
    let mut worlds = Vec::new();
    for seed in drawn() {
        let project = Project::on(url, database).await;
        let people = (0..PEOPLE).map(|number| Person::drawn(seed, number));
        worlds.push(World {
            seed,
            project,
            people: people.collect(),
        });
    }
    worlds
}

/// Those of all people in no order, a third of them twice, in partitions that say nothing about whose they are.
fn records(worlds: &[World]) -> Vec<Sent> {
    let mut rng = StdRng::seed_from_u64(7);
    let mut all = Vec::new();
    for world in worlds {
        let deeds = world.people.iter().flat_map(|person| &person.deeds);
        for record in deeds.filter_map(Deed::record) {
            let tenant = world.project.name.clone().into_bytes();
            let sent = Sent {
                headers: vec![("tenant".to_owned(), tenant)],
                partition: Some(rng.random_range(0..PARTITIONS)),
                ..Sent::of("", record)
            };
            all.extend(vec![sent; if rng.random_bool(0.3) { 2 } else { 1 }]);
        }
    }
    all.shuffle(&mut rng);
    all
}

/// Keeps a node at an address, and kills it every now and then.
async fn keep(settings: &Path, address: &str, over: &AtomicBool, kills: &AtomicBool) {
    let settings = settings.to_str().expect("text");
    let environment = [
        (
            "ROSTER__DATABASE__URL",
            shared().await.database_url.as_str(),
        ),
        ("ROSTER__SERVER__LISTEN", address),
        // So that the sweeps of deletions are soon due.
        ("ROSTER__INGEST__WRITE_DEADLINE_MS", "3000"),
        ("ROSTER__DATABASE__STATEMENT_TIMEOUT_MS", "2000"),
        ("ROSTER__DATABASE__POOL_SIZE", "12"),
    ];
    let mut left = KILLS * drawn().len();
    while !over.load(Ordering::Relaxed) {
        let service = Service::start_by(ROSTER, &["--config", settings], &environment).await;
        let is_killed = || left > 0 && kills.load(Ordering::Relaxed) && random_range(0..4) == 0;
        loop {
            sleep(Duration::from_millis(random_range(300..1_500))).await;
            if over.load(Ordering::Relaxed) || is_killed() {
                break;
            }
        }
        left = left.saturating_sub(1);
        service.kill();
    }
}

impl World {
    async fn live(&self, urls: &[String; 2]) {
        stream::iter(&self.people)
            .for_each_concurrent(CLIENTS, async |person| {
                let mut calls: Vec<&Value> = person.deeds.iter().filter_map(Deed::call).collect();
                let seed = self.seed << 32 | person.number as u64;
                calls.shuffle(&mut StdRng::seed_from_u64(seed));
                for call in calls {
                    self.insist(urls, "/v1/batch", &json!({"batch": [call]}))
                        .await;
                }
                if let Some((into, from)) = person.merge() {
                    let path = format!("/v1/profiles/{into}/merge");
                    self.insist(urls, &path, &json!({"from": from})).await;
                }
            })
            .await;
    }

    /// Asks any node, again where it was killed or could not for a moment.
    async fn insist(&self, urls: &[String; 2], path: &str, body: &Value) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = format!("{}{path}", urls[random_range(0..2)]);
            let request = self.project.client.post(url).json(body);
            match request.bearer_auth(&self.project.server_key).send().await {
                Ok(reply) if reply.status().is_success() => {
                    if let Ok(body) = reply.json().await {
                        return body;
                    }
                }
                Ok(reply) => {
                    let status = reply.status();
                    // Who is known by records alone may not have arrived yet.
                    let is_early = status == StatusCode::NOT_FOUND;
                    assert!(
                        is_early || status == StatusCode::SERVICE_UNAVAILABLE,
                        "seed {}: {status}",
                        self.seed
                    );
                }
                // Killed: nothing is known, and the same again is safe.
                Err(_) => {}
            }
            assert!(
                Instant::now() < deadline,
                "seed {}: {path} was never answered",
                self.seed
            );
            sleep(Duration::from_millis(random_range(10..100))).await;
        }
    }

    async fn judge(&self, urls: &[String; 2]) {
        let mut wrong = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            wrong.clear();
            let names: Vec<String> = self.people.iter().map(Person::name).collect();
            let body = json!({"references": names});
            let found = self.insist(urls, "/v1/profiles/lookup", &body).await;
            for (person, found) in self
                .people
                .iter()
                .zip(found["profiles"].as_array().expect("a list"))
            {
                let traits = found.get("traits").cloned().unwrap_or_default();
                if traits != person.expected() {
                    wrong.push(format!(
                        "{}: {traits} instead of {}",
                        person.name(),
                        person.expected()
                    ));
                }
            }
            if wrong.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "seed {}: {wrong:#?}", self.seed);
            sleep(Duration::from_millis(500)).await;
        }
    }
}
