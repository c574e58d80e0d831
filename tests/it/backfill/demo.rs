//! The whole road: people in OpenSearch, their documents into a topic, the topic into the tables, while the same people are live.
//! `make demo-backfill` tells it with 200,000 of them (`ROSTER_DEMO_PEOPLE`).

mod people;

use super::Road;
use crate::export::{command, passed};
use crate::harness::{Project, Service, answer_to};
use crate::kafka::shared_broker;
use crate::ledger::Load;
use crate::legacy::{LegacyStore, shared_store};
use futures_util::{StreamExt, stream};
use people::{MAPPING, Person};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Live calls under way at once.
const CLIENTS: usize = 8;

fn people() -> Vec<Person> {
    let count = std::env::var("ROSTER_DEMO_PEOPLE").ok();
    let count = count.map_or(1_500, |count| count.parse().expect("a number"));
    (0..count).map(Person).collect()
}

/// What a story has been through.
struct Demo<'a> {
    people: Vec<Person>,
    store: &'static LegacyStore,
    road: Road<'a>,
    started: Instant,
}

impl Demo<'_> {
    fn tell(&self, what: &str) {
        eprintln!("{:>6.1} s  {what}", self.started.elapsed().as_secs_f64());
    }

    async fn fill(&self) {
        let settings = json!({
            "settings": {"number_of_shards": 3, "number_of_replicas": 0},
            // What is sent is kept, whatever the types of the documents before.
            "mappings": {"dynamic": false},
        });
        self.store.create(&self.road.topic, settings).await;
        for part in self.people.chunks(1_000) {
            let documents = part.iter().flat_map(Person::documents);
            self.store
                .put(&self.road.topic, &documents.collect::<Vec<_>>())
                .await;
        }
    }

    /// One pass, as a person types it.
    async fn export(&self, more: &[&str]) -> Value {
        let (index, database_url) = (&self.road.topic, &self.road.database_url);
        let mut command = command(
            &self.store.url,
            index,
            index,
            &self.road.broker.address,
            database_url,
        );
        command.args(more);
        passed(command).await
    }

    /// What people do while their documents are on their way.
    async fn live(&self, project: &Project, calls: impl Fn(&Person) -> Vec<Value>) {
        stream::iter(&self.people)
            .for_each_concurrent(CLIENTS, async |person| {
                for call in calls(person) {
                    insist(project, &call).await;
                }
            })
            .await;
    }

    async fn erase(&self, project: &Project) {
        stream::iter(self.people.iter().filter(|person| person.is_erased()))
            .for_each_concurrent(CLIENTS, async |person| {
                let (status, _) = project.erase(&format!("user_id:{}", person.user())).await;
                assert!(status.is_success(), "{status}");
            })
            .await;
    }

    /// The people of whom the tables have something else than the model says.
    async fn wrong(&self, project: &Project) -> Vec<String> {
        let mut wrong = Vec::new();
        for part in self.people.chunks(500) {
            let references: Vec<String> = part
                .iter()
                .map(|person| format!("user_id:{}", person.user()))
                .collect();
            let request = project
                .client
                .post(format!("{}/v1/profiles/lookup", project.url));
            let request = request
                .bearer_auth(&project.server_key)
                .json(&json!({"references": references}));
            let (_, found) = answer_to(request).await;
            for (person, found) in part
                .iter()
                .zip(found["profiles"].as_array().expect("a list"))
            {
                let traits = found.get("traits").cloned().unwrap_or_default();
                let expected = person.expected();
                if traits != expected {
                    wrong.push(format!(
                        "{}: {traits:.300} instead of {expected:.300}",
                        person.user()
                    ));
                }
            }
        }
        wrong
    }

    async fn ends_as_the_model_says(&self, project: &Project) {
        let deadline = Instant::now() + super::PATIENCE;
        loop {
            let wrong = self.wrong(project).await;
            if wrong.is_empty() {
                return;
            }
            let some: Vec<&String> = wrong.iter().take(5).collect();
            assert!(
                Instant::now() < deadline,
                "{} are wrong: {some:#?}",
                wrong.len()
            );
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
}

/// Sends a call until it is taken, as an SDK does.
async fn insist(project: &Project, call: &Value) {
    let path = format!("/v1/{}", call["type"].as_str().expect("a type"));
    let deadline = Instant::now() + super::PATIENCE;
    loop {
        let status = project.post(&path, call).await.status();
        if status == StatusCode::OK {
            return;
        }
        assert!(
            status.is_server_error() && Instant::now() < deadline,
            "{status}: {call}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backfill_demo_people_leave_their_index_while_they_live() {
    let broker = shared_broker().await;
    let mapping = crate::harness::public_dir("demo").join("people.toml");
    std::fs::write(&mapping, MAPPING).expect("written");
    let of_source = format!("mapping = \"{}\"", mapping.display());
    let road = Road::with(broker, 4, "", &of_source, "").await;
    let (people, store, started) = (people(), shared_store().await, Instant::now());
    let demo = Demo {
        people,
        store,
        road,
        started,
    };
    demo.fill().await;
    let documents: usize = demo
        .people
        .iter()
        .map(|person| person.documents().len())
        .sum();
    demo.tell(&format!(
        "{} people in {documents} documents",
        demo.people.len()
    ));

    let node = demo.road.node(&[("ROSTER__SERVER__WORKERS", "2")]).await;
    let project = demo.road.project.through(&node.url);
    let strangers = Project::on(&node.url, &demo.road.database_url).await;
    let load = Load::small(&strangers, &[&node.url]);
    let (first, ()) = tokio::join!(demo.export(&["--slices", "4"]), async {
        demo.live(&project, Person::lives).await;
        demo.erase(&project).await;
        demo.live(&project, Person::comes_back).await;
    });
    assert_eq!(first["documents"], documents);
    demo.tell(&format!("exported: {first}"));

    let changed: Vec<_> = demo.people.iter().filter_map(Person::changed).collect();
    demo.store.put(&demo.road.topic, &changed).await;
    let gone: Vec<String> = demo
        .people
        .iter()
        .filter(|person| person.is_gone())
        .map(Person::id)
        .collect();
    demo.store.delete(&demo.road.topic, &gone).await;
    let second = demo.export(&["--deleted"]).await;
    assert_eq!(
        (&second["documents"], &second["gone"]),
        (&json!(changed.len()), &json!(gone.len()))
    );
    demo.live(&project, Person::lives_on).await;
    demo.tell(&format!("what changed and what is gone: {second}"));

    let status = demo.road.arrived_after(Duration::from_secs(3_000)).await;
    demo.tell(&format!(
        "taken in: {} stored, {} unchanged, {} rejected",
        status["stored"], status["unchanged"], status["rejected"]
    ));
    demo.ends_as_the_model_says(&project).await;
    demo.judge_refusals(&node, &status).await;
    load.must_be_clean("strangers beside the backfill", &demo.road.database_url)
        .await;
    demo.tell("every profile is what the model says");
    demo.store.ask(Method::DELETE, &demo.road.topic, None).await;
}

impl Demo<'_> {
    /// Poison is told by its reason; else only who was erased is refused.
    async fn judge_refusals(&self, node: &Service, status: &Value) {
        let poison = self
            .people
            .iter()
            .filter(|person| person.is_poison())
            .count();
        let counted = format!(
            "SELECT code || ' ' || count(*)::TEXT FROM backfill_rejection WHERE project_id = {} GROUP BY code ORDER BY code",
            self.road.project.id
        );
        let by_code = crate::harness::sql(&self.road.database_url, &counted).await;
        self.tell(&format!(
            "refused: {by_code:?} of {}, at {}",
            status["rejected"], node.url
        ));
        assert!(
            by_code.contains(&format!("too_long {poison}")),
            "{by_code:?}"
        );
        assert!(
            by_code
                .iter()
                .all(|line| line.starts_with("too_long ") || line.starts_with("erased ")),
            "{by_code:?}"
        );
    }
}
