//! `roster bench backfill`: what a backfill costs, and what live requests feel of it.
//!
//! A topic is filled with records of people who are new, another with changes of people who are known. Turns as everywhere in the
//! bench: the ideal client, reading the topic alone, reading it by a mapping, and the whole road. Then live requests at half of
//! their peak, alone and beside it. At the end what is left of the topic, in one stretch.

mod road;
mod sink;
mod topics;
mod watch;

use super::beside::{Live, half_of_the_peak, measure};
use super::{Scene, finish};
use crate::bench::kind::Kind;
use crate::bench::raw_profiles::made;
use crate::bench::report::{Line, Part};
use crate::bench::settings::Settings;
use crate::bench::stage::{Database, Service, Start, new_name};
use crate::bench::turn::{Turn, counted, take_rounds};
use crate::bench::work::{scripts, take};
use anyhow::{Result, ensure};
use road::Road;
use std::time::Duration;
use topics::Topics;

const KINDS: [Kind; 5] = [
    Kind::TopicRead,
    Kind::TopicMapped,
    Kind::BackfillNew,
    Kind::Sink,
    Kind::BackfillKnown,
];

/// Fills topics, measures, and removes all of it again, whatever happened.
pub async fn run(scene: Scene<'_>) -> Result<Part> {
    let Scene {
        settings,
        config,
        progress,
    } = scene;
    Database::lend(settings, config, async |database| {
        let topics = Topics::fill(settings, progress).await?;
        let name = new_name();
        let measured = async {
            let file = topics.prepare(&database.url, &name).await?;
            let start = Start {
                project: &name,
                arguments: &["--config", &file],
            };
            Service::lend(settings, progress, database, start, async |service| {
                let road = Road::open(config, service, &topics)?;
                with_road(settings, &road).await
            })
            .await
        };
        let measured = measured.await;
        topics.delete().await?;
        measured
    })
    .await
}

async fn with_road(settings: &Settings, road: &Road<'_>) -> Result<Part> {
    let (service, made_before) = (road.service, made());
    let mut kinds = Kind::with_limits(&KINDS);
    kinds.retain(|kind| *kind != Kind::Sink || settings.legacy.sink.is_some());
    let turns = take_rounds(settings, &service.progress, &kinds, async |kind, round| {
        take_turn(settings, road, kind, round).await
    })
    .await?;
    let mut part = Part {
        lines: Line::all(&kinds, &counted(settings, turns)),
        ..Part::default()
    };
    if settings.live.live_turns > 0 {
        let beside = beside_live(settings, road).await?;
        part.lines.extend(beside.lines);
        part.figures.extend(beside.figures);
    }
    service.progress.begin("the rest of the topic");
    part.lines.push(road.to_the_end().await?);
    let stored = check(settings, road, made() - made_before).await?;
    let title = "new people, each found in the database";
    part.figure(("backfill-stored", title), stored as f64, "");
    finish(&mut part, service, "backfill");
    Ok(part)
}

async fn take_turn(settings: &Settings, road: &Road<'_>, kind: Kind, round: usize) -> Result<Turn> {
    match (kind, &settings.legacy.sink) {
        (Kind::TopicRead | Kind::TopicMapped, _) => road.try_out(settings, kind, round).await,
        (Kind::BackfillNew | Kind::BackfillKnown, _) => road.take(settings, kind, round).await,
        (Kind::Sink, Some(command)) => sink::take(settings, road, command, round).await,
        _ => take(settings, road.service, kind, round).await,
    }
}

/// Live requests at half of their peak, and the topic of new people beside them.
async fn beside_live(settings: &Settings, road: &Road<'_>) -> Result<Part> {
    let (rate, _) = half_of_the_peak(settings, road.service).await?;
    let live = Live {
        name: "backfill-live",
        title: "live requests at half of their peak",
        rate,
        turns: settings.live.live_turns,
        time: Duration::from_secs(settings.live.live_seconds),
        scripts: || scripts(settings, road.service, Kind::Single),
    };
    let felt = measure(road.service, live, async |time| {
        road.let_go_for(Kind::BackfillNew, time).await
    })
    .await?;
    let mut part = felt.part;
    let title = "records beside live requests, until it stood still again";
    part.figure(("backfill-live-rate", title), felt.heavy_rate, "a second");
    Ok(part)
}

/// Every record of somebody new made a profile, and nothing else did.
async fn check(settings: &Settings, road: &Road<'_>, made: u64) -> Result<u64> {
    let stored = road.stored().await?;
    let expected = u64::from(settings.people) + made + stored;
    let found = road.service.own()?.profiles().await?;
    ensure!(
        found == expected,
        "{stored} new people were stored: {expected} profiles are to be there, {found} are"
    );
    Ok(stored)
}
