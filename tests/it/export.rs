//! Documents of a real legacy store into a real topic: all of them, again when they change, and told when they are gone.

mod refusals;

use crate::harness::{ROSTER, shared};
use crate::kafka::{Broker, Sent, shared_broker};
use crate::legacy::{LegacyStore, shared_store};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use uuid::Uuid;

/// An index and a topic of a test's own.
struct Way<'a> {
    store: &'a LegacyStore,
    broker: &'a Broker,
    /// Where the command looks for them.
    url: String,
    brokers: String,
    index: String,
    topic: String,
    database_url: String,
}

/// `roster backfill export`.
pub fn command(url: &str, index: &str, topic: &str, brokers: &str, database_url: &str) -> Command {
    let mut command = Command::new(ROSTER);
    command.args(["--database-url", database_url, "backfill", "export"]);
    command.args(["--from", url, "--index", index]);
    command.args(["--topic", topic, "--brokers", brokers]);
    command
}

async fn output(mut command: Command) -> Output {
    let running = tokio::task::spawn_blocking(move || command.output().expect("runs"));
    running.await.expect("no panic")
}

/// What a pass says of itself that has to end well.
pub async fn passed(command: Command) -> Value {
    let output = output(command).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

impl<'a> Way<'a> {
    async fn on(store: &'a LegacyStore, broker: &'a Broker, settings: Value) -> Self {
        let name = format!("people-{}", Uuid::new_v4().simple());
        store.create(&name, settings).await;
        let usual = [("max.message.bytes", "1048588")];
        broker.create_topic(&name, 3, &usual).await;
        Self {
            store,
            broker,
            url: store.url.clone(),
            brokers: broker.address.clone(),
            index: name.clone(),
            topic: name,
            database_url: shared().await.database_url.clone(),
        }
    }

    async fn fresh(shards: u32) -> Way<'static> {
        let settings = json!({"settings": {"number_of_shards": shards, "number_of_replicas": 0}});
        Way::on(shared_store().await, shared_broker().await, settings).await
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = command(
            &self.url,
            &self.index,
            &self.topic,
            &self.brokers,
            &self.database_url,
        );
        command.args(more);
        command
    }

    async fn run(&self, more: &[&str]) -> Output {
        output(self.command(more)).await
    }

    /// A pass that has to end well: what it says of itself.
    async fn pass(&self, more: &[&str]) -> Value {
        passed(self.command(more)).await
    }

    /// One that has to fail: its last words.
    async fn refusal(&self, more: &[&str]) -> String {
        let output = self.run(more).await;
        assert!(!output.status.success(), "it ended well");
        let error = String::from_utf8(output.stderr).expect("text");
        error.lines().last().unwrap_or_default().to_owned()
    }

    /// The last record of each key, as text.
    async fn last(&self) -> BTreeMap<String, String> {
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.expect("there")).expect("text");
        let mut records = self.broker.records(&self.topic).await;
        // One key is in one partition: its records come in order.
        let pairs = records
            .drain(..)
            .map(|sent: Sent| (text(sent.key), text(sent.value)));
        pairs.collect()
    }

    async fn put(&self, ids: std::ops::Range<usize>, version: usize) {
        let documents = ids.map(|id| (format!("p{id}"), document(id, version)));
        self.store
            .put(&self.index, &documents.collect::<Vec<_>>())
            .await;
    }

    /// Every document of the topic is the one of this version.
    async fn has(&self, ids: std::ops::Range<usize>, version: usize) {
        let last = self.last().await;
        for id in ids {
            let found = last.get(&format!("p{id}"));
            let found = found.unwrap_or_else(|| panic!("p{id} is missing"));
            assert!(found.contains(&document(id, version)), "{found}");
        }
    }
}

/// Numbers that a JSON library may well round, and texts that it may write otherwise.
fn document(id: usize, version: usize) -> String {
    format!(
        r#"{{"n":{id}, "big":12345678901234{id:05}, "x":1.10,"v":{version},"tags":["a"],"name":"M\u00fcller"}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_sends_every_document_once_then_what_changed_then_what_is_gone() {
    let way = Way::fresh(3).await;
    way.put(0..700, 1).await;
    let first = way.pass(&["--slices", "8"]).await;
    assert_eq!(first["documents"], 700);
    way.has(0..700, 1).await;
    assert_eq!(way.broker.ends(&way.topic).iter().sum::<i64>(), 700);

    way.put(10..20, 2).await;
    way.put(700..705, 1).await;
    let second = way.pass(&[]).await;
    assert_eq!(second["documents"], 15);
    way.has(10..20, 2).await;

    let gone: Vec<String> = (0..5).map(|id| format!("p{id}")).collect();
    way.store.delete(&way.index, &gone).await;
    let third = way.pass(&["--deleted"]).await;
    assert_eq!(
        (&third["documents"], &third["gone"]),
        (&json!(0), &json!(5))
    );
    let last = way.last().await;
    for id in &gone {
        let told: Value = serde_json::from_str(&last[id]).expect("JSON");
        assert_eq!(
            (&told["found"], &told["_source"]["v"]),
            (&json!(false), &json!(1))
        );
        assert!(told["deleted_at"].is_string());
    }
    assert_eq!(way.pass(&["--deleted"]).await["gone"], 0, "it is said once");
}

/// An index that never refreshes by itself, shards without documents, one id twice by its routing, nested objects.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_reads_what_no_search_would_show() {
    let settings = json!({
        "settings": {"number_of_shards": 12, "number_of_replicas": 0, "refresh_interval": "-1"},
        "mappings": {"properties": {"cars": {"type": "nested"}}},
    });
    let way = Way::on(shared_store().await, shared_broker().await, settings).await;
    for (routing, plan) in [("a", "free"), ("b", "pro"), ("zz", "old")] {
        let path = format!("{}/_doc/5?routing={routing}", way.index);
        let document = json!({"plan": plan, "cars": [{"make": "Fiat"}, {"make": "VW"}]});
        way.store.ask(Method::PUT, &path, Some(document)).await;
    }
    let path = format!("{}/_doc/%5B%225%22%2C%22a%22%5D", way.index);
    way.store
        .ask(Method::PUT, &path, Some(json!({"plan": "text"})))
        .await;
    assert_eq!(way.pass(&["--slices", "2"]).await["documents"], 4);
    let last = way.last().await;
    assert_eq!(last.len(), 4, "{last:?}");
    assert!(last[r#"["5","b"]"#].contains("pro"));
    assert!(last[r#"["[\"5\",\"a\"]"]"#].contains("text"));
}

/// The process is killed, then the store: both go on, and documents that changed meanwhile come as they are now.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_survives_its_own_death_and_the_stores() {
    let store = LegacyStore::start().await;
    let settings = json!({"settings": {"number_of_shards": 2, "number_of_replicas": 0}});
    let way = Way::on(&store, shared_broker().await, settings).await;
    way.put(0..3_000, 1).await;
    let slow = ["--documents-per-second", "1500", "--slices", "3"];
    let mut sent = 0;
    for _ in 0..3 {
        let mut child = way
            .command(&slow)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        goes_beyond(&way, sent).await;
        child.kill().expect("kill -9");
        child.wait().expect("ended");
        sent = way.broker.ends(&way.topic).iter().sum::<i64>();
        // Its lease is not given back by who is killed.
        release(&way).await;
    }
    way.put(0..100, 2).await;
    let mut running = way
        .command(&slow)
        .stdout(Stdio::null())
        .spawn()
        .expect("starts");
    goes_beyond(&way, sent).await;
    store.kill();
    store.start_again().await;
    let ended = tokio::task::spawn_blocking(move || running.wait().expect("ends"));
    assert!(ended.await.expect("no panic").success());
    way.has(0..100, 2).await;
    way.has(100..3_000, 1).await;
}

async fn goes_beyond(way: &Way<'_>, sent: i64) {
    crate::harness::wait_until("more is sent", Duration::from_secs(60), async || {
        way.broker.ends(&way.topic).iter().sum::<i64>() > sent
    })
    .await;
}

async fn release(way: &Way<'_>) {
    let statement = format!(
        "DELETE FROM lease WHERE name = 'export {} to {}'",
        way.index, way.topic
    );
    crate::harness::sql(&way.database_url, &statement).await;
}
