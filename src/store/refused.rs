//! What the database said when it last refused a batch. The heartbeat alone does not tell whether it takes writes: it changes a row that is
//! there, which needs no more room on a disk.

use super::{Error, Store};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A refusal counts for so long. A node that gets no traffic has no batch that would prove it wrong: after that it is asked again, by traffic.
const MEMORY: Duration = Duration::from_secs(60);

/// The SQLSTATE of the last batch that was refused, and when that was; none once a batch was written. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused(Arc<Mutex<Option<(Instant, String)>>>);

impl Refused {
    fn note(&self, at: Instant, code: Option<&str>) {
        let code = code.map(|code| (at, code.to_owned()));
        *self.0.lock().expect("no holder panics") = code;
    }

    fn remembered(&self, now: Instant) -> Option<String> {
        let last = self.0.lock().expect("no holder panics").clone();
        let (_, code) = last.filter(|(at, _)| now.duration_since(*at) < MEMORY)?;
        Some(code)
    }
}

impl Store {
    /// Notes that a batch was written.
    pub fn note_written(&self) {
        self.refused.note(Instant::now(), None);
    }

    /// Notes why a batch was not written. A database that does not answer has said nothing.
    pub fn note_refused(&self, error: &Error) {
        if let Some(state) = error.sql_state() {
            self.refused.note(Instant::now(), Some(state.code()));
        }
    }

    /// The SQLSTATE with which the last batch was refused, if that was a short time ago.
    pub fn refused(&self) -> Option<String> {
        self.refused.remembered(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_until_a_batch_is_written_or_for_a_minute() {
        let (refused, begin) = (Refused::default(), Instant::now());
        assert_eq!(refused.remembered(begin), None);
        refused.note(begin, Some("53100"));
        let at = |seconds| refused.remembered(begin + Duration::from_secs(seconds));
        assert_eq!(at(59).as_deref(), Some("53100"));
        assert_eq!(at(60), None, "without traffic nothing else would clear it");
        refused.note(begin, None);
        assert_eq!(at(1), None);
    }
}
