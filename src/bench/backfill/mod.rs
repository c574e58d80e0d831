//! `roster bench --backfill`: what a backfill costs, and what live requests feel of it.
//!
//! A topic is filled with records of people who are new, another with changes of people who are known. Turns as everywhere in the
//! bench: the ideal client, reading the topic alone, reading it by a mapping, and the whole road. Then live requests at half of
//! their peak, in one stretch, while the backfill is let go and held again. At the end what is left of the topic, in one stretch.

mod live;
mod plot;
mod report;
mod scene;
mod sink;
mod stretch;
mod watch;

pub use report::Report;

use super::machine::load_average;
use super::plan::{Kind, Settings};
use super::raw_profiles::made;
use super::run::take_turn;
use super::stage::Database;
use super::tally::Turn;
use crate::config::Config;
use anyhow::{Result, ensure};
use scene::{Scene, Topics};

/// Fills topics, measures, and removes all of it again, whatever happened.
pub async fn run(settings: &Settings, config: &Config) -> Result<Report> {
    let database = Database::start(config).await?;
    let measured = with_database(settings, config, &database.url).await;
    database.stop().await?;
    let report = measured?;
    if let Some(path) = &settings.legacy.plot {
        std::fs::write(path, plot::svg(&report))?;
    }
    Ok(report)
}

async fn with_database(settings: &Settings, config: &Config, url: &str) -> Result<Report> {
    let topics = Topics::fill(settings).await?;
    let measured = tokio::select! {
        measured = with_topics(settings, config, url, &topics) => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    topics.delete().await?;
    measured
}

async fn with_topics(
    settings: &Settings,
    config: &Config,
    url: &str,
    topics: &Topics,
) -> Result<Report> {
    let load_before = load_average();
    let scene = Scene::start(settings, config, url, topics).await?;
    let mut turns = Vec::new();
    for round in 0..settings.rounds {
        turns.extend(take_round(settings, &scene, url, round).await?);
    }
    turns.retain(|turn| turn.round > 0 || settings.rounds == 1);
    let live = match settings.legacy.live_turns {
        0 => None,
        _ => Some(stretch::beside_live(settings, &scene, url).await?),
    };
    let rest = stretch::to_the_end(&scene).await?;
    let stored = check(settings, &scene).await?;
    let peak_memory = scene.service.processes.peak_memory();
    scene.stop().await?;
    Ok(Report {
        live,
        rest,
        load_before,
        profiles_stored: stored,
        peak_memory_bytes: peak_memory,
        ..Report::of(&turns)
    })
}

async fn take_round(
    settings: &Settings,
    scene: &Scene<'_>,
    url: &str,
    round: usize,
) -> Result<Vec<Turn>> {
    let (mut kinds, mut turns) = (Kind::LEGACY, Vec::new());
    if round % 2 == 1 {
        kinds.reverse();
    }
    for kind in kinds {
        let turn = match kind {
            Kind::LegacyRead | Kind::LegacyMapped => scene.try_out(settings, kind, round)?,
            Kind::LegacyNew | Kind::LegacyChanged => scene.take(settings, kind, round).await?,
            Kind::Sink => match &settings.legacy.sink {
                Some(command) => sink::take(settings, scene, (url, command), round).await?,
                None => continue,
            },
            _ => take_turn(settings, &scene.service, url, kind, round).await?,
        };
        let (rate, load) = (turn.tally.items as f64 / turn.seconds, load_average());
        eprintln!(
            "round {round}: {rate:>9.0}/s  {}  (load average {load})",
            kind.title()
        );
        turns.push(turn);
    }
    Ok(turns)
}

/// Every record of somebody new made a profile, and nothing else did.
async fn check(settings: &Settings, scene: &Scene<'_>) -> Result<u64> {
    let stored = scene.stored().await?;
    let expected = u64::from(settings.people) + made() + stored;
    let found = scene.service.profiles().await?;
    ensure!(
        found == expected,
        "{stored} new people were stored: {expected} profiles are to be there, {found} are"
    );
    Ok(stored)
}
