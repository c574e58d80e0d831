//! What live requests feel of something heavy: the same open loop alone, beside it, alone, beside it, and afterwards.

use super::Answered;
use crate::bench::kind::Kind;
use crate::bench::load::{Script, open};
use crate::bench::report::{Line, Part};
use crate::bench::settings::Settings;
use crate::bench::shape::Shape;
use crate::bench::stage::Service;
use crate::bench::tally::Tally;
use crate::bench::work::take;
use anyhow::{Context, Result};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between the last of the heavy work and the look at what is left of it.
const RECOVERY: Duration = Duration::from_secs(5);

/// The live requests.
pub struct Live<'a, F> {
    /// What the lines are called by.
    pub name: &'a str,
    pub title: &'a str,
    /// Requests a second, each of one item.
    pub rate: f64,
    pub turns: u8,
    pub time: Duration,
    /// What the connections send.
    pub scripts: F,
}

/// What was felt, and what the heavy work came to meanwhile.
pub struct Felt {
    pub part: Part,
    pub heavy: Tally,
    /// Items of it in a second, from its beginning to its end.
    pub heavy_rate: f64,
    /// What both were answered.
    pub answered: Answered,
    /// Live requests that were refused and not told when to come again.
    pub silent: u64,
}

/// Half of what single requests come to as fast as they are answered, and what was answered until that was known.
pub async fn half_of_the_peak(settings: &Settings, service: &Service) -> Result<(f64, Answered)> {
    service.progress.begin("the peak of live requests");
    let warm = take(settings, service, Kind::Single, 0).await?;
    let peak = take(settings, service, Kind::Single, 0).await?;
    Ok((peak.rate() / 2.0, Answered::of(&[warm, peak])))
}

/// Measures live requests alone, beside something heavy, and after it. `heavy` works for the time that it is given, and has ended when
/// it returns.
pub async fn measure<F>(
    service: &Service,
    live: Live<'_, F>,
    mut heavy: impl AsyncFnMut(Duration) -> Result<Tally>,
) -> Result<Felt>
where
    F: Fn() -> Result<Vec<Script>>,
{
    let progress = &service.progress;
    let (mut alone, mut beside, mut done) = (Tally::default(), Tally::default(), Tally::default());
    // Connections, plans and caches are warm after this.
    progress.begin(&format!("{}, warm-up", live.title));
    let mut answered = Answered::default();
    answered.add(&live.send().await?);
    let mut seconds = 0.0;
    for turn in 1..=live.turns {
        progress.begin(&format!("{} alone, turn {turn}", live.title));
        alone.absorb(&live.send().await?, true);
        progress.begin(&format!("{} beside it, turn {turn}", live.title));
        let begun = Instant::now();
        let work = async { (heavy(live.time).await, begun.elapsed()) };
        let (felt, (work, took)) = tokio::join!(live.send(), work);
        beside.absorb(&felt?, true);
        done.absorb(&work?, true);
        seconds += took.as_secs_f64();
    }
    sleep(RECOVERY).await;
    progress.begin(&format!("{} afterwards", live.title));
    let afterwards = live.send().await?;
    for felt in [&alone, &beside, &afterwards, &done] {
        answered.add(felt);
    }
    let heavy_rate = done.items as f64 / seconds;
    let mut part = live.part([&alone, &beside, &afterwards])?;
    if !done.seconds.is_empty() {
        let name = format!("{}-heavy", live.name);
        let title = format!("what goes on beside {}", live.title);
        part.lines.push(Line {
            // Not by its slices: what was sent in the last of them is answered after it.
            items_per_second: heavy_rate,
            ..Line::of_tally((&name, &title), &done)
        });
    }
    Ok(Felt {
        part,
        heavy_rate,
        heavy: done,
        answered,
        silent: alone.without_retry_after + beside.without_retry_after,
    })
}

impl<F: Fn() -> Result<Vec<Script>>> Live<'_, F> {
    async fn send(&self) -> Result<Tally> {
        let shape: Shape = format!("{}", self.rate).parse()?;
        let schedule = shape.schedule(None, 1, self.time)?;
        open((self.scripts)()?, schedule).await
    }

    fn part(&self, tallies: [&Tally; 3]) -> Result<Part> {
        let mut part = Part::default();
        let phases = ["alone", "beside", "after"];
        for (phase, tally) in phases.into_iter().zip(tallies) {
            let (name, title) = (
                format!("{}-{phase}", self.name),
                format!("{}, {phase}", self.title),
            );
            part.lines.push(Line::of_tally((&name, &title), tally));
        }
        let felt = part.lines.iter().map(|line| {
            let (p99, median) = (line.p99_ms?, line.median_second_p99_ms()?);
            Some((p99, median))
        });
        let felt: Option<Vec<(f64, f64)>> = felt.collect();
        let felt = felt.context("of a stretch no live request was answered")?;
        self.tell(&mut part, &felt);
        Ok(part)
    }

    /// What the 99th percentiles (of all requests, and of the median second) come to, held against those alone.
    fn tell(&self, part: &mut Part, felt: &[(f64, f64)]) {
        let [alone, beside, after] = felt else {
            return;
        };
        let mut figure = |what: &str, title: &str, value: f64, unit: &str| {
            let (name, title) = (
                format!("{}-{what}", self.name),
                format!("p99 of {}, {title}", self.title),
            );
            part.figure((&name, &title), value, unit);
        };
        let unit = "times alone";
        figure("times", "beside it", beside.0 / alone.0, unit);
        figure("after-times", "afterwards", after.0 / alone.0, unit);
        let title = "beside it, of the median second";
        figure("median-times", title, beside.1 / alone.1, unit);
        figure("median-beside", title, beside.1, "ms");
        let title = "alone, of the median second";
        figure("median-alone", title, alone.1, "ms");
    }
}
