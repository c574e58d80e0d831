//! A mirror into a topic: what is read out of it is the same people, whatever happens to the broker.

use super::{PATIENCE, QUICK, erase, merge};
use crate::harness::{
    Project, ROSTER, Service, fresh_database, public_dir, sql, store_at, wait_until,
};
use crate::kafka::{Broker, shared_broker};
use crate::migration::{MAPPING, step};
use roster::domain::{Identity, IdentityKind, ProjectId, Timestamp};
use roster::store::ErasureRequest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use uuid::Uuid;

/// A project that is mirrored into a topic, and one that reads it.
pub struct Road {
    pub database: String,
    pub topic: String,
    service: Service,
    pub project: Project,
    reader: Project,
}

impl Road {
    async fn on(broker: &Broker, format: &str, topic_settings: &[(&str, &str)]) -> Self {
        Self::with(broker, format, topic_settings, &[]).await
    }

    /// The same with more settings of the service.
    pub async fn with(
        broker: &Broker,
        format: &str,
        topic_settings: &[(&str, &str)],
        more: &[(&str, &str)],
    ) -> Self {
        let database = fresh_database().await;
        store_at(&database).migrate().await.expect("migrated");
        let projects = [
            Project::on("", &database).await,
            Project::on("", &database).await,
        ];
        let topic = format!("people-{}", Uuid::new_v4().simple());
        broker.create_topic(&topic, 3, topic_settings).await;
        let reads = format!(
            "[[backfill.sources]]\nname = \"{topic}\"\ntopic = \"{topic}\"\nproject = \"{}\"\n",
            projects[1].name
        );
        let settings = format!(
            "[legacy]\ntopics = [\"{} = {topic}\"]\n[backfill.kafka]\n\"bootstrap.servers\" = \"{}\"\n\"session.timeout.ms\" = \"6000\"\n{}",
            projects[0].name,
            broker.address,
            if format == "roster" { &reads } else { "" }
        );
        let file = public_dir("mirror").join("roster.toml");
        fs::write(&file, settings).expect("written");
        let path = file.to_str().expect("text");
        let own = [("ROSTER__DATABASE__URL", database.as_str())];
        let environment = [&QUICK[..], &own, more].concat();
        let service = Service::start_by(ROSTER, &["--config", path], &environment).await;
        let [project, reader] = projects.map(|project| project.through(&service.url));
        let plan = json!({"mapping": MAPPING, "topic": topic, "topic_format": format});
        step(&project, "plan", plan).await;
        Self {
            database,
            topic,
            service,
            project,
            reader,
        }
    }

    pub async fn status(&self) -> Value {
        self.project.read("/v1/migration").await["mirror"].take()
    }

    async fn at_rest(&self) {
        wait_until("everything is published", PATIENCE, async || {
            let mirror = self.status().await;
            mirror["backlog"] == 0 && mirror["is_walked"] == true
        })
        .await;
    }

    pub async fn identify(&self, user: &str, traits: Value) {
        let call = json!({"type": "identify", "userId": user, "traits": traits});
        let results = self.project.results(&[call]).await;
        assert_eq!(results[0]["status"], "stored", "{results:?}");
    }

    /// All people of a project: names and traits.
    async fn people(&self, project: &Project) -> Vec<String> {
        let question = format!(
            "SELECT jsonb_build_array((SELECT jsonb_agg(i.kind || ':' || i.value ORDER BY i.kind, i.value) FROM identity AS i
                WHERE i.profile_id = p.profile_id), p.traits)::TEXT AS person
             FROM profile AS p WHERE p.project_id = {} AND p.merged_into IS NULL ORDER BY person",
            project.id
        );
        sql(&self.database, &question).await
    }

    /// What a store has that takes each record if its version is higher.
    pub async fn received(&self, broker: &Broker) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::<String, (i64, Option<Value>)>::new();
        for record in broker.records(&self.topic).await {
            let version = record
                .headers
                .iter()
                .find(|(name, _)| name == "roster.version");
            let version = version.expect("a version");
            let version = String::from_utf8_lossy(&version.1)
                .parse()
                .expect("a number");
            let key = String::from_utf8(record.key.expect("a key")).expect("text");
            let value = record
                .value
                .map(|value| serde_json::from_slice(&value).expect("JSON"));
            let known = all.get(&key);
            if known.is_none_or(|(known, _)| *known < version) {
                all.insert(key, (version, value));
            }
        }
        let document = |(key, (_, value)): (String, (i64, Option<Value>))| {
            let mut source = value?["_source"].take();
            source
                .as_object_mut()
                .expect("an object")
                .remove("updated_at");
            Some((key, source))
        };
        all.into_iter().filter_map(document).collect()
    }
}

/// People come, change, become one, are erased, and come back.
pub async fn live(road: &Road, rounds: std::ops::Range<usize>) {
    let is_first = rounds.start == 0;
    for round in rounds {
        for number in 0..20 {
            let gone = if round < 2 { json!(1) } else { Value::Null };
            let traits = json!({"plan": format!("r-{round}"), "gone": gone, "price": 1.50, "email": format!("P-{number}@example.com")});
            road.identify(&format!("p-{number}"), traits).await;
        }
    }
    if is_first {
        merge(&road.project, "p-2", "p-3").await;
        merge(&road.project, "p-4", "p-5").await;
    }
    erase(&road.project, "p-6").await;
    erase(&road.project, "p-7").await;
    road.identify("p-7", json!({"plan": "back"})).await;
    let seen = json!({"type": "track", "event": "Seen", "anonymousId": "phone"});
    let known = json!({"type": "identify", "userId": "p-8", "anonymousId": "tablet", "traits": {"seen": true}});
    road.project.results(&[seen, known]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_a_topic_in_rosters_format_has_the_same_people() {
    let broker = shared_broker().await;
    let road = Road::on(broker, "roster", &[]).await;
    for number in 0..20 {
        road.identify(&format!("p-{number}"), json!({"before": number}))
            .await;
    }
    step(&road.project, "start", json!({})).await;
    road.at_rest().await;
    live(&road, 0..3).await;
    let status = road.status().await;
    assert_eq!(status["reason"], "", "{status}");
    road.at_rest().await;
    let people = road.people(&road.project).await;
    assert!(
        people.len() > 17
            && people
                .iter()
                .any(|person| person.contains("anonymous_id:phone"))
    );
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let there = road.people(&road.reader).await;
        if there == people {
            break;
        }
        let is_late = std::time::Instant::now() > deadline;
        assert!(!is_late, "left: {there:#?}\nright: {people:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    // What was published of somebody before the erasure may be read after it.
    let refused = "SELECT count(*) FROM backfill_rejection WHERE code <> 'erased'";
    assert_eq!(sql(&road.database, refused).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_or_away_costs_no_record() {
    let mut broker = Broker::start().await;
    let road = Road::on(&broker, "document", &[]).await;
    step(&road.project, "start", json!({})).await;
    road.at_rest().await;
    for round in 0..3 {
        live(&road, round..round + 1).await;
        broker.kill();
        for number in 0..20 {
            road.identify(&format!("q-{number}"), json!({"round": round}))
                .await;
        }
        erase(&road.project, "q-19").await;
        wait_until("it is told that it waits", PATIENCE, async || {
            let status = road.status().await;
            status["reason"] != "" && status["backlog"] != 0
        })
        .await;
        broker.start_again().await;
        wait_until("everything is published", PATIENCE, async || {
            // The pauses are not waited for.
            sql(&road.database, "UPDATE mirror SET due_at = now()").await;
            road.status().await["backlog"] == 0
        })
        .await;
        let expected = documents(&road).await;
        assert!(expected.contains_key("q-0") && !expected.contains_key("q-19"));
        assert_eq!(road.received(&broker).await, expected, "round {round}");
    }
    assert_eq!(
        road.service
            .log
            .panics
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );
}

/// What the documents have to be: each person under the user id that is known longest.
pub async fn documents(road: &Road) -> BTreeMap<String, Value> {
    let question = format!(
        "SELECT json_build_object('id', (SELECT i.value FROM identity AS i WHERE i.profile_id = p.profile_id AND i.kind = 'user_id'
            ORDER BY i.first_seen, i.value LIMIT 1), 'traits', p.traits) FROM profile AS p
         WHERE p.project_id = {} AND p.merged_into IS NULL",
        road.project.id
    );
    let row = |text: &String| {
        let mut row: Value = serde_json::from_str(text).expect("JSON");
        let id = row["id"].as_str()?.to_owned();
        Some((id, row["traits"].take()))
    };
    let rows = sql(&road.database, &question).await;
    rows.iter().filter_map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_a_topic_does_not_take_is_listed_and_its_neighbours_go_on() {
    let broker = shared_broker().await;
    let small = [("max.message.bytes", "2000")];
    let road = Road::on(broker, "document", &small).await;
    step(&road.project, "start", json!({})).await;
    let long: String = (0..4_000)
        .map(|_| char::from(rand::random_range(b'!'..=b'~')))
        .collect();
    road.identify("ada", json!({"note": long})).await;
    road.identify("bob", json!({"note": "short"})).await;
    road.at_rest().await;
    assert_eq!(road.status().await["refused"], 1);
    let received = road.received(broker).await;
    assert_eq!(received.keys().collect::<Vec<_>>(), ["bob"]);
    road.identify("ada", json!({"note": "shorter"})).await;
    wait_until("what is mended is off the list", PATIENCE, async || {
        road.status().await["refused"] == 0
    })
    .await;
    road.at_rest().await;
    assert_eq!(road.received(broker).await, documents(&road).await);
}

/// What compaction leaves of a topic: the last record of each key.
async fn compacted(broker: &Broker, topic: &str) -> BTreeMap<String, Value> {
    let mut left = BTreeMap::new();
    for record in broker.records(topic).await {
        let key = String::from_utf8(record.key.expect("a key")).expect("text");
        let value = record.value.map(|value| serde_json::from_slice(&value));
        left.insert(key, value.expect("Roster's own").expect("JSON"));
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_was_erased_of_somebody_who_stays_no_key_of_a_topic_keeps_anything() {
    let broker = shared_broker().await;
    let road = Road::on(broker, "roster", &[]).await;
    step(&road.project, "start", json!({})).await;
    road.at_rest().await;
    let seen = json!({"type": "identify", "anonymousId": "anz", "traits": {"phone": "secret"}});
    road.project.results(&[seen]).await;
    road.at_rest().await;
    let known = json!({"type": "identify", "userId": "uz", "anonymousId": "anz", "traits": {"plan": "old"}});
    road.project.results(&[known]).await;
    road.at_rest().await;
    let at = Timestamp::new(jiff::Timestamp::now());
    road.identify("uz", json!({"plan": "new"})).await;
    let request = ErasureRequest {
        project_id: ProjectId(road.project.id),
        id: Uuid::new_v4(),
        at,
        is_forgotten: false,
        identities: vec![Identity::new(IdentityKind::UserId, "uz")],
        profiles: Vec::new(),
        kept: Some(Vec::new()),
    };
    let store = store_at(&road.database);
    store.erase(&request).await.expect("erased");
    road.at_rest().await;
    let left = compacted(broker, &road.topic).await;
    assert!(left.contains_key("uz") && left.contains_key("anonymous_id:anz"));
    let told = json!(left).to_string();
    assert!(told.contains("new") && !told.contains("secret"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_gets_everybody_and_one_that_is_gone_is_made_by_nobody() {
    let making = "auto.create.topics.enable=true\n";
    let broker = Broker::with(public_dir("kafka"), &[], making, &[]).await;
    let road = Road::on(&broker, "document", &[]).await;
    for number in 0..30 {
        road.identify(&format!("p-{number}"), json!({"n": number}))
            .await;
    }
    step(&road.project, "start", json!({})).await;
    road.at_rest().await;
    for is_noticed_before in [true, false] {
        wait_until("the topic was looked at", PATIENCE, async || {
            let ends = "jsonb_each(watched) AS t (name, ends), jsonb_array_elements_text(t.ends) AS e";
            let looked = format!("SELECT ((SELECT sum(e::NUMERIC) FROM {ends}) BETWEEN 30 AND 1000)::TEXT FROM mirror");
            sql(&road.database, &looked).await == ["true"]
        })
        .await;
        broker.delete_topic(&road.topic).await;
        if is_noticed_before {
            road.identify("p-0", json!({"n": "gone"})).await;
            wait_until("it is told that it is gone", PATIENCE, async || {
                let reason = road.status().await["reason"].take();
                reason
                    .as_str()
                    .is_some_and(|reason| reason.contains("there is no topic"))
            })
            .await;
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            assert!(!broker.has_topic(&road.topic), "nobody makes it");
        }
        broker.create_topic(&road.topic, 2, &[]).await;
        road.identify("p-1", json!({"again": is_noticed_before}))
            .await;
        wait_until("everybody is there again", PATIENCE, async || {
            sql(&road.database, "UPDATE mirror SET due_at = now()").await;
            road.at_rest().await;
            road.received(&broker).await == documents(&road).await
        })
        .await;
    }
}
