//! The scenarios: each gets a database and a service of its own, measures, and gives back its lines and figures.

mod backfill;
mod beside;
mod imports;
mod neighbours;
mod reads;
mod requests;
mod row;
mod soak;
mod tenants;

use super::kind::Kind;
use super::progress::Progress;
use super::report::Part;
use super::settings::{Scenario, Settings};
use super::stage::{Database, Service, Start, new_name};
use super::tally::Tally;
use super::turn::Turn;
use crate::config::Config;
use anyhow::{Result, ensure};

/// What a run is made with.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub settings: &'a Settings,
    pub config: &'a Config,
    pub progress: &'a Progress,
}

impl Scene<'_> {
    /// Measures some scenarios, those that are measured in the same rounds together. Where one fails the others are measured all the same.
    pub async fn measure(self, scenarios: &[Scenario], mut done: impl FnMut(Part)) -> Result<()> {
        let kinds: Vec<Kind> = scenarios
            .iter()
            .flat_map(|scenario| Kind::of(*scenario))
            .copied()
            .collect();
        let mut failed = Vec::new();
        let mut end = |name: &str, part: Result<Part>| match part {
            Ok(part) => done(part),
            Err(error) => failed.push(format!("{name}: {error:#}")),
        };
        if !kinds.is_empty() {
            let part = self
                .on_a_service(async |service| requests::run(self.settings, service, &kinds).await);
            end("requests in turns", part.await);
        }
        for scenario in scenarios.iter().filter(|one| Kind::of(**one).is_empty()) {
            end(&scenario.name(), self.measure_one(*scenario).await);
        }
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(())
    }

    async fn measure_one(self, scenario: Scenario) -> Result<Part> {
        let settings = self.settings;
        match scenario {
            Scenario::Backfill => return backfill::run(self).await,
            Scenario::Reads => return reads::run(self).await,
            _ => {}
        }
        self.on_a_service(async |service| match scenario {
            Scenario::Tenants => tenants::run(settings, service).await,
            Scenario::Hot => neighbours::hot(settings, service).await,
            Scenario::Flood => neighbours::flood(settings, service).await,
            Scenario::Import => imports::run(settings, service).await,
            Scenario::Row => row::run(settings, service).await,
            Scenario::Soak => soak::run(settings, service).await,
            other => unreachable!("{other:?} is measured in turns"),
        })
        .await
    }

    async fn on_a_service(
        self,
        measure: impl AsyncFnOnce(&Service) -> Result<Part>,
    ) -> Result<Part> {
        let name = new_name();
        let start = Start {
            project: &name,
            arguments: &[],
        };
        Database::lend(self.settings, self.config, async |database| {
            Service::lend(self.settings, self.progress, database, start, measure).await
        })
        .await
    }
}

/// What a scenario was answered, warm-ups included.
#[derive(Clone, Copy, Default)]
struct Answered {
    /// Events that were acknowledged.
    events: u64,
    refused: u64,
}

impl Answered {
    fn of(turns: &[Turn]) -> Self {
        let mut answered = Self::default();
        turns.iter().for_each(|turn| answered.add(&turn.tally));
        answered
    }

    fn add(&mut self, tally: &Tally) {
        self.events += tally.events;
        self.refused += tally.refused;
    }

    const fn and(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            refused: self.refused + other.refused,
        }
    }

    /// What was acknowledged is there. What repeats a refused request was new, and its events were not counted.
    async fn check(self, service: &Service) -> Result<()> {
        let (found, events) = (service.own()?.events().await?, self.events);
        ensure!(
            found == events || (self.refused > 0 && found > events),
            "{events} events were acknowledged, {found} are stored"
        );
        Ok(())
    }
}

/// Notes what a database does not tell, and what memory a service took.
fn finish(part: &mut Part, service: &Service, name: &str) {
    let Ok(own) = service.own() else {
        return;
    };
    part.database = Some(own.database.clone());
    part.memory(name, own.processes.peak_memory());
    if !own.tells_costs() {
        part.notes.push(
            "What a row costs is not available: this database has no pg_stat_statements."
                .to_owned(),
        );
    }
}
