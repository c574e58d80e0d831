//! What a run needs: topics, and a service that knows them and holds still until it is told to go.

use super::watch::{Done, Watch};
use crate::backfill::{OwnTopic, Source, try_out};
use crate::bench::legacy::{self, MAPPING, ROWS_MAPPING};
use crate::bench::plan::{Kind, Settings};
use crate::bench::raw;
use crate::bench::stage::{Service, ask, new_name};
use crate::bench::tally::{Tally, Turn};
use crate::config::{BackfillSource, Config, Secret};
use crate::domain::{Code, Command, Gate, Rejection};
use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_postgres::Client;

const PARTITIONS: i32 = 4;
/// How long a source goes before it is measured: its pace begins low.
const WARM_UP: Duration = Duration::from_secs(5);

/// A topic with so many records; its name is the source's too.
pub struct Filled {
    topic: OwnTopic,
    pub records: u64,
}

impl Filled {
    pub fn name(&self) -> &str {
        &self.topic.name
    }

    async fn fill(
        brokers: &str,
        records: u64,
        record: impl Fn(u64) -> (String, String),
    ) -> Result<Self> {
        let told = |text: String| anyhow!(text);
        let made = OwnTopic::create(brokers, &new_name(), PARTITIONS).await;
        let topic = made.map_err(told)?;
        for index in 0..records {
            let (key, value) = record(index);
            topic.put(&key, &value).map_err(told)?;
        }
        let found = topic.flush().map_err(told)?;
        ensure!(
            found == records,
            "the topic has {found} of {records} records"
        );
        Ok(Self { topic, records })
    }
}

/// Both topics.
pub struct Topics {
    pub brokers: String,
    pub new: Filled,
    changed: Filled,
}

impl Topics {
    pub async fn fill(settings: &Settings) -> Result<Self> {
        let (brokers, records) = (settings.legacy.brokers.clone(), settings.legacy.records);
        let brokers = brokers.context("--brokers")?;
        let known = |index| legacy::known_person(index, settings.people);
        let person = match settings.legacy.sink {
            Some(_) => legacy::new_row,
            None => legacy::new_person,
        };
        let new = Filled::fill(&brokers, records, person).await?;
        let changed = Filled::fill(&brokers, records / 2, known).await?;
        eprintln!("two topics with {records} and {} records", records / 2);
        Ok(Self {
            brokers,
            new,
            changed,
        })
    }

    pub async fn delete(self) -> Result<()> {
        for filled in [self.new, self.changed] {
            let deleted = filled.topic.delete().await;
            deleted.map_err(|text| anyhow!(text))?;
        }
        Ok(())
    }

    /// The settings of a service that takes both into a project.
    fn settings(&self, project: &str, mappings: [&Path; 2]) -> String {
        let mut text = format!(
            "[backfill.kafka]\n\"bootstrap.servers\" = {:?}\n",
            self.brokers
        );
        for (filled, mapping) in [&self.new, &self.changed].into_iter().zip(mappings) {
            let name = filled.name();
            text += &format!(
                "[[backfill.sources]]\nname = {name:?}\ntopic = {name:?}\nproject = {project:?}\nmapping = {mapping:?}\n"
            );
        }
        text
    }
}

/// The service and its topics.
pub struct Scene<'a> {
    pub service: Service,
    pub topics: &'a Topics,
    source: Source,
    pub folder: PathBuf,
    connections: JoinSet<()>,
}

impl<'a> Scene<'a> {
    pub async fn start(
        settings: &Settings,
        config: &Config,
        url: &str,
        topics: &'a Topics,
    ) -> Result<Self> {
        let (name, folder) = (new_name(), std::env::temp_dir().join(new_name()));
        std::fs::create_dir(&folder)?;
        let file = folder.join("roster.toml");
        let (new, changed) = (folder.join("new.toml"), folder.join("changed.toml"));
        let mapping = settings
            .legacy
            .sink
            .as_ref()
            .map_or(MAPPING, |_| ROWS_MAPPING);
        std::fs::write(&new, mapping)?;
        std::fs::write(&changed, MAPPING)?;
        std::fs::write(&file, topics.settings(&name, [&new, &changed]))?;
        ask(url, &["migrate"]).await?;
        let mut connections = JoinSet::new();
        let client = raw::connect(url, &mut connections).await?;
        for filled in [&topics.new, &topics.changed] {
            // Held before the service sees it.
            let nobody: Option<jiff::Timestamp> = None;
            let open = raw::prepare(&client, "open_source").await?;
            client.execute(&open, &[&filled.name(), &nobody]).await?;
            set(&client, filled.name(), "paused").await?;
        }
        let arguments = ["--config", file.to_str().context("a folder with a name")?];
        let service =
            Service::start_with(settings.people, url, (&name, &arguments), &mut connections);
        Ok(Self {
            service: service.await?,
            source: source(config, topics, &new)?,
            topics,
            folder,
            connections,
        })
    }

    pub async fn stop(self) -> Result<()> {
        self.service.stop().await?;
        drop(self.connections);
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }

    /// The first parts of the road, in this process: what they cost is under `load`.
    pub fn try_out(&self, settings: &Settings, kind: Kind, round: usize) -> Result<Turn> {
        let (before, started) = (self.service.processes.cpu(), Instant::now());
        let end = started + Duration::from_secs(settings.seconds);
        let read = try_out(&self.source, kind == Kind::LegacyMapped, end);
        let items = read.map_err(|text| anyhow!(text))?;
        Ok(Turn {
            kind,
            round,
            tally: Tally::of(items),
            seconds: started.elapsed().as_secs_f64(),
            cpu: self.service.processes.cpu() - before,
        })
    }

    /// The whole road, alone.
    pub async fn take(&self, settings: &Settings, kind: Kind, round: usize) -> Result<Turn> {
        let filled = match kind {
            Kind::LegacyChanged => &self.topics.changed,
            _ => &self.topics.new,
        };
        let mut watch = Watch::open(&self.service).await?;
        self.let_go(filled).await?;
        watch.wait(filled.name(), true).await?;
        sleep(WARM_UP).await;
        let before = (
            watch.done(filled.name()).await?,
            self.service.processes.cpu(),
        );
        let started = Instant::now();
        sleep(Duration::from_secs(settings.seconds)).await;
        let (done, seconds) = (watch.done(filled.name()).await?, started.elapsed());
        let cpu = self.service.processes.cpu() - before.1;
        ensure!(
            done.all() < filled.records,
            "a topic is at its end: more --records"
        );
        self.hold(filled, &mut watch).await?;
        Ok(Turn {
            kind,
            round,
            tally: Tally::of(done.all() - before.0.all()),
            seconds: seconds.as_secs_f64(),
            cpu,
        })
    }

    /// Lets a source go.
    pub async fn let_go(&self, filled: &Filled) -> Result<()> {
        set(&self.service.client, filled.name(), "running").await
    }

    /// Holds a source, and waits until it stands still.
    async fn hold(&self, filled: &Filled, watch: &mut Watch) -> Result<()> {
        self.tell_to_hold(filled).await?;
        watch.wait(filled.name(), false).await
    }

    /// Holds a source within seconds.
    pub async fn tell_to_hold(&self, filled: &Filled) -> Result<()> {
        set(&self.service.client, filled.name(), "paused").await
    }

    /// People who were new and are stored.
    pub async fn stored(&self) -> Result<u64> {
        let mut watch = Watch::open(&self.service).await?;
        let Done { stored, .. } = watch.done(self.topics.new.name()).await?;
        Ok(stored)
    }
}

/// As `roster backfill pause` and `resume` do, without a process that starts beside what is measured.
async fn set(client: &Client, source: &str, state: &str) -> Result<()> {
    let statement = raw::prepare(client, "set_source").await?;
    let reason = "by the bench";
    let set = client
        .query(&statement, &[&source, &state, &reason])
        .await?;
    ensure!(set.len() == 1, "there is no source {source}");
    Ok(())
}

/// The topic of new people as a source reads it.
fn source(config: &Config, topics: &Topics, mapping: &Path) -> Result<Source> {
    let mut settings = config.backfill.clone();
    let (property, brokers) = ("bootstrap.servers", topics.brokers.clone());
    settings
        .kafka
        .insert(property.to_owned(), Secret::from(brokers));
    let own = BackfillSource {
        name: topics.new.name().to_owned(),
        topic: topics.new.name().to_owned(),
        group: None,
        project: Some("bench".to_owned()),
        mapping: Some(mapping.to_owned()),
        start: None,
        dead_letter_topic: None,
        kafka: crate::config::KafkaProperties::new(),
    };
    let calls: crate::mapping::Calls = Arc::new(no_call);
    let loaded = Source::load(&own, &settings, &config.limits, &calls);
    loaded.map_err(|text| anyhow!(text))
}

/// The mapping of this measurement reads documents.
fn no_call(_: &Bytes, _: &Gate<'_>) -> Result<Command, Rejection> {
    Err(Rejection::of(
        Code::UnknownType,
        "value",
        "no record here is a call",
    ))
}
