//! How long live requests wait for their commits: what a backfill must not change.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Live requests so far, and the time that they waited for their commits.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiveTime {
    pub requests: u64,
    pub micros: u64,
}

/// Adds them up.
#[derive(Debug, Default)]
pub(super) struct LiveClock {
    requests: AtomicU64,
    micros: AtomicU64,
}

impl LiveClock {
    pub fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    pub fn read(&self) -> LiveTime {
        LiveTime {
            requests: self.requests.load(Relaxed),
            micros: self.micros.load(Relaxed),
        }
    }
}
