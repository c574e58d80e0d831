//! The road of the records: its first parts in this process, and the whole of it in a service that goes and holds still as it is told.

use super::topics::{Topics, set};
use super::watch::Watch;
use crate::backfill::{Source, try_out};
use crate::bench::kind::Kind;
use crate::bench::report::Line;
use crate::bench::settings::Settings;
use crate::bench::stage::Service;
use crate::bench::tally::Tally;
use crate::bench::turn::Turn;
use crate::config::{BackfillSource, Config, KafkaProperties, Secret};
use crate::domain::{Code, Command, Gate, NameByPlace, Rejection};
use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How long a source goes before it is measured: its pace begins low.
const WARM_UP: Duration = Duration::from_secs(5);
/// A topic that does not end within this does not end.
const LONGEST: Duration = Duration::from_secs(3_600);

/// A service with its topics.
pub struct Road<'a> {
    pub service: &'a Service,
    pub topics: &'a Topics,
    source: Source,
}

impl<'a> Road<'a> {
    pub fn open(config: &Config, service: &'a Service, topics: &'a Topics) -> Result<Self> {
        Ok(Self {
            service,
            topics,
            source: source(config, topics)?,
        })
    }

    /// The first parts of the road, in this process: what they cost is under `load`.
    pub async fn try_out(&self, settings: &Settings, kind: Kind, round: usize) -> Result<Turn> {
        self.service
            .turn((kind, round), async || {
                let end = std::time::Instant::now() + settings.turn();
                let read = try_out(&self.source, kind == Kind::TopicMapped, end);
                Ok(Tally::of(read.map_err(|text| anyhow!(text))?, 0))
            })
            .await
    }

    /// The whole road, alone.
    pub async fn take(&self, settings: &Settings, kind: Kind, round: usize) -> Result<Turn> {
        let filled = self.topics.of(kind);
        let mut watch = Watch::open(self.service).await?;
        self.let_go(kind).await?;
        watch.wait(filled.name(), true).await?;
        sleep(WARM_UP).await;
        let turn = self
            .service
            .turn((kind, round), async || {
                let before = watch.done(filled.name()).await?.all();
                sleep(settings.turn()).await;
                let done = watch.done(filled.name()).await?.all();
                ensure!(
                    done < filled.records,
                    "a topic is at its end: more --records"
                );
                Ok(Tally::of(done - before, 0))
            })
            .await?;
        self.hold(kind).await?;
        Ok(turn)
    }

    /// Lets a source go; how many of its records are done by then.
    pub async fn let_go(&self, kind: Kind) -> Result<u64> {
        let name = self.topics.of(kind).name();
        let done = Watch::open(self.service).await?.done(name).await?;
        set(&self.service.own()?.client, name, "running").await?;
        Ok(done.all())
    }

    /// Holds a source, and waits until it stands still; how many of its records are done.
    pub async fn hold(&self, kind: Kind) -> Result<u64> {
        let name = self.topics.of(kind).name();
        let mut watch = Watch::open(self.service).await?;
        set(&self.service.own()?.client, name, "paused").await?;
        watch.wait(name, false).await?;
        Ok(watch.done(name).await?.all())
    }

    /// People who were new and are stored.
    pub async fn stored(&self) -> Result<u64> {
        let mut watch = Watch::open(self.service).await?;
        let name = self.topics.of(Kind::BackfillNew).name();
        Ok(watch.done(name).await?.stored)
    }

    /// Lets a source go for a time, and holds it again; its items are all that were done until it stood still.
    pub async fn let_go_for(&self, kind: Kind, time: Duration) -> Result<Tally> {
        let before = self.let_go(kind).await?;
        let mut tally = self
            .follow(kind, before, |elapsed, _| elapsed < time)
            .await?;
        tally.items = self.hold(kind).await? - before;
        Ok(tally)
    }

    /// What is left of the topic of new people, alone, second by second: whether rate and memory are flat.
    pub async fn to_the_end(&self) -> Result<Line> {
        let (kind, records) = (Kind::BackfillNew, self.topics.of(Kind::BackfillNew).records);
        let before = self.let_go(kind).await?;
        let goes_on = |elapsed, done| done < records && elapsed < LONGEST;
        let tally = self.follow(kind, before, goes_on).await?;
        ensure!(before + tally.items >= records, "the topic does not end");
        let names = ("backfill-rest", "backfill, the rest of the topic");
        Ok(Line::of_tally(names, &tally))
    }

    /// What a source does and the service's memory, each second, for as long as it goes on.
    async fn follow(
        &self,
        kind: Kind,
        mut done: u64,
        goes_on: impl Fn(Duration, u64) -> bool,
    ) -> Result<Tally> {
        let (name, processes) = (self.topics.of(kind).name(), &self.service.own()?.processes);
        let mut watch = Watch::open(self.service).await?;
        let (started, mut tally) = (Instant::now(), Tally::default());
        while goes_on(started.elapsed(), done) {
            let second = tally.seconds.len();
            sleep_until(started + Duration::from_secs(second as u64 + 1)).await;
            let now = watch.done(name).await?.all();
            let slice = tally.slice(second);
            slice.items = now - done;
            slice.memory_bytes = Some(processes.present_memory());
            tally.items += now - done;
            done = now;
        }
        Ok(tally)
    }
}

/// The topic of new people as a source reads it.
fn source(config: &Config, topics: &Topics) -> Result<Source> {
    let mut settings = config.backfill.clone();
    let (property, brokers) = ("bootstrap.servers", topics.brokers.clone());
    settings
        .kafka
        .insert(property.to_owned(), Secret::from(brokers));
    let name = topics.of(Kind::BackfillNew).name();
    let own = BackfillSource {
        name: name.to_owned(),
        topic: name.to_owned(),
        group: None,
        project: Some("bench".to_owned()),
        mapping: Some(topics.mapping()),
        start: None,
        dead_letter_topic: None,
        kafka: KafkaProperties::new(),
    };
    let calls: crate::mapping::Calls = Arc::new(no_call);
    let loaded = Source::load(&own, &settings, &config.limits, &calls);
    loaded.map_err(|text| anyhow!(text))
}

/// The mapping of this measurement reads documents.
fn no_call(_: &Bytes, _: &Gate<'_>, _: Option<NameByPlace<'_>>) -> Result<Command, Rejection> {
    Err(Rejection::of(
        Code::UnknownType,
        "value",
        "no record here is a call",
    ))
}
