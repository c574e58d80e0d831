//! The topics of a run, and what a service has to know of them.

use crate::backfill::OwnTopic;
use crate::bench::kind::Kind;
use crate::bench::legacy::{self, MAPPING, ROWS_MAPPING};
use crate::bench::progress::Progress;
use crate::bench::raw;
use crate::bench::settings::Settings;
use crate::bench::stage::{ask, new_name};
use anyhow::{Context, Result, anyhow, ensure};
use std::path::{Path, PathBuf};
use tokio::task::JoinSet;
use tokio_postgres::Client;

const PARTITIONS: i32 = 4;

/// The key and the value of the record with a number.
type Record = fn(u64) -> (String, String);

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

/// Both topics, and a folder with the mappings.
pub struct Topics {
    pub brokers: String,
    new: Filled,
    known: Filled,
    pub folder: PathBuf,
    /// How the records of new people are read.
    mapping: &'static str,
}

impl Topics {
    pub async fn fill(settings: &Settings, progress: &Progress) -> Result<Self> {
        let (brokers, records) = (settings.legacy.brokers.clone(), settings.legacy.records);
        let brokers = brokers.context("a backfill needs --brokers")?;
        progress.begin("two topics");
        let known = |index| legacy::known_person(index, settings.people);
        let (person, mapping): (Record, _) = match settings.legacy.sink {
            Some(_) => (legacy::new_row, ROWS_MAPPING),
            None => (legacy::new_person, MAPPING),
        };
        let new = Filled::fill(&brokers, records, person).await?;
        let known = Filled::fill(&brokers, records / 2, known).await?;
        progress.say(&format!(
            "two topics with {records} and {} records",
            records / 2
        ));
        let folder = std::env::temp_dir().join(new_name());
        std::fs::create_dir(&folder)?;
        Ok(Self {
            brokers,
            new,
            known,
            folder,
            mapping,
        })
    }

    pub async fn delete(self) -> Result<()> {
        for filled in [self.new, self.known] {
            let deleted = filled.topic.delete().await;
            deleted.map_err(|text| anyhow!(text))?;
        }
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }

    /// The topic that a kind takes.
    pub fn of(&self, kind: Kind) -> &Filled {
        match kind {
            Kind::BackfillKnown => &self.known,
            _ => &self.new,
        }
    }

    /// The mapping of the topic of new people.
    pub fn mapping(&self) -> PathBuf {
        self.folder.join("new.toml")
    }

    /// Writes the settings of a service that takes both into a project, and has both held before it sees them.
    pub async fn prepare(&self, url: &str, project: &str) -> Result<String> {
        let (file, known) = (
            self.folder.join("roster.toml"),
            self.folder.join("known.toml"),
        );
        std::fs::write(self.mapping(), self.mapping)?;
        std::fs::write(&known, MAPPING)?;
        std::fs::write(&file, self.settings(project, [&self.mapping(), &known]))?;
        ask(url, &["migrate"]).await?;
        let mut connections = JoinSet::new();
        let client = raw::connect(url, &mut connections).await?;
        for filled in [&self.new, &self.known] {
            let nobody: Option<jiff::Timestamp> = None;
            let open = raw::prepare(&client, "open_source").await?;
            client.execute(&open, &[&filled.name(), &nobody]).await?;
            set(&client, filled.name(), "paused").await?;
        }
        Ok(file.to_str().context("a folder with a name")?.to_owned())
    }

    fn settings(&self, project: &str, mappings: [&Path; 2]) -> String {
        let mut text = format!(
            "[backfill.kafka]\n\"bootstrap.servers\" = {:?}\n",
            self.brokers
        );
        for (filled, mapping) in [&self.new, &self.known].into_iter().zip(mappings) {
            let name = filled.name();
            text += &format!(
                "[[backfill.sources]]\nname = {name:?}\ntopic = {name:?}\nproject = {project:?}\nmapping = {mapping:?}\n"
            );
        }
        text
    }
}

/// As `roster backfill pause` and `resume` do, without a process that starts beside what is measured.
pub async fn set(client: &Client, source: &str, state: &str) -> Result<()> {
    let statement = raw::prepare(client, "set_source").await?;
    let reason = "by the bench";
    let set = client
        .query(&statement, &[&source, &state, &reason])
        .await?;
    ensure!(set.len() == 1, "there is no source {source}");
    Ok(())
}
