//! What is measured in one stretch, second by second: live requests with the backfill let go and held in turn, and the rest of
//! the topic.

use super::live::{Live, send};
use super::report::{Beside, Second};
use super::scene::Scene;
use super::watch::{Sample, Watch};
use crate::bench::machine::load_average;
use crate::bench::plan::{Kind, Settings};
use crate::bench::run::take_turn;
use anyhow::{Result, bail};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A topic that does not end within this does not end.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Live requests at half of their peak; the backfill stands still, goes, stands still, and so on.
pub async fn beside_live(settings: &Settings, scene: &Scene<'_>, url: &str) -> Result<Beside> {
    let legacy = &settings.legacy;
    let mut peak = 0.0_f64;
    for _ in 0..2 {
        let turn = take_turn(settings, &scene.service, url, Kind::Track, 0).await?;
        peak = turn.tally.items as f64 / turn.seconds;
    }
    let seconds = legacy.live_seconds * legacy.live_turns as u64 * 2;
    let live = Live {
        rate: peak / 2.0,
        connections: settings.connections,
        people: settings.people,
        seconds,
    };
    eprintln!(
        "live requests: {:.0}/s, half of their peak, for {seconds} s",
        live.rate
    );
    let (felt, samples) = tokio::try_join!(
        send(live, &scene.service),
        switch(scene, seconds, legacy.live_seconds)
    )?;
    scene.tell_to_hold(&scene.topics.new).await?;
    let pairs = felt.into_iter().zip(samples.windows(2));
    let seconds = pairs.map(|(tally, pair)| Second::of(tally, &pair[0], &pair[1]));
    Ok(Beside::of(peak, live.rate, seconds.collect()))
}

/// Lets the backfill go and holds it again in turn, and looks once a second.
async fn switch(scene: &Scene<'_>, seconds: u64, every: u64) -> Result<Vec<Sample>> {
    let mut watch = Watch::open(&scene.service).await?;
    let (started, mut samples) = (Instant::now(), Vec::new());
    for second in 0..=seconds {
        sleep_until(started + Duration::from_secs(second)).await;
        let source = scene.topics.new.name();
        samples.push(watch.look(&scene.service, source, second as f64).await?);
        match (second % every, second / every % 2) {
            (0, 1) if second < seconds => scene.let_go(&scene.topics.new).await?,
            (0, _) => scene.tell_to_hold(&scene.topics.new).await?,
            _ => {}
        }
    }
    Ok(samples)
}

/// What is left of the topic of new people, alone.
pub async fn to_the_end(scene: &Scene<'_>) -> Result<Vec<Sample>> {
    let (filled, mut samples) = (&scene.topics.new, Vec::<Sample>::new());
    let mut watch = Watch::open(&scene.service).await?;
    scene.let_go(filled).await?;
    watch.wait(filled.name(), true).await?;
    let started = Instant::now();
    while started.elapsed() < LONGEST {
        let seconds = started.elapsed().as_secs_f64();
        samples.push(watch.look(&scene.service, filled.name(), seconds).await?);
        let records = samples.last().map_or(0, |sample| sample.records);
        if records >= filled.records {
            return Ok(samples);
        }
        if samples.len() % 30 == 0 {
            eprintln!("{records} records done (load average {})", load_average());
        }
        sleep_until(started + Duration::from_secs(samples.len() as u64)).await;
    }
    bail!("the topic does not end")
}
