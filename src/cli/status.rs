//! `roster backfill status`: how far each source has got.

use crate::output;
use crate::store::{PartitionStatus, SourceStatus, Store};
use anyhow::{Result, anyhow};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(2);
const BAR: &str = "  {prefix} {bar:30} {pos} of {len}  {msg}";

/// Shows it once, or again and again.
///
/// # Errors
/// With one sentence for the operator.
pub async fn run(store: &Store, watch: bool, json: bool) -> Result<()> {
    let is_json = json || !std::io::stdout().is_terminal();
    let mut shown = Shown::default();
    loop {
        let all = store.backfill_status(None).await;
        let all = all.map_err(|error| anyhow!(error.full_text()))?;
        if is_json {
            output::line(serde_json::to_string(&all)?)?;
        } else {
            all.iter().for_each(|status| shown.show(status));
        }
        if !watch {
            return Ok(());
        }
        sleep(EVERY).await;
    }
}

/// Lines of a terminal, by what they are about: written once, and over again.
#[derive(Default)]
struct Shown {
    lines: MultiProgress,
    bars: HashMap<String, ProgressBar>,
}

impl Shown {
    fn show(&mut self, status: &SourceStatus) {
        let headline = headline(status);
        let bar = self.line(&status.source, "{msg}");
        bar.abandon_with_message(headline);
        for one in &status.partitions {
            let name = format!("{} {}", one.topic, one.partition);
            let key = format!("{} {name}", status.source);
            let bar = self.line(&key, BAR);
            let (began, position) = (one.began_at.unwrap_or(0), one.position.unwrap_or(0));
            bar.set_prefix(name);
            bar.set_length((one.end.unwrap_or(position) - began).max(0) as u64);
            bar.set_position((position - began).max(0) as u64);
            bar.abandon_with_message(details(one));
        }
    }

    fn line(&mut self, key: &str, style: &str) -> ProgressBar {
        let new = || {
            let bar = self.lines.add(ProgressBar::new(0));
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar
        };
        self.bars.entry(key.to_owned()).or_insert_with(new).clone()
    }
}

fn headline(status: &SourceStatus) -> String {
    let counts = status.counts;
    let reason = match status.reason.as_str() {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    format!(
        "{}: {}{reason}  {} left, {:.0}/s, time left {}; stored {}, unchanged {}, rejected {}",
        status.source,
        status.state,
        status.lag,
        status.records_per_second,
        status.eta_seconds.map_or("unknown".to_owned(), time_left),
        counts.stored,
        counts.unchanged,
        counts.rejected
    )
}

fn details(one: &PartitionStatus) -> String {
    let end = if one.end.is_none() {
        ", end unknown"
    } else {
        ""
    };
    let (control, gaps) = (one.control, one.gaps);
    format!("control {control}, gaps {gaps}{end}  {}", one.held_by)
}

fn time_left(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours} h {minutes:02} min {:02} s", seconds % 60)
}
