//! `roster bench reads`: what profile reads cost a project that moves, at each source, beside one that never moved.
//!
//! Both have the same people, and the mirror has put those of the one that moves into the legacy store. Turns in the closed loop tell what
//! each comes to. Then all four are read at one pace, half of what the slowest came to: there latencies can be held against each other,
//! since nobody waits because the machine has no time left.

mod moving;

use super::{Scene, finish};
use crate::bench::kind::Kind;
use crate::bench::load::{Script, closed, open};
use crate::bench::report::{Line, Part, median};
use crate::bench::request::Request;
use crate::bench::settings::Settings;
use crate::bench::shape::Shape;
use crate::bench::stage::{Database, Service, Start, new_name};
use crate::bench::tally::Tally;
use crate::bench::target::Target;
use crate::bench::turn::{Turn, counted, take_rounds};
use anyhow::{Context, Result};
use moving::{Index, Moving};
use std::time::Duration;

const KINDS: [Kind; 4] = [
    Kind::ReadsStill,
    Kind::ReadsMoving,
    Kind::ReadsLegacy,
    Kind::ReadsCompare,
];

/// Makes an index, measures, and removes it again, whatever happened.
pub async fn run(scene: Scene<'_>) -> Result<Part> {
    let Scene {
        settings,
        config,
        progress,
    } = scene;
    let url = settings.legacy.store.as_deref();
    let index = Index::create(url.context("reads need --legacy")?).await?;
    let measured = Database::lend(settings, config, async |database| {
        let (name, file) = (new_name(), index.settings()?);
        let start = Start {
            project: &name,
            arguments: &["--config", &file],
        };
        Service::lend(settings, progress, database, start, async |service| {
            progress.begin("everybody in the legacy store");
            let moving = Moving::start(service, &name, &index).await?;
            Reads::of(settings, service, moving).await?.measure().await
        })
        .await
    })
    .await;
    index.delete().await?;
    measured
}

/// Two projects with the same people.
struct Reads<'a> {
    settings: &'a Settings,
    service: &'a Service,
    still: Target,
    moving: Moving<'a>,
}

impl<'a> Reads<'a> {
    async fn of(settings: &'a Settings, service: &'a Service, moving: Moving<'a>) -> Result<Self> {
        Ok(Self {
            still: service.another_project(service.people, "server").await?,
            settings,
            service,
            moving,
        })
    }

    async fn measure(mut self) -> Result<Part> {
        let mut part = Part::default();
        let time = self.settings.turn();
        let turns = self
            .rounds(async |scripts| closed(scripts, time).await)
            .await?;
        part.lines = Line::all(&KINDS, &turns);
        let rates = part.lines.iter().map(|line| line.items_per_second);
        let shape: Shape = (rates.fold(f64::INFINITY, f64::min) / 2.0)
            .to_string()
            .parse()?;
        let time = Duration::from_secs(self.settings.stretch);
        let turns = self
            .rounds(async |scripts| open(scripts, shape.schedule(None, 1, time)?).await)
            .await?;
        part.lines.extend(open_lines(&turns));
        let title = "p99 of reads at compare, in the open loop";
        let times = p99_at_compare(&turns).context("of a stretch no read was answered")?;
        part.figure(("reads-compare", title), times, "times at legacy");
        self.moving.tell(&mut part).await?;
        finish(&mut part, self.service, "reads");
        Ok(part)
    }

    async fn rounds(
        &mut self,
        send: impl AsyncFn(Vec<Script>) -> Result<Tally>,
    ) -> Result<Vec<Turn>> {
        let (settings, service) = (self.settings, self.service);
        let turns = take_rounds(settings, &service.progress, &KINDS, async |kind, round| {
            self.moving.read_as(kind).await?;
            let work = async || send(self.scripts(kind)).await;
            service.turn((kind, round), work).await
        });
        Ok(counted(settings, turns.await?))
    }

    fn scripts(&self, kind: Kind) -> Vec<Script> {
        let to = match kind {
            Kind::ReadsStill => &self.still,
            _ => &self.moving.target,
        };
        let script = |_| Script::new(to, Request::read(to), self.service.people);
        (0..self.settings.batch_connections).map(script).collect()
    }
}

fn of_kind(turns: &[Turn], kind: Kind) -> impl Iterator<Item = &Turn> {
    turns.iter().filter(move |turn| turn.kind == kind)
}

fn open_lines(turns: &[Turn]) -> impl Iterator<Item = Line> {
    KINDS.iter().map(move |kind| {
        let name = format!("{}-open", kind.name());
        let title = format!("{}, open loop", kind.title());
        let own: Vec<&Turn> = of_kind(turns, *kind).collect();
        Line::of_turns((&name, &title), &own)
    })
}

/// Held against that at legacy within a round; the median over the rounds.
fn p99_at_compare(turns: &[Turn]) -> Option<f64> {
    let p99 = |turn: &Turn| turn.tally.quantile_ms(0.99);
    let both = of_kind(turns, Kind::ReadsCompare).map(|compare| {
        let mut all = of_kind(turns, Kind::ReadsLegacy);
        let legacy = all.find(|turn| turn.round == compare.round)?;
        Some(p99(compare)? / p99(legacy)?)
    });
    both.collect::<Option<Vec<f64>>>().map(median)
}
