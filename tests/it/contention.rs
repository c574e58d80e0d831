//! Many at one profile, and one batch at two nodes: F7 of `contracts/faults.md`.

use crate::harness::{Project, Service, alone, shared, sql};
use crate::machine::metric;
use futures_util::future::join_all;
use rand::random_range;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CLIENTS: usize = 64;
const WRITES: usize = 10;

/// Two services on the shared database, and a project as each of them sees it.
struct TwoNodes {
    services: [Service; 2],
    projects: [Project; 2],
    database_url: String,
}

impl TwoNodes {
    async fn start() -> Self {
        let database_url = shared().await.database_url.clone();
        let services = [
            Service::start(&database_url, &[]).await,
            Service::start(&database_url, &[]).await,
        ];
        let project = Project::on(&services[0].url, &database_url).await;
        let other = project.through(&services[1].url);
        Self {
            services,
            projects: [project, other],
            database_url,
        }
    }

    /// Counts rows of the project.
    async fn count(&self, rows: &str) -> usize {
        let question = format!(
            "SELECT count(*) FROM {rows} AND project_id = {}",
            self.projects[0].id
        );
        sql(&self.database_url, &question).await[0]
            .parse()
            .expect("a number")
    }
}

/// One thing said about the profile.
#[derive(Clone)]
struct Write {
    second: u32,
    client: usize,
    value: String,
}

impl Write {
    fn new(client: usize, number: usize) -> Self {
        Self {
            second: random_range(0..60),
            client,
            value: format!("{client}-{number}"),
        }
    }

    async fn send(&self, project: &Project) -> StatusCode {
        let traits = json!({"all": self.value, format!("own_{}", self.client): self.value});
        let at = format!("2024-01-01T00:00:{:02}Z", self.second);
        let call = json!({"userId": "hot", "traits": traits, "timestamp": at});
        project.post("/v1/identify", &call).await.status()
    }
}

/// The latest of all, and the latest of each client; the larger value where two are of one second.
fn fold(writes: &[Write]) -> BTreeMap<String, Value> {
    let mut newest: BTreeMap<String, (u32, &str)> = BTreeMap::new();
    for write in writes {
        for name in ["all".to_owned(), format!("own_{}", write.client)] {
            let said = (write.second, write.value.as_str());
            let known = newest.entry(name).or_insert(said);
            *known = said.max(*known);
        }
    }
    newest
        .into_iter()
        .map(|(name, (_, value))| (name, json!(value)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_at_one_profile_are_all_heard() {
    let _alone = alone().await;
    let nodes = TwoNodes::start().await;
    let writes = join_all((0..CLIENTS).map(async |client| {
        let mut writes = Vec::new();
        for number in 0..WRITES {
            let write = Write::new(client, number);
            let status = write.send(&nodes.projects[client % 2]).await;
            assert_eq!(status, StatusCode::OK);
            writes.push(write);
        }
        writes
    }));
    let writes = writes.await.concat();

    let profile = nodes.projects[0].profile("user_id:hot").await;
    let traits: BTreeMap<String, Value> =
        serde_json::from_value(profile["traits"].clone()).expect("an object");
    assert_eq!(traits, fold(&writes));
    assert_eq!(nodes.count("event WHERE true").await, CLIENTS * WRITES);
    assert_eq!(nodes.count("profile WHERE merged_into IS NULL").await, 1);
    for service in &nodes.services {
        let rounds = metric(&service.url, "roster_batch_rounds_sum").await;
        let batches = metric(&service.url, "roster_batch_rounds_count").await;
        let retries = metric(&service.url, "roster_statement_retries_total").await;
        eprintln!("one profile: {batches} batches, {rounds} rounds, {retries} retries");
        assert!(
            rounds / batches < 6.0,
            "{rounds} rounds for {batches} batches"
        );
        assert!(retries < batches, "{retries} retries for {batches} batches");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_batch_at_two_nodes_at_once_is_stored_once() {
    const TURNS: usize = 100;
    const ITEMS: usize = 20;
    let _alone = alone().await;
    let nodes = TwoNodes::start().await;
    for turn in 0..TURNS {
        let item = |number: usize| {
            let name = format!("n{turn}-{number}");
            let kind = ["track", "identify"][number % 2];
            json!({"type": kind, "event": "Seen", "userId": name, "anonymousId": format!("device-{name}"), "traits": {"turn": turn}, "messageId": format!("m-{name}")})
        };
        let items: Vec<Value> = (0..ITEMS).map(item).collect();
        let [one, other] = &nodes.projects;
        let (one, other) = tokio::join!(one.results(&items), other.results(&items));
        for (left, right) in one.iter().zip(&other) {
            let mut said = [left["status"].as_str(), right["status"].as_str()];
            said.sort_unstable();
            assert_eq!(
                said,
                [Some("duplicate"), Some("stored")],
                "turn {turn}: {left} {right}"
            );
        }
    }
    assert_eq!(nodes.count("event WHERE true").await, TURNS * ITEMS);
    assert_eq!(
        nodes.count("profile WHERE merged_into IS NULL").await,
        TURNS * ITEMS,
        "somebody was made twice"
    );
    assert_eq!(nodes.count("identity WHERE true").await, TURNS * ITEMS * 2);
}
