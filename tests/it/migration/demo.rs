//! The whole way out of a legacy store and back and out again, under an application that reads and writes all the time.
//! `make demo-migration` plays it with 200,000 people (`ROSTER_MIGRATION_PEOPLE`); a short form, of a thousand and as far as
//! the way back, is among the tests.

use super::application::{self, Application, MAPPING};
use crate::harness::{Project, ROSTER, Service, fresh_database, public_dir, sql, wait_until};
use crate::kafka::shared_broker;
use crate::ledger::Load;
use crate::legacy::{LegacyStore, shared_store};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// For what takes longer with more people.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// From so many people on no gate is passed by force, and strangers with a ledger live beside them.
const MANY: usize = 2_000;

fn people() -> usize {
    let given = std::env::var("ROSTER_MIGRATION_PEOPLE").ok();
    given.map_or(1_000, |text| text.parse().expect("a number"))
}

/// Among the other tests it ends with the way back.
fn is_whole_story() -> bool {
    std::env::var_os("ROSTER_MIGRATION_PEOPLE").is_some()
}

/// Servers, and who turns the screws.
struct Operator {
    people: usize,
    store: &'static LegacyStore,
    /// Of the index, the topic and the source.
    name: String,
    brokers: String,
    settings: PathBuf,
    mapping: PathBuf,
    database_url: String,
    project: Project,
    started: Instant,
}

impl Operator {
    async fn new() -> Self {
        let (broker, store) = (shared_broker().await, shared_store().await);
        let name = format!("people-{}", Uuid::new_v4().simple());
        broker.create_topic(&name, 4, &[]).await;
        let database_url = fresh_database().await;
        // It makes the tables.
        drop(Service::start(&database_url, &[]).await);
        let folder = public_dir("migration-demo");
        let own = Self {
            people: people(),
            store,
            project: Project::on("", &database_url).await,
            brokers: broker.address.clone(),
            settings: folder.join("roster.toml"),
            mapping: folder.join("people.toml"),
            name,
            database_url,
            started: Instant::now(),
        };
        std::fs::write(&own.mapping, MAPPING).expect("written");
        std::fs::write(&own.settings, own.settings_text()).expect("written");
        own
    }

    /// A walk waits for as long as a write may be under way: in a short form that is not long.
    fn write_deadline_ms(&self) -> u32 {
        if self.people < MANY { 2_000 } else { 8_000 }
    }

    /// Two processors carry all servers here: what is slow for that reason is waited for.
    fn settings_text(&self) -> String {
        format!(
            "[database]\nurl = \"{}\"\nstatement_timeout_ms = {deadline}\n[ingest]\nwrite_deadline_ms = {deadline}\n[legacy]\nurl = \"{}\"\n\
             [reads]\nlegacy_timeout_ms = 10000\ncompare_timeout_ms = 10000\n\
             [backfill.kafka]\n\"bootstrap.servers\" = \"{}\"\n\
             [[backfill.sources]]\nname = \"{name}\"\ntopic = \"{name}\"\nproject = \"{}\"\nmapping = \"{}\"\n",
            self.database_url,
            self.store.url,
            self.brokers,
            self.project.name,
            self.mapping.display(),
            name = self.name,
            deadline = self.write_deadline_ms(),
        )
    }

    async fn node(&self) -> Service {
        let settings = self.settings.to_str().expect("text");
        Service::start_by(ROSTER, &["--config", settings], &[]).await
    }

    fn tell(&self, what: &str) {
        eprintln!("{:>6.1} s  {what}", self.started.elapsed().as_secs_f64());
    }

    async fn fill(&self) {
        let settings = json!({
            "settings": {"number_of_shards": 3, "number_of_replicas": 0},
            // What is sent is kept, whatever the types of the documents before.
            "mappings": {"dynamic": false},
        });
        self.store.create(&self.name, settings).await;
        let all: Vec<usize> = (0..self.people).collect();
        for part in all.chunks(1_000) {
            let documents = part.iter().map(|number| application::document(*number));
            self.store
                .put(&self.name, &documents.collect::<Vec<_>>())
                .await;
        }
        self.tell(&format!("{} documents", self.people));
    }

    /// `roster …`, as it is typed.
    async fn command(&self, words: &[&str]) -> Output {
        let mut command = Command::new(ROSTER);
        command.arg("--config").arg(&self.settings).args(words);
        let running = tokio::task::spawn_blocking(move || command.output().expect("runs"));
        running.await.expect("no panic")
    }

    /// One that has to end well: what it says.
    async fn types(&self, words: &[&str]) -> String {
        self.tell(&format!("$ roster {}", words.join(" ")));
        let output = self.command(words).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {error}");
        let said = String::from_utf8(output.stdout).expect("text");
        self.tell(&format!("  {:.300}", said.trim()));
        said
    }

    /// `roster migration VERB PROJECT …`
    async fn migration(&self, verb: &str, more: &[&str]) -> String {
        let words = [&["migration", verb, self.project.name.as_str()], more].concat();
        self.types(&words).await
    }

    async fn status(&self) -> Value {
        let words = ["migration", "status", &self.project.name, "--json"];
        let output = self.command(&words).await;
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The gates that hold the next step up, with what they saw.
    async fn red(&self) -> Vec<(String, String)> {
        let status = self.status().await;
        let gates = status["gates"].as_array().expect("a list").iter();
        let text = |gate: &Value, name: &str| gate[name].as_str().expect("text").to_owned();
        let red = gates.filter(|gate| gate["holds"] == false);
        red.map(|gate| (text(gate, "name"), text(gate, "seen")))
            .collect()
    }

    /// Waits until no other gate is red than that.
    async fn until_green(&self, but: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let red = self.red().await;
            if red.iter().all(|(name, _)| name == but) {
                return;
            }
            assert!(Instant::now() < deadline, "{red:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The next step, once its gates allow it.
    async fn advance(&self, to: &str) {
        self.until_green("").await;
        let said = self.migration("advance", &[]).await;
        assert_eq!(said, format!("the migration is at {to}\n"));
    }

    /// Documents are whole.
    async fn is_walked(&self) {
        wait_until("everybody was marked", PATIENCE, async || {
            self.status().await["mirror"]["is_walked"] == true
        })
        .await;
    }

    /// Nothing is left to publish.
    async fn at_rest(&self) {
        wait_until("everything is published", PATIENCE, async || {
            let mirror = self.status().await["mirror"].take();
            mirror["backlog"] == 0 && mirror["is_walked"] == true
        })
        .await;
    }

    async fn backfill(&self, application: &Application) {
        // Whoever is erased between export and taking in is a record rejected, of which the gate allows one of a thousand.
        application.may_erase.store(false, Relaxed);
        // Whoever was in the middle of it is done.
        drop(application.rest().await);
        let (from, to) = (self.store.url.as_str(), self.brokers.as_str());
        let words = ["backfill", "export", "--from", from, "--index", &self.name];
        let words = [&words[..], &["--topic", &self.name, "--brokers", to]].concat();
        let told: Value = serde_json::from_str(&self.types(&words).await).expect("JSON");
        let documents = told["documents"].as_u64().expect("a count");
        assert!(documents > self.people as u64 / 2, "{told}");
        self.until_green("").await;
        application.may_erase.store(true, Relaxed);
        let backfill = self.status().await["backfill"].take();
        self.tell(&format!("taken in: {backfill:.300}"));
        let taken = ["stored", "unchanged", "rejected"]
            .map(|name| backfill[name].as_u64().expect("a count"));
        assert!(taken.iter().sum::<u64>() >= documents, "{backfill}");
    }

    /// Whole documents, a clean verification, compared reads; then reads are Roster's.
    async fn cut_over(&self) {
        self.is_walked().await;
        self.migration("verify", &[]).await;
        self.migration("reads", &["compare"]).await;
        if self.people >= MANY {
            self.advance("cut_over").await;
        } else {
            self.force_what_is_compared().await;
        }
        assert_eq!(self.status().await["reads"]["source"], "roster");
    }

    /// Ten thousand compared reads are more than a short form makes: that gate alone is passed, and it is kept that it was.
    async fn force_what_is_compared(&self) {
        self.until_green("mismatches").await;
        let red = self.red().await;
        assert_eq!(red.len(), 1, "{red:?}");
        assert!(
            red[0].0 == "mismatches"
                && (red[0].1.starts_with("0 of ") || red[0].1.starts_with("nothing")),
            "{red:?}"
        );
        self.migration("advance", &["--force", "few people, few reads"])
            .await;
        let history = self.migration("history", &[]).await;
        let last: Value =
            serde_json::from_str(history.lines().last().expect("a step")).expect("JSON");
        assert_eq!(
            (&last["forced"], &last["reason"], &last["to"]),
            (
                &json!(true),
                &json!("few people, few reads"),
                &json!("cut_over")
            )
        );
        let gates = last["gates"].as_array().expect("a list").iter();
        let passed: Vec<&Value> = gates
            .filter(|gate| gate["holds"] == false)
            .map(|gate| &gate["name"])
            .collect();
        assert_eq!(passed, ["mismatches"], "{last}");
    }

    /// The application writes and reads so much more, and nothing was wrong so far.
    async fn goes_on(&self, application: &Application, writes: usize) {
        let wanted = application.writes.load(Relaxed) + writes;
        wait_until("the application goes on", PATIENCE, async || {
            application.writes.load(Relaxed) >= wanted || !application.faults().is_empty()
        })
        .await;
        self.is_right(application);
    }

    fn is_right(&self, application: &Application) {
        let faults = application.faults();
        let some: Vec<&String> = faults.iter().take(20).collect();
        let told = [&application.writes, &application.reads].map(|count| count.load(Relaxed));
        self.tell(&format!(
            "{} writes and {} reads, {} wrong",
            told[0],
            told[1],
            faults.len()
        ));
        assert!(faults.is_empty(), "{} faults: {some:#?}", faults.len());
    }

    /// While the application rests: every document is what the model says, and there is no other.
    async fn legacy_is_whole(&self, application: &Application) {
        self.at_rest().await;
        application.look_at_all().await;
        self.is_right(application);
        let refresh = format!("{}/_refresh", self.name);
        self.store.ask(Method::POST, &refresh, None).await;
        let (_, counted) = self
            .store
            .ask(Method::GET, &format!("{}/_count", self.name), None)
            .await;
        assert_eq!(counted["count"], application.living(), "{counted}");
        self.tell(&format!(
            "{} documents, all as the model says",
            counted["count"]
        ));
    }

    /// Roster alone answers, as the model says.
    async fn roster_is_whole(&self, application: &Application) {
        application.look_at_all().await;
        self.is_right(application);
        let of_project = format!("project_id = {}", self.project.id);
        let people =
            format!("SELECT count(*) FROM profile WHERE {of_project} AND merged_into IS NULL");
        assert_eq!(
            sql(&self.database_url, &people).await,
            [application.living().to_string()]
        );
        let events = format!("SELECT count(*) FROM event WHERE {of_project} AND name = 'Seen'");
        assert_eq!(
            sql(&self.database_url, &events).await,
            [application.events().to_string()]
        );
        self.tell("every person and every event is what the model says");
    }

    /// From the plan to the way back.
    async fn there_and_back(&self, application: &Application) {
        self.goes_on(application, 100).await;
        self.migration("start", &[]).await;
        application.may_erase.store(true, Relaxed);
        self.advance("backfill").await;
        self.backfill(application).await;
        self.advance("verify").await;
        self.migration("verify", &[]).await;
        self.advance("compare").await;
        self.cut_over().await;
        self.goes_on(application, 150).await;
        self.migration("rollback", &["--reason", "a drill"]).await;
        assert_eq!(self.status().await["reads"]["source"], "legacy");
        self.goes_on(application, 150).await;
        self.migration("verify", &["--direction", "reverse"]).await;
        let _rest = application.rest().await;
        self.legacy_is_whole(application).await;
    }

    /// Once more, to the end.
    async fn forward_again(&self, application: &Application) {
        self.migration("start", &[]).await;
        for state in ["backfill", "verify"] {
            self.advance(state).await;
        }
        self.migration("verify", &[]).await;
        self.advance("compare").await;
        self.cut_over().await;
        self.goes_on(application, 150).await;
        for state in ["soak", "done"] {
            self.advance(state).await;
        }
        self.goes_on(application, 100).await;
        let _rest = application.rest().await;
        self.roster_is_whole(application).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_demo_people_move_under_an_application_that_notices_nothing() {
    let operator = Operator::new().await;
    operator.fill().await;
    let nodes = [operator.node().await, operator.node().await];
    let urls = [nodes[0].url.as_str(), nodes[1].url.as_str()];
    let project = |url: &&str| operator.project.through(url);
    let application = Application::of(operator.people, [project(&urls[0]), project(&urls[1])]);
    let strangers = Project::on(urls[0], &operator.database_url).await;

    let mapping = operator.mapping.to_str().expect("text");
    let (index, source) = (operator.name.as_str(), operator.name.as_str());
    let plan = [
        "--mapping",
        mapping,
        "--index",
        index,
        "--source",
        source,
        "--soak-hours",
        "0",
    ];
    operator.migration("plan", &plan).await;
    operator.migration("reads", &["legacy"]).await;
    for url in &urls {
        let node = project(url);
        wait_until("it reads from the legacy store", PATIENCE, async || {
            node.get("/v1/profiles/user_id:p0").await.1["source"] == "legacy"
        })
        .await;
    }
    let is_long = operator.people >= MANY;
    let load = is_long.then(|| Load::small(&strangers, &urls));
    let story = async {
        operator.there_and_back(&application).await;
        if is_whole_story() {
            operator.forward_again(&application).await;
        }
        application.end();
    };
    tokio::join!(application.live(), story);
    operator.is_right(&application);
    if let Some(load) = load {
        load.must_be_clean("strangers beside the migration", &operator.database_url)
            .await;
    }
    operator
        .store
        .ask(Method::DELETE, &operator.name, None)
        .await;
}
