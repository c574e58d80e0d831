//! How far imports are: bars in a terminal, a line of JSON a second elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two lines about one file.
const PAUSE: Duration = Duration::from_secs(1);

/// All bars.
pub struct Screen {
    bars: MultiProgress,
    is_terminal: bool,
}

/// What is shown of one file.
pub struct Shown {
    bar: ProgressBar,
    name: String,
    is_terminal: bool,
    began: Instant,
    last: Mutex<Option<Instant>>,
}

#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    sent_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    bytes_per_second: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
}

impl Screen {
    pub fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Begins to show a file.
    pub fn file(&self, name: &str, length: Option<u64>) -> Shown {
        let bar = match length {
            Some(length) => ProgressBar::new(length),
            None => ProgressBar::new_spinner(),
        };
        let style = match length {
            Some(_) => "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{msg} {spinner} {bytes}, {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        let bar = if self.is_terminal {
            self.bars.add(bar)
        } else {
            ProgressBar::hidden()
        };
        bar.set_message(name.to_owned());
        Shown {
            bar,
            name: name.to_owned(),
            is_terminal: self.is_terminal,
            began: Instant::now(),
            last: Mutex::new(None),
        }
    }
}

impl Shown {
    /// The service has so many bytes; `begun` of them it had before.
    pub fn at(&self, sent: u64, begun: u64, length: Option<u64>) {
        if self.is_terminal {
            self.bar.set_position(sent);
            return;
        }
        let mut last = self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        *last = Some(Instant::now());
        self.tell(sent, begun, length);
    }

    fn tell(&self, sent: u64, begun: u64, length: Option<u64>) {
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let rate = (sent.saturating_sub(begun) as f64 / seconds) as u64;
        let left = length.map(|length| length.saturating_sub(sent));
        let line = Line {
            file: &self.name,
            sent_bytes: sent,
            bytes: length,
            bytes_per_second: rate,
            seconds_left: left.filter(|_| rate > 0).map(|left| left / rate),
        };
        if let Ok(text) = serde_json::to_string(&line) {
            eprintln!("{text}");
        }
    }

    /// Says something about it.
    pub fn say(&self, text: &str) {
        if self.is_terminal {
            self.bar.println(format!("{}: {text}", self.name));
        } else {
            eprintln!("{}: {text}", self.name);
        }
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
