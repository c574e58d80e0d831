//! Logs are limited by kind: whoever can send requests can make the service log, and a full disk stops more than logs.
//!
//! A kind is a place in the code. Each has so many lines a minute; what was left out is counted and told once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tracing::{Event, Metadata, Subscriber, callsite};
use tracing_subscriber::layer::{Context, Layer};

const MINUTE: Duration = Duration::from_secs(60);

/// One for the process, as the log itself.
static SUPPRESSED: OnceLock<Mutex<HashMap<callsite::Identifier, Suppressed>>> = OnceLock::new();

/// Lines of one kind that were left out.
struct Suppressed {
    metadata: &'static Metadata<'static>,
    lines: u64,
}

/// Lets through so many lines of each kind a minute.
pub struct Quota {
    lines: u32,
    minutes: Mutex<HashMap<callsite::Identifier, Minute>>,
}

/// What one kind has written since its minute began.
struct Minute {
    began: Instant,
    lines: u32,
}

impl Quota {
    /// So many lines of each kind a minute.
    pub fn new(lines: u32) -> Self {
        Self {
            lines,
            minutes: Mutex::default(),
        }
    }

    fn lets_through(&self, kind: callsite::Identifier, now: Instant) -> bool {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = minutes.entry(kind).or_insert(Minute {
            began: now,
            lines: 0,
        });
        if now.duration_since(minute.began) >= MINUTE {
            *minute = Minute {
                began: now,
                lines: 0,
            };
        }
        minute.lines = minute.lines.saturating_add(1);
        minute.lines <= self.lines
    }
}

impl<S: Subscriber> Layer<S> for Quota {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let now = Instant::now();
        let metadata = event.metadata();
        let goes_through = self.lets_through(metadata.callsite(), now);
        if !goes_through {
            count(metadata);
        }
        goes_through
    }
}

fn count(metadata: &'static Metadata<'static>) {
    let suppressed = SUPPRESSED.get_or_init(Mutex::default);
    let mut suppressed = suppressed.lock().unwrap_or_else(PoisonError::into_inner);
    let kind = suppressed
        .entry(metadata.callsite())
        .or_insert(Suppressed { metadata, lines: 0 });
    kind.lines += 1;
}

/// Tells how many lines of each kind were left out since this was called last.
pub fn tell_suppressed() {
    let suppressed = SUPPRESSED.get_or_init(Mutex::default);
    let taken = std::mem::take(&mut *suppressed.lock().unwrap_or_else(PoisonError::into_inner));
    for Suppressed { metadata, lines } in taken.into_values() {
        // By names that no line has of itself: a reader of JSON would find them twice.
        let (of, at_line) = (metadata.target(), metadata.line());
        tracing::warn!(lines, of, at_line, of_level = %metadata.level(), "left out lines of this kind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minute_has_its_lines_and_no_more() {
        let quota = Quota::new(2);
        let begin = Instant::now();
        let kind = || tracing::callsite::Identifier(&KIND);
        let through = |seconds| quota.lets_through(kind(), begin + Duration::from_secs(seconds));
        let first: Vec<bool> = [0, 1, 2, 59].map(through).into();
        assert_eq!(first, [true, true, false, false]);
        assert!(through(60));
    }

    struct Kind;

    static KIND: Kind = Kind;

    impl tracing::Callsite for Kind {
        fn set_interest(&self, _: tracing::subscriber::Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("nobody asks")
        }
    }
}
