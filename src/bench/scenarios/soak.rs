//! Mixed requests at a part of their peak for a long time: whether latencies and memory stay as they are.

use super::{Answered, finish};
use crate::bench::kind::Kind;
use crate::bench::load::open;
use crate::bench::report::{Line, Part};
use crate::bench::request::BATCH_ITEMS;
use crate::bench::settings::Settings;
use crate::bench::shape::Shape;
use crate::bench::stage::Service;
use crate::bench::work::{scripts, take};
use anyhow::Result;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

const SHARE: &str = "70%";
/// Of fewer seconds a slope says nothing: a single allocation of some MiB would be gigabytes an hour.
const LEAST_SAMPLES: usize = 30;

/// Finds the peak, and stays below it.
pub async fn run(settings: &Settings, service: &Service) -> Result<Part> {
    service.progress.begin("the peak of mixed requests");
    let warm = take(settings, service, Kind::Mixed, 0).await?;
    let peak = take(settings, service, Kind::Mixed, 0).await?;
    let shape: Shape = SHARE.parse()?;
    let time = Duration::from_secs(settings.soak_seconds);
    let schedule = shape.schedule(Some(peak.rate()), BATCH_ITEMS as u64, time)?;
    service
        .progress
        .begin("mixed requests at 70 % of their peak");
    let mut memory = Vec::new();
    let soaked = service
        .turn((Kind::Mixed, 0), async || {
            let sent = open(scripts(settings, service, Kind::Mixed)?, schedule);
            let (sent, looked) = tokio::join!(sent, look(service, time));
            memory = looked;
            sent
        })
        .await?;
    let mut answered = Answered::of(&[warm, peak]);
    answered.add(&soaked.tally);
    let mut line = Line::of_turns(("soak", "mixed, 70 % of the peak"), &[&soaked]);
    for (second, bytes) in line.seconds.iter_mut().zip(&memory) {
        second.memory_bytes = Some(*bytes);
    }
    let mut part = Part {
        lines: vec![line],
        ..Part::default()
    };
    if service.own().is_ok() {
        answered.check(service).await?;
        // Caches fill in the first half.
        let second_half = &memory[memory.len() / 2..];
        if second_half.len() >= LEAST_SAMPLES {
            let slope = slope(second_half) * 3_600.0 / f64::from(1 << 20);
            let title = "soak: memory of roster grows in the second half by";
            part.figure(("soak-growth", title), slope, "MiB an hour");
        }
    }
    finish(&mut part, service, "soak");
    Ok(part)
}

/// The memory of the service, once a second.
async fn look(service: &Service, time: Duration) -> Vec<u64> {
    let Ok(own) = service.own() else {
        return Vec::new();
    };
    let (started, mut seen) = (Instant::now(), Vec::new());
    for second in 1..=time.as_secs() {
        sleep_until(started + Duration::from_secs(second)).await;
        seen.push(own.processes.present_memory());
    }
    seen
}

/// By how much values grow from one to the next: least squares.
fn slope(values: &[u64]) -> f64 {
    let middle = values.len().saturating_sub(1) as f64 / 2.0;
    let mean = values.iter().sum::<u64>() as f64 / values.len().max(1) as f64;
    let (mut upper, mut lower) = (0.0, 0.0);
    for (place, value) in values.iter().enumerate() {
        let across = place as f64 - middle;
        upper += across * (*value as f64 - mean);
        lower += across * across;
    }
    if lower > 0.0 { upper / lower } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_line_through_all() {
        assert!((slope(&[10, 12, 14, 16]) - 2.0).abs() < 1e-9);
        assert!(slope(&[7, 7, 7]).abs() < 1e-9);
        assert!((slope(&[10, 9, 11, 10, 12, 11]) - 0.371_428).abs() < 1e-3);
        assert!(slope(&[]).abs() < 1e-9 && slope(&[5]).abs() < 1e-9);
    }
}
