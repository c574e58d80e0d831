//! The mirror: what Roster commits, in a real legacy store too, whatever happens to the relay and to the store.

pub mod between;
mod blocked;
mod both;
mod erased;
mod faults;
mod foreign;
mod joined;
mod killed;
mod named;
mod odd;
mod seeds;
mod targets;
mod topic;
mod unmoved;

use crate::harness::{Project, Service, fresh_database, sql, wait_until};
use crate::legacy::{LegacyStore, shared_store};
use crate::migration::{MAPPING, step};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(90);
/// So that what may be in flight is over soon, and a busy machine makes no store late.
pub const QUICK: [(&str, &str); 4] = [
    ("ROSTER__READS__LEGACY_TIMEOUT_MS", "5000"),
    ("ROSTER__READS__COMPARE_TIMEOUT_MS", "5000"),
    ("ROSTER__INGEST__WRITE_DEADLINE_MS", "1000"),
    ("ROSTER__DATABASE__STATEMENT_TIMEOUT_MS", "1000"),
];

/// For work that is measured by what it finds: a busy machine is waited for.
const PATIENT: [(&str, &str); 6] = [
    ("ROSTER__SERVER__REQUEST_TIMEOUT_MS", "60000"),
    ("ROSTER__INGEST__WRITE_DEADLINE_MS", "30000"),
    ("ROSTER__DATABASE__STATEMENT_TIMEOUT_MS", "30000"),
    ("ROSTER__DATABASE__WAIT_TIMEOUT_MS", "30000"),
    ("ROSTER__DATABASE__CONNECT_TIMEOUT_MS", "30000"),
    ("ROSTER__READS__WAIT_TIMEOUT_MS", "30000"),
];

/// A project that is mirrored into an index of its own.
pub struct Scene {
    pub database: String,
    pub store: &'static LegacyStore,
    pub index: String,
    pub service: Option<Service>,
    pub project: Project,
}

impl Scene {
    pub async fn with(settings: Value) -> Self {
        let url = shared_store().await.url.clone();
        Self::behind(&url, settings).await
    }

    /// The same with something between Roster and the store.
    pub async fn behind(url: &str, settings: Value) -> Self {
        let (store, database) = (shared_store().await, fresh_database().await);
        Self::on(database, (store, url), settings).await
    }

    /// In a database, with a store that is reached at an address.
    pub async fn on(
        database: String,
        (store, url): (&'static LegacyStore, &str),
        settings: Value,
    ) -> Self {
        Self::of(database, (store, url), settings, &[]).await
    }

    /// On a node that gives up late, in the long form.
    pub async fn patient() -> Self {
        let (store, database) = (shared_store().await, fresh_database().await);
        let settings = json!({"settings": {"number_of_replicas": 0}});
        let more = crate::forms::of_form(&[][..], &PATIENT[..]);
        Self::of(database, (store, &store.url), settings, more).await
    }

    async fn of(
        database: String,
        (store, url): (&'static LegacyStore, &str),
        settings: Value,
        more: &[(&str, &str)],
    ) -> Self {
        let index = format!("people-{}", Uuid::new_v4().simple());
        store.create(&index, settings).await;
        let service = Self::node(&database, url, more).await;
        let project = Project::on(&service.url, &database).await;
        let plan = json!({"mapping": MAPPING, "index": index});
        step(&project, "plan", plan).await;
        Self {
            database,
            store,
            index,
            service: Some(service),
            project,
        }
    }

    pub async fn fresh() -> Self {
        Self::with(json!({"settings": {"number_of_replicas": 0}})).await
    }

    pub async fn node(database: &str, legacy: &str, more: &[(&str, &str)]) -> Service {
        let settings = [&QUICK[..], &[("ROSTER__LEGACY__URL", legacy)], more].concat();
        Service::start(database, &settings).await
    }

    pub async fn start(&self) {
        step(&self.project, "start", json!({})).await;
    }

    /// Nothing is left to publish.
    pub async fn at_rest(&self) {
        self.rests_within(PATIENCE).await;
    }

    pub async fn rests_within(&self, patience: Duration) {
        wait_until("everything is published", patience, async || {
            let mirror = self.status().await;
            mirror["backlog"] == 0 && mirror["is_walked"] == true
        })
        .await;
    }

    pub async fn status(&self) -> Value {
        self.project.read("/v1/migration").await["mirror"].take()
    }

    pub async fn document(&self, id: &str) -> Option<Value> {
        let path = format!("{}/_doc/{id}", self.index);
        let (_, mut found) = self.store.ask(Method::GET, &path, None).await;
        (found["found"] == true).then(|| found["_source"].take())
    }

    /// What stands in a document beside its time.
    pub async fn without_time(&self, id: &str) -> Value {
        let mut document = self.document(id).await.expect("one");
        let members = document.as_object_mut().expect("an object");
        members.remove("updated_at");
        document
    }

    pub async fn version(&self, id: &str) -> i64 {
        let path = format!("{}/_doc/{id}", self.index);
        let (_, found) = self.store.ask(Method::GET, &path, None).await;
        found["_version"].as_i64().expect("a version")
    }

    /// All documents, without what the mapping drops.
    async fn documents(&self) -> BTreeMap<String, Value> {
        let refresh = format!("{}/_refresh", self.index);
        self.store.ask(Method::POST, &refresh, None).await;
        let path = format!("{}/_search?size=10000", self.index);
        let (_, found) = self.store.ask(Method::GET, &path, None).await;
        let hits = found["hits"]["hits"].as_array().expect("hits").iter();
        let hit = |hit: &Value| {
            let mut source = hit["_source"].clone();
            let members = source.as_object_mut().expect("an object");
            members.remove("updated_at");
            members.remove("secret");
            (hit["_id"].as_str().expect("an id").to_owned(), source)
        };
        hits.map(hit).collect()
    }

    /// What the documents have to be: each person under the user id that is known longest.
    pub async fn people(&self) -> BTreeMap<String, Value> {
        let question = format!(
            "SELECT json_build_object('id', (SELECT i.value FROM identity AS i WHERE i.profile_id = p.profile_id AND i.kind = 'user_id'
                ORDER BY i.first_seen, i.value LIMIT 1), 'traits', p.traits) FROM profile AS p
             WHERE p.project_id = {} AND p.merged_into IS NULL",
            self.project.id
        );
        let rows = sql(&self.database, &question).await;
        let row = |text: &String| {
            let mut row: Value = serde_json::from_str(text).expect("JSON");
            let id = row["id"].as_str()?.to_owned();
            Some((id, row["traits"].take()))
        };
        rows.iter().filter_map(row).collect()
    }

    pub async fn is_equal(&self) {
        self.at_rest().await;
        assert_eq!(self.documents().await, self.people().await);
    }

    /// The same, of so many people.
    pub async fn is_equal_to(&self, people: usize) {
        self.is_equal().await;
        assert_eq!(self.documents().await.len(), people);
    }

    pub async fn identify(&self, project: &Project, user: &str, traits: Value) {
        let call = json!({"type": "identify", "userId": user, "traits": traits});
        let results = project.results(&[call]).await;
        assert_eq!(results[0]["status"], "stored", "{results:?}");
    }

    pub async fn erase(&self, user: &str) {
        erase(&self.project, user).await;
    }

    pub async fn merge(&self, into: &str, from: &str) {
        merge(&self.project, into, from).await;
    }
}

/// Joins two people by hand.
pub async fn merge(project: &Project, into: &str, from: &str) {
    let url = format!("{}/v1/profiles/user_id:{into}/merge", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let reply = request
        .json(&json!({"from": format!("user_id:{from}")}))
        .send()
        .await;
    assert!(reply.expect("an answer").status().is_success());
}

/// Takes a person away by hand.
pub async fn erase(project: &Project, user: &str) {
    let mut url = reqwest::Url::parse(&project.url).expect("a URL");
    let reference = format!("user_id:{user}");
    let path = ["v1", "profiles", &reference];
    url.path_segments_mut()
        .expect("a base")
        .clear()
        .extend(path);
    let request = project.client.delete(url).bearer_auth(&project.server_key);
    let reply = request.send().await.expect("an answer");
    assert!(reply.status().is_success());
}

/// The short form's number, or the long one's.
pub fn of_form(short: u32, long: u32) -> u32 {
    match std::env::var("ROSTER_FAULTS").as_deref() {
        Ok("long") => long,
        _ => short,
    }
}

/// Whoever had the turn was killed: his time is over at once.
pub async fn release_turn(database: &str) {
    let release = "UPDATE worker SET expires_at = now(), due_at = now() WHERE name = 'mirror'";
    sql(database, release).await;
}

/// Twenty people change on two nodes; some become one, some are erased, one comes back.
async fn live(scene: &Scene, there: &Project) {
    for round in 0..5 {
        for number in 0..20 {
            let project = [&scene.project, there][(number + round) % 2];
            let gone = if round < 4 { json!(1) } else { Value::Null };
            let traits = json!({"plan": format!("r-{round}"), "gone": gone});
            scene
                .identify(project, &format!("p-{number}"), traits)
                .await;
        }
    }
    scene.merge("p-2", "p-3").await;
    scene.merge("p-4", "p-5").await;
    scene.erase("p-6").await;
    scene.erase("p-7").await;
    scene.identify(there, "p-7", json!({"plan": "back"})).await;
    let seen = json!({"type": "track", "event": "Seen", "anonymousId": "phone"});
    there.results(&[seen]).await;
}

/// What Roster knows lies over what it does not know.
async fn is_laid_over(scene: &Scene) {
    let document = scene.without_time("p-0").await;
    let laid_over = json!({"plan": "r-4", "number": 0, "city": "Ulm", "secret": "p-0"});
    assert_eq!(document, laid_over, "what Roster did not know stays");
    let timeless = scene.document("p-8").await.expect("one");
    let told = (&timeless["city"], &timeless["plan"]);
    assert_eq!(
        told,
        (&json!("Bonn"), &json!("r-4")),
        "so does what has no time"
    );
    assert!(
        scene.document("legacy-only").await.is_some(),
        "nobody's to touch"
    );
    assert_eq!(scene.document("p-6").await, None, "erased");
    let back = scene.document("p-7").await.expect("came back");
    assert_eq!(
        (&back["plan"], &back["secret"]),
        (&json!("back"), &Value::Null),
        "nothing of before"
    );
    let both = [scene.document("p-2").await, scene.document("p-3").await];
    assert_eq!(
        both.iter().flatten().count(),
        1,
        "two ids of one person have one document"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_nodes_write_is_in_the_legacy_store_at_rest() {
    let scene = Scene::fresh().await;
    let second = Scene::node(&scene.database, &scene.store.url, &[]).await;
    let there = scene.project.through(&second.url);
    let old = |name: &str| {
        let text = json!({"plan": "old", "city": "Ulm", "secret": name, "updated_at": "2020-01-01T00:00:00Z"});
        (name.to_owned(), text.to_string())
    };
    let old = ["p-0", "p-1", "p-7", "legacy-only"].map(old);
    scene.store.put(&scene.index, &old).await;
    let timeless = json!({"city": "Bonn", "secret": "p-8"}).to_string();
    let timeless = [("p-8".to_owned(), timeless)];
    scene.store.put(&scene.index, &timeless).await;
    for number in 0..20 {
        let traits = json!({"plan": "before", "number": number});
        scene
            .identify(&scene.project, &format!("p-{number}"), traits)
            .await;
    }
    scene.start().await;
    live(&scene, &there).await;
    scene.at_rest().await;
    is_laid_over(&scene).await;

    // From compare on documents are what Roster says, beside what the mapping drops.
    let force = json!({"force": true, "reason": "a drill"});
    for _ in 0..3 {
        step(&scene.project, "advance", force.clone()).await;
    }
    scene.at_rest().await;
    scene
        .store
        .delete(&scene.index, &["legacy-only".to_owned()])
        .await;
    for (id, city) in [("p-0", json!("Ulm")), ("p-8", Value::Null)] {
        let document = scene.document(id).await.expect("one");
        let told = (&document["city"], &document["secret"]);
        assert_eq!(told, (&city, &json!(id)), "what has a time was taken in");
    }
    step(&scene.project, "rollback", json!({})).await;
    live(&scene, &there).await;
    scene.is_equal().await;
    let status = scene.status().await;
    let told = (
        &status["refused"],
        &status["foreign_writes"],
        &status["reason"],
    );
    assert_eq!(told, (&json!(0), &json!(0), &json!("")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_between_publishing_and_deleting_the_mark_loses_nothing() {
    let mut scene = Scene::fresh().await;
    scene.start().await;
    scene.at_rest().await;
    drop(scene.service.take());
    let writer = Service::start(&scene.database, &QUICK).await;
    scene.project = scene.project.through(&writer.url);
    for round in 0..of_form(5, 20) {
        let at_instant = [("FAILPOINTS", "mirror-published=pause")];
        release_turn(&scene.database).await;
        let relay = Scene::node(&scene.database, &scene.store.url, &at_instant).await;
        scene
            .identify(&scene.project, "ada", json!({"round": round}))
            .await;
        wait_until("it is published", PATIENCE, async || {
            scene
                .document("ada")
                .await
                .is_some_and(|document| document["round"] == round)
        })
        .await;
        if round % 5 == 4 {
            scene.erase("ada").await;
        }
        relay.kill();
        assert!(
            scene.status().await["backlog"] != 0,
            "the mark is still there"
        );
    }
    release_turn(&scene.database).await;
    let _relay = Scene::node(&scene.database, &scene.store.url, &[]).await;
    scene.is_equal().await;
    assert_eq!(scene.document("ada").await, None);
}

/// The erased are looked for once more later; whoever is erased again until then waits since then, not since the first time.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_follows_another_is_no_older_than_itself() {
    let scene = Scene::fresh().await;
    scene.start().await;
    scene.identify(&scene.project, "ada", json!({"n": 1})).await;
    scene.at_rest().await;
    scene.erase("ada").await;
    scene.at_rest().await;
    crate::reads::stop_relay(&scene).await;
    let long_ago = "UPDATE outbox_gone SET marked_at = now() - INTERVAL '1 minute'";
    sql(&scene.database, long_ago).await;
    scene.erase("ada").await;
    let status = scene.status().await;
    assert_eq!(status["backlog"], 1, "{status}");
    assert!(
        status["lag_seconds"].as_f64().expect("an age") < 30.0,
        "{status}"
    );
}
