//! How far a run is: a line that moves in a terminal, a line for each turn everywhere.

use super::tally::answered;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::convert::Infallible;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks: often enough to be alive, seldom enough to cost nothing.
const PAUSE: Duration = Duration::from_millis(250);

/// The line that moves.
#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
}

impl Progress {
    pub fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {elapsed_precise}  {msg}{prefix}")
        {
            bar.set_style(style);
        }
        if !is_terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, is_terminal }
    }

    /// Something is measured, or got ready, from now on.
    pub fn begin(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Says something that stays.
    pub fn say(&self, text: &str) {
        if self.is_terminal {
            self.bar.println(text);
        } else {
            eprintln!("{text}");
        }
    }

    /// Shows how much is answered, for ever.
    pub async fn show(&self) -> Infallible {
        let (mut last, mut looked) = (answered(), Instant::now());
        loop {
            sleep(PAUSE).await;
            let now = answered();
            let rate = (now - last) as f64 / looked.elapsed().as_secs_f64();
            (last, looked) = (now, Instant::now());
            let shown = if rate > 0.0 {
                format!(": {rate:.0}/s")
            } else {
                String::new()
            };
            self.bar.set_prefix(shown);
            self.bar.tick();
        }
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
