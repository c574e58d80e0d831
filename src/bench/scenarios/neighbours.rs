//! What ten projects feel of one that floods, and of one in which everybody writes about the same profile.

use super::beside::{Felt, Live, measure};
use super::finish;
use crate::bench::bodies;
use crate::bench::load::{Script, closed};
use crate::bench::report::Part;
use crate::bench::request::{BATCH_ITEMS, Request};
use crate::bench::settings::Settings;
use crate::bench::stage::Service;
use crate::bench::target::Target;
use anyhow::Result;
use std::time::{Duration, Instant};

/// Projects beside the one that is heavy, their people, and the calls of all of them in a second.
const NEIGHBOURS: usize = 10;
const PEOPLE: u32 = 10_000;
const CALLS_PER_SECOND: f64 = 200.0;
/// Connections of each: as many calls may be under way at once, so that late answers do not delay the next call.
const LINES: usize = 4;
/// Items of a body that is sent again and again.
const LARGE_ITEMS: usize = 5_000;
/// Senders of the flood: of single calls, batches, imports and large bodies; and as many of each as are all answered.
const SENDERS: [usize; 4] = [128, 64, 16, 8];
const FEW_SENDERS: [usize; 4] = [32, 8, 2, 1];

/// Single calls, batches, imports, and a large body again and again.
pub async fn flood(settings: &Settings, service: &Service) -> Result<Part> {
    let few = || flooding(service, FEW_SENDERS);
    let many = || flooding(service, SENDERS);
    beside(settings, service, "flood", (few, many)).await
}

/// Batches and single calls about one profile.
pub async fn hot(settings: &Settings, service: &Service) -> Result<Part> {
    let all = || about_one(settings, service);
    beside(settings, service, "hot", (all, all)).await
}

async fn beside(
    settings: &Settings,
    service: &Service,
    name: &str,
    (few, many): (impl Fn() -> Vec<Script>, impl Fn() -> Vec<Script>),
) -> Result<Part> {
    let mut targets = Vec::new();
    for _ in 0..NEIGHBOURS {
        targets.push(service.another_project(PEOPLE, "write").await?);
    }
    let time = Duration::from_secs(settings.live.live_seconds);
    service
        .progress
        .begin(&format!("{name} without neighbours"));
    let begun = Instant::now();
    let peak = closed(few(), time).await?;
    let peak = peak.items as f64 / begun.elapsed().as_secs_f64();
    let live = Live {
        name,
        title: &format!("neighbours of {name}"),
        rate: CALLS_PER_SECOND,
        turns: settings.live.live_turns.max(1),
        time,
        scripts: || Ok(neighbours(&targets)),
    };
    let mut felt = measure(service, live, async |time| closed(many(), time).await).await?;
    let mut part = std::mem::take(&mut felt.part);
    tell(&mut part, name, peak, &felt);
    finish(&mut part, service, name);
    Ok(part)
}

fn tell(part: &mut Part, name: &str, alone: f64, felt: &Felt) {
    let mut figure = |what: &str, title: &str, value: f64, unit: &str| {
        let (name, title) = (format!("{name}-{what}"), format!("{name}: {title}"));
        part.figure((&name, &title), value, unit);
    };
    let (rate, unit) = (felt.heavy_rate, "a second");
    figure("peak", "items answered without neighbours", alone, unit);
    figure("rate", "items answered beside them", rate, unit);
    let title = "of what it has without them";
    figure("share", title, rate / alone, "times");
    let (refused, unit) = (felt.heavy.refused as f64, "requests");
    figure("refused", "of it refused", refused, unit);
    let silent = (felt.heavy.without_retry_after + felt.silent) as f64;
    figure("silent", "of all refused without Retry-After", silent, unit);
}

fn neighbours(targets: &[Target]) -> Vec<Script> {
    let lines = (0..LINES).flat_map(|_| targets.iter().enumerate());
    lines
        .map(|(place, to)| Script::new(to, Request::single("/v1/track", to, place), PEOPLE))
        .collect()
}

fn flooding(service: &Service, [single, batches, imports, large]: [usize; 4]) -> Vec<Script> {
    let (to, people) = (&service.target, service.people);
    let script = |request| Script::new(to, request, people);
    let many = |path, index, items| Request::many(path, to, (index, items), bodies::track);
    let mut scripts = Vec::new();
    scripts.extend((0..single).map(|index| script(Request::single("/v1/track", to, index))));
    scripts.extend((0..batches).map(|index| script(many("/v1/batch", index, BATCH_ITEMS))));
    scripts.extend((0..imports).map(|index| script(many("/v1/import", index, BATCH_ITEMS))));
    scripts.extend((0..large).map(|_| script(many("/v1/batch", 0, LARGE_ITEMS)).repeated()));
    scripts
}

fn about_one(settings: &Settings, service: &Service) -> Vec<Script> {
    let to = &service.target;
    let batches = (0..settings.batch_connections.into()).map(|index| Request::about_one(to, index));
    let singles =
        (0..settings.connections.into()).map(|index| Request::single("/v1/track", to, index));
    let all = batches.chain(singles);
    all.map(|request| Script::new(to, request, 1)).collect()
}
