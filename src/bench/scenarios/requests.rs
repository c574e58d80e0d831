//! Requests in turns with the ideal client, each as fast as it is answered; then each kind of them in an open loop.

use super::{Answered, finish};
use crate::bench::idle::Idle;
use crate::bench::kind::Kind;
use crate::bench::load::open;
use crate::bench::report::{Line, Part};
use crate::bench::request::BATCH_ITEMS;
use crate::bench::settings::Settings;
use crate::bench::shape::Shape;
use crate::bench::stage::Service;
use crate::bench::turn::{Turn, counted, take_rounds};
use crate::bench::work::{scripts, take};
use anyhow::Result;
use std::time::Duration;

/// Measures these kinds, and counts the rows at the end.
pub async fn run(settings: &Settings, service: &Service, kinds: &[Kind]) -> Result<Part> {
    let is_own = service.own().is_ok();
    let all = if is_own {
        Kind::with_limits(kinds)
    } else {
        kinds.to_vec()
    };
    let mut part = Part::default();
    let idle = Idle::open(service, settings.idle, &mut part).await?;
    let turns = take_rounds(settings, &service.progress, &all, async |kind, round| {
        take(settings, service, kind, round).await
    })
    .await?;
    let mut answered = Answered::of(&turns);
    let turns = counted(settings, turns);
    part.lines = Line::all(&all, &turns);
    if let Some(shape) = &settings.rate.0 {
        for kind in kinds.iter().filter(|kind| !kind.is_raw()) {
            let turn = stretch(settings, service, shape, (*kind, &turns)).await?;
            answered.add(&turn.tally);
            let title = format!("{}, open loop {shape}", kind.title());
            let name = format!("{}-open", kind.name());
            part.lines.push(Line::of_turns((&name, &title), &[&turn]));
        }
    }
    idle.end(&mut part).await;
    if is_own {
        answered.check(service).await?;
        let title = "events acknowledged, all of them stored";
        part.figure(("events-stored", title), answered.events as f64, "");
    }
    finish(&mut part, service, "requests");
    Ok(part)
}

/// The open loop of one kind.
async fn stretch(
    settings: &Settings,
    service: &Service,
    shape: &Shape,
    (kind, turns): (Kind, &[Turn]),
) -> Result<Turn> {
    let peak = Line::all(&[kind], turns);
    let peak = peak.first().map(|line| line.items_per_second);
    let items = match kind {
        Kind::Single | Kind::Update => 1,
        _ => BATCH_ITEMS as u64,
    };
    let time = Duration::from_secs(settings.stretch);
    let schedule = shape.schedule(peak, items, time)?;
    let what = format!("{}, open loop {shape}", kind.title());
    service.progress.begin(&what);
    let turn = service
        .turn((kind, 0), async || {
            open(scripts(settings, service, kind)?, schedule).await
        })
        .await?;
    let (rate, p99) = (turn.rate(), turn.tally.quantile_ms(0.99).unwrap_or(0.0));
    let told = format!(
        "open loop: {rate:>7.0}/s, p99 {p99:.2} ms  {}",
        kind.title()
    );
    service.progress.say(&told);
    Ok(turn)
}
