//! The line of spans that wait to be sent: bounded, and nobody waits for it.

use super::told::Told;
use crate::metric_names::SPANS;
use metrics::{Counter, counter};
use std::fmt;
use tokio::sync::mpsc;

/// The entrance of the line.
#[derive(Clone)]
pub(super) struct Outlet {
    line: mpsc::Sender<Told>,
    dropped: Counter,
}

impl Outlet {
    /// A line in which so many may wait, and its other end.
    pub fn new(most: usize) -> (Self, mpsc::Receiver<Told>) {
        let (line, spans) = mpsc::channel(most);
        let dropped = counter!(SPANS, "outcome" => "dropped");
        (Self { line, dropped }, spans)
    }

    /// Lets a span wait; where there is no room it is dropped and counted.
    pub fn send(&self, span: Told) {
        if self.line.try_send(span).is_err() {
            self.dropped.increment(1);
        }
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outlet")
    }
}
