//! A project that leaves a store of which there is no index to ask, only the topic of its records.

use super::{PATIENCE, found, lose, name, verified};
use crate::harness::{Project, ROSTER, Service, fresh_database, public_dir, store_at, wait_until};
use crate::kafka::{Broker, Sent, shared_broker};
use crate::migration::{MAPPING, ask, step};
use crate::mirror::QUICK;
use reqwest::StatusCode;
use serde_json::json;
use std::fs;
use uuid::Uuid;

const PEOPLE: usize = 1_200;
const PARTITIONS: i32 = 3;

/// A node that takes a topic of records in, and mirrors into another one.
struct Road {
    database: String,
    project: Project,
    _service: Service,
    old: String,
}

impl Road {
    async fn on(broker: &Broker) -> Self {
        let database = fresh_database().await;
        store_at(&database).migrate().await.expect("migrated");
        let project = Project::on("", &database).await;
        let [old, new] = ["old", "new"].map(|name| format!("{name}-{}", Uuid::new_v4().simple()));
        broker.create_topic(&old, PARTITIONS, &[]).await;
        broker.create_topic(&new, PARTITIONS, &[]).await;
        let settings = format!(
            "[legacy]\ntopics = [\"{} = {new}\"]\n[backfill.kafka]\n\"bootstrap.servers\" = \"{}\"\n\"session.timeout.ms\" = \"6000\"\n\
             [[backfill.sources]]\nname = \"{old}\"\ntopic = \"{old}\"\nproject = \"{}\"\n",
            project.name, broker.address, project.name
        );
        let file = public_dir("verify").join("roster.toml");
        fs::write(&file, settings).expect("written");
        let path = file.to_str().expect("text");
        let own = [("ROSTER__DATABASE__URL", database.as_str())];
        let environment = [&QUICK[..], &own].concat();
        let service = Service::start_by(ROSTER, &["--config", path], &environment).await;
        let road = Self {
            project: project.through(&service.url),
            database,
            _service: service,
            old,
        };
        let plan = json!({"mapping": MAPPING, "topic": new, "source": road.old});
        step(&road.project, "plan", plan).await;
        step(&road.project, "start", json!({})).await;
        road
    }

    /// What the topic says: of everybody twice, the newer first, of one a deletion, and one record that is none.
    async fn send(&self, broker: &Broker) -> usize {
        let record = |number: usize, plan: &str, at: &str| {
            let value = json!({"roster": 1, "type": "upsert", "identities": {"user_id": name(number)},
                "traits": {"plan": plan, "number": number}, "updated_at": at});
            Sent::of(&name(number), &value)
        };
        let newer = (0..PEOPLE).map(|number| record(number, "pro", "2023-06-01T10:00:00Z"));
        let older = (0..PEOPLE).map(|number| record(number, "free", "2023-05-01T10:00:00Z"));
        let gone = json!({"roster": 1, "type": "delete", "identities": {"user_id": name(9)},
            "deleted_at": "2023-07-01T10:00:00Z"});
        let unreadable = json!({"roster": 1, "type": "upsert", "identities": {"user_id": name(8)},
            "traits": "none"});
        let odd = [gone, unreadable].map(|value| Sent::of(&name(9), &value));
        let records: Vec<Sent> = newer.chain(older).chain(odd).collect();
        broker.produce(&self.old, &records).await;
        records.len()
    }

    async fn passed(&self) -> i64 {
        let backfill = self.project.read("/v1/migration").await["backfill"].take();
        let partitions = backfill["partitions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        partitions
            .iter()
            .filter_map(|one| one["position"].as_i64())
            .sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_topic_are_held_against_roster_and_what_it_lacks_is_named() {
    let broker = shared_broker().await;
    let road = Road::on(broker).await;
    let sent = road.send(broker).await;
    wait_until("all records are passed", PATIENCE, async || {
        road.passed().await == sent as i64
    })
    .await;
    // Somebody says something newer meanwhile.
    let call = json!({"type": "identify", "userId": name(7), "traits": {"plan": "live"}});
    road.project.results(&[call]).await;
    let force = json!({"force": true, "reason": "a drill"});
    step(&road.project, "advance", force.clone()).await;
    step(&road.project, "advance", force).await;

    let clean = verified(&road.project, "forward").await;
    assert_eq!(found(&clean), [].into(), "{clean}");
    assert_eq!(clean["checked"], sent, "{clean}");
    // The older record of each but the erased one, and the newer one of who spoke since.
    assert_eq!(clean["superseded"], PEOPLE, "{clean}");
    assert_eq!(
        (&clean["rejected"], &clean["erased"]),
        (&json!(1), &json!(2)),
        "{clean}"
    );
    let gates = road.project.read("/v1/migration").await["gates"].take();
    let mut gates = gates.as_array().expect("a list").iter();
    let gate = gates.find(|gate| gate["name"] == "verify").expect("it");
    assert_eq!(gate["holds"], true, "{gate}");

    lose(&road.database, &road.project, "plan").await;
    let lost = verified(&road.project, "forward").await;
    let named = found(&lost);
    let kinds: Vec<_> = named.iter().map(|one| (&*one.0, &*one.2)).collect();
    // Of the trait the newer record, since the older one has given way; of who is gone both.
    let expected = [("different", "plan"), ("missing", "-"), ("missing", "-")];
    assert_eq!(kinds, expected, "{lost}");
    let is_place = |place: &str| place.starts_with("partition ") && place.contains(", offset ");
    assert!(named.iter().all(|one| is_place(&one.1)), "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_can_be_asked_for_nobody_so_there_is_no_other_direction() {
    let road = Road::on(shared_broker().await).await;
    let (status, answer) = ask(&road.project, "verify?direction=reverse", json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let told = answer["detail"].as_str().unwrap_or_default();
    assert!(
        told.contains("only an index can be verified in reverse"),
        "{answer}"
    );
}
