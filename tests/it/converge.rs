//! People under everything at once: two servers, 64 clients, repeats, reordering, merges, erasures and kill -9, held against a
//! model that knows no order (`converge/model.rs`). A seed that fails is printed; `ROSTER_TEST_SEEDS=7,8` runs these alone; `make faults`
//! runs more of them.

mod kiosk;
mod model;

use crate::forms::seeds;
use crate::harness::{Project, Service, alone, shared, sql, wait_until};
use crate::machine::{free_address, metric};
use futures_util::{StreamExt, stream};
use model::{BY_WRITE_KEY, Person};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng, random_range};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const PEOPLE: usize = 200;
const LANES: usize = 3;
const CLIENTS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(60);
/// So that the sweeps of erasures are soon due.
const SHORT: [(&str, &str); 2] = [
    ("ROSTER__INGEST__WRITE_DEADLINE_MS", "3000"),
    ("ROSTER__DATABASE__STATEMENT_TIMEOUT_MS", "2000"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_what_the_model_says_whatever_happens_on_the_way() {
    let _alone = alone().await;
    let database = &shared().await.database_url;
    let addresses = [free_address(), free_address()];
    let (over, kills) = (AtomicBool::new(false), AtomicBool::new(true));
    let urls = addresses.clone().map(|address| format!("http://{address}"));
    let work = async {
        let mut worlds = Vec::new();
        for seed in seeds(3, 20) {
            let project = Project::on(&urls[0], database).await;
            worlds.push(World {
                seed,
                project,
                urls: &urls,
            });
        }
        let started = Instant::now();
        for world in &worlds {
            world.live().await;
        }
        eprintln!("{} seeds lived in {:?}", worlds.len(), started.elapsed());
        kills.store(false, Ordering::Relaxed);
        for world in &worlds {
            world.judge(database).await;
        }
        eprintln!("and were judged after {:?}", started.elapsed());
        over.store(true, Ordering::Relaxed);
    };
    let [one, other] =
        [&addresses[0], &addresses[1]].map(|address| node(address, database, &over, &kills));
    tokio::join!(work, one, other);
}

/// Keeps a server at an address, and kills it every now and then.
async fn node(address: &str, database: &str, over: &AtomicBool, kills: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let service = Service::start_at(database, address, &SHORT).await;
        loop {
            sleep(Duration::from_millis(random_range(100..600))).await;
            if over.load(Ordering::Relaxed)
                || (kills.load(Ordering::Relaxed) && random_range(0..3) == 0)
            {
                break;
            }
        }
        let retries = metric(&service.url, "roster_statement_retries_total").await;
        let statements = metric(&service.url, "roster_statement_duration_seconds_count").await;
        assert!(
            retries <= statements + 200.0,
            "{retries} retries of {statements} statements"
        );
        service.kill();
    }
}

/// One seed: a project and its people.
struct World<'a> {
    seed: u64,
    project: Project,
    urls: &'a [String; 2],
}

impl World<'_> {
    fn people(&self) -> Vec<Person> {
        (0..PEOPLE)
            .map(|number| Person::drawn(self.seed, number))
            .collect()
    }

    async fn live(&self) {
        let people = self.people();
        let lives = stream::iter(people.iter().enumerate())
            .for_each_concurrent(CLIENTS / LANES, |(number, person)| {
                self.one_life(number, person)
            });
        tokio::join!(lives, self.crowd());
    }

    /// All that a person did, from several devices at once and not in order; then for some an erasure, all of it again, and more.
    async fn one_life(&self, number: usize, person: &Person) {
        let mut rng = StdRng::seed_from_u64(self.seed << 32 | number as u64);
        let past = person.past();
        let mut sent: Vec<Value> = past
            .iter()
            .chain(&past[..past.len() / 3])
            .cloned()
            .collect();
        sent.shuffle(&mut rng);
        self.send_in_lanes(&sent, &["stored", "duplicate"]).await;
        if person.merges {
            let (into, from) = (&person.names()[0], &person.names()[2]);
            let path = format!("/v1/profiles/{into}/merge");
            self.insist(Method::POST, &path, &json!({"from": from}))
                .await;
        }
        if let Some((stranger, calls)) = person.stranger() {
            self.meet(person, &stranger, &calls).await;
        }
        if !person.is_erased {
            return;
        }
        let any = &person.names()[rng.random_range(0..person.names().len())];
        let path = format!("/v1/profiles/{any}");
        let (receipt, ()) = tokio::join!(
            self.insist(Method::DELETE, &path, &Value::Null),
            self.send_in_lanes(&sent, &["stored", "duplicate", "erased"])
        );
        assert_eq!(receipt["forgotten"], false, "{receipt}");
        let newer = person.future();
        let mut sent = [past, person.late.clone(), newer].concat();
        sent.shuffle(&mut rng);
        self.send_in_lanes(&sent, &["stored", "duplicate", "erased"])
            .await;
    }

    /// A stranger is joined to the person, does something more, and is taken out again.
    async fn meet(&self, person: &Person, stranger: &str, calls: &[Value]) {
        let whom = &person.names()[0];
        self.send(&calls[..1], &["stored", "duplicate"]).await;
        let path = format!("/v1/profiles/{whom}/merge");
        self.insist(Method::POST, &path, &json!({"from": stranger}))
            .await;
        self.send(&calls[1..], &["stored", "duplicate"]).await;
        let path = format!("/v1/profiles/{whom}/split");
        self.insist(Method::POST, &path, &json!({"identities": [stranger]}))
            .await;
    }

    async fn send_in_lanes(&self, calls: &[Value], expected: &[&str]) {
        let lane = |part: Vec<Value>| async move {
            for batch in part.chunks(4) {
                self.send(batch, expected).await;
            }
        };
        let parts = calls
            .chunks(calls.len().div_ceil(LANES))
            .map(<[Value]>::to_vec);
        futures_util::future::join_all(parts.map(lane)).await;
    }

    /// Sends to any node until it is taken; nothing but what a client may see is seen.
    async fn send(&self, batch: &[Value], expected: &[&str]) {
        let (public, own): (Vec<Value>, Vec<Value>) = batch
            .iter()
            .cloned()
            .partition(|call| !call[BY_WRITE_KEY].is_null());
        let keys = [&self.project.write_key, &self.project.server_key];
        for (key, part) in keys.into_iter().zip([public, own]) {
            if part.is_empty() {
                continue;
            }
            let (path, body) = ("/v1/batch?results=true", json!({"batch": part}));
            let results = self.insist_by(key, Method::POST, path, &body).await;
            for result in results["results"].as_array().expect("a list") {
                let told = result["code"].as_str().or(result["status"].as_str());
                let told = told.expect("text");
                assert!(expected.contains(&told), "seed {}: {result}", self.seed);
            }
        }
    }

    /// Asks any node, again where it was killed or could not for a moment.
    async fn insist(&self, method: Method, path: &str, body: &Value) -> Value {
        let key = &self.project.server_key;
        self.insist_by(key, method, path, body).await
    }

    async fn insist_by(&self, key: &str, method: Method, path: &str, body: &Value) -> Value {
        for _ in 0..400 {
            let url = format!("{}{path}", self.urls[random_range(0..2)]);
            let request = self.project.client.request(method.clone(), url);
            let request = request.bearer_auth(key).json(body);
            match request.send().await {
                Ok(reply) if reply.status().is_success() => {
                    if let Ok(body) = reply.json().await {
                        return body;
                    }
                }
                Ok(reply) => assert_eq!(
                    reply.status(),
                    StatusCode::SERVICE_UNAVAILABLE,
                    "seed {}: {path}",
                    self.seed
                ),
                Err(_) => {} // killed: nothing is known, and the same again is safe
            }
            sleep(Duration::from_millis(random_range(10..100))).await;
        }
        panic!("seed {}: {path} was never answered", self.seed);
    }

    async fn judge(&self, database: &str) {
        let id = self.project.id;
        let open = format!(
            "SELECT count(*) FROM erasure_request WHERE project_id = {id} AND finished_at IS NULL"
        );
        wait_until("the erasures are finished", PATIENCE, async || {
            sql(database, &open).await == ["0"]
        })
        .await;
        let open =
            format!("SELECT count(*) FROM split WHERE project_id = {id} AND finished_at IS NULL");
        wait_until("the splits are finished", PATIENCE, async || {
            sql(database, &open).await == ["0"]
        })
        .await;
        let people = self.people();
        let (mut living, mut events) = (self.judge_crowd().await, kiosk::EVENTS);
        for person in &people {
            let strangers = person.stranger().map_or(0, |(_, calls)| calls.len());
            living += strangers.min(1);
            events += strangers;
            let expected = person.expected();
            living += usize::from(expected.is_some());
            events += expected.map_or(0, |expected| expected.timeline.len());
        }
        stream::iter(people.iter().enumerate())
            .for_each_concurrent(CLIENTS, |(number, person)| self.compare(number, person))
            .await;
        let count = |what: &str| format!("SELECT count(*) FROM {what} AND project_id = {id}");
        let profiles = sql(database, &count("profile WHERE merged_into IS NULL")).await;
        assert_eq!(
            profiles,
            [living.to_string()],
            "seed {}: profiles",
            self.seed
        );
        let kept = sql(database, &count("event WHERE type <> 'erased'")).await;
        assert_eq!(kept, [events.to_string()], "seed {}: events", self.seed);
    }

    async fn compare(&self, number: usize, person: &Person) {
        let what = format!("seed {}, person {number}", self.seed);
        let names = person.names();
        if let Some((stranger, _)) = person.stranger() {
            let path = format!("/v1/profiles/{stranger}");
            let found = self.insist(Method::GET, &path, &Value::Null).await;
            let expected = json!({"plan": "other", "boat": 1});
            assert_eq!(found["traits"], expected, "{what}: {stranger}");
        }
        let found = self
            .insist(
                Method::POST,
                "/v1/profiles/lookup",
                &json!({"references": names}),
            )
            .await;
        let Some(expected) = person.expected() else {
            assert_eq!(
                found["profiles"],
                json!(vec![Value::Null; names.len()]),
                "{what}"
            );
            return;
        };
        let first = &found["profiles"][0];
        for (name, profile) in names
            .iter()
            .zip(found["profiles"].as_array().expect("a list"))
        {
            let wanted = if expected.names.contains(name) {
                first
            } else {
                &Value::Null
            };
            assert_eq!(profile, wanted, "{what}: {name}");
        }
        assert_eq!(first["traits"], expected.traits, "{what}");
        let path = format!("/v1/profiles/{}/events?limit=1000", names[0]);
        let page = self.insist(Method::GET, &path, &Value::Null).await;
        let events = page["events"].as_array().expect("a list").iter();
        let ids: Vec<&str> = events
            .map(|event| event["message_id"].as_str().expect("text"))
            .collect();
        assert_eq!(ids, expected.timeline, "{what}");
    }
}
