//! Runs the turns of a plan and gathers what they gave.

use super::bodies::{self, Request};
use super::http::Connection;
use super::legacy;
use super::plan::{BATCH_ITEMS, Kind, Settings};
use super::raw::{self, People, RawClient};
use super::raw_profiles::Maker;
use super::report::Report;
use super::stage::{Database, Service};
use super::tally::{Tally, Turn};
use crate::config::Config;
use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Starts everything, measures, counts the rows, and stops everything, whatever happened.
pub async fn run(settings: &Settings, config: &Config) -> Result<Report> {
    Database::lend(config, async |url| with_database(settings, url).await).await
}

async fn with_database(settings: &Settings, url: &str) -> Result<Report> {
    let mut connections = JoinSet::new();
    let service = Service::start(settings, url, &mut connections).await?;
    let (mut turns, mut stored) = (Vec::new(), 0);
    for round in 0..settings.rounds {
        for kind in settings.turns(round) {
            let turn = take_turn(settings, &service, url, kind, round).await?;
            let rate = turn.tally.items as f64 / turn.seconds;
            eprintln!("round {round}: {rate:>9.0}/s  {}", kind.title());
            if kind.stores_events() {
                stored += turn.tally.items;
            }
            turns.push(turn);
        }
    }
    let found = service.events().await?;
    ensure!(
        found == stored,
        "{stored} events were acknowledged, {found} are stored"
    );
    let peak_memory = service.processes.peak_memory();
    service.stop().await?;
    turns.retain(|turn| turn.round > 0 || settings.rounds == 1);
    Ok(Report::of(&turns, peak_memory, stored))
}

/// One turn of requests or of the ideal client.
pub async fn take_turn(
    settings: &Settings,
    service: &Service,
    url: &str,
    kind: Kind,
    round: usize,
) -> Result<Turn> {
    let before = service.processes.cpu();
    let started = Instant::now();
    let end = started + Duration::from_secs(settings.seconds);
    let tally = match kind {
        Kind::Batch | Kind::Track | Kind::Identify => send(settings, service, kind, end).await?,
        Kind::RawEvents2 => write(settings, service, url, kind, (2, end)).await?,
        Kind::RawEvents4 | Kind::RawTraits | Kind::RawIdentify => {
            write(settings, service, url, kind, (4, end)).await?
        }
        Kind::RawProfiles => make(service, url, end).await?,
        Kind::LegacyRead
        | Kind::LegacyMapped
        | Kind::LegacyNew
        | Kind::LegacyChanged
        | Kind::Sink => {
            bail!("{} is measured by --backfill alone", kind.title())
        }
    };
    Ok(Turn {
        kind,
        round,
        tally,
        seconds: started.elapsed().as_secs_f64(),
        cpu: service.processes.cpu() - before,
    })
}

/// Requests over HTTP, each connection one after the other.
async fn send(settings: &Settings, service: &Service, kind: Kind, end: Instant) -> Result<Tally> {
    let (connections, items) = match kind {
        Kind::Track => (settings.connections, 1),
        _ => (settings.batch_connections, BATCH_ITEMS),
    };
    let mut senders = JoinSet::new();
    for index in 0..connections {
        let request = match kind {
            Kind::Track => Request::single("/v1/track", &service.key, index),
            Kind::Identify => Request::batch(&service.key, index, bodies::identify),
            _ => Request::batch(&service.key, index, bodies::track),
        };
        let connection = Connection::open(service.address).await?;
        senders.spawn(connection.send_until(end, request, items as u64, settings.people));
    }
    gather(senders).await
}

/// Statements of the ideal client.
async fn write(
    settings: &Settings,
    service: &Service,
    url: &str,
    kind: Kind,
    (connections, end): (u32, Instant),
) -> Result<Tally> {
    let (mut tasks, mut writers) = (JoinSet::new(), JoinSet::new());
    for first in 0..connections {
        let people = People {
            first,
            step: connections,
            all: settings.people,
        };
        let client = raw::connect(url, &mut tasks).await?;
        let client = RawClient::new(client, service.project, people).await?;
        writers.spawn(async move {
            match kind {
                Kind::RawTraits => client.write_profiles(end, false).await,
                Kind::RawIdentify => client.write_profiles(end, true).await,
                _ => client.store_events(end).await,
            }
        });
    }
    gather(writers).await
}

/// Profiles of the ideal client.
async fn make(service: &Service, url: &str, end: Instant) -> Result<Tally> {
    let (mut tasks, mut makers) = (JoinSet::new(), JoinSet::new());
    for _ in 0..4 {
        let client = raw::connect(url, &mut tasks).await?;
        let maker = Maker::new(client, service.project, &legacy::traits(0)).await?;
        makers.spawn(maker.make_until(end));
    }
    gather(makers).await
}

async fn gather(mut tasks: JoinSet<Result<Tally>>) -> Result<Tally> {
    let mut all = Tally::default();
    while let Some(done) = tasks.join_next().await {
        all.absorb(&done.context("a connection broke off")??);
    }
    if all.items == 0 {
        bail!("nothing was answered");
    }
    Ok(all)
}
