//! The line of spans that wait to be sent. It is OpenTelemetry's; we stand at its entrance, because it tells nobody what it had no room for.

use crate::metric_names::SPANS;
use metrics::counter;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// How many wait, and how many may.
#[derive(Clone, Debug)]
pub(super) struct Line {
    waiting: Arc<AtomicUsize>,
    most: usize,
}

impl Line {
    pub fn new(most: usize) -> Self {
        let waiting = Arc::default();
        Self { waiting, most }
    }

    fn enter(&self) -> bool {
        let enter = |waiting| (waiting < self.most).then_some(waiting + 1);
        self.waiting.fetch_update(Relaxed, Relaxed, enter).is_ok()
    }

    /// So many don't wait any more.
    pub fn leave(&self, spans: usize) {
        self.waiting.fetch_sub(spans, Relaxed);
    }
}

/// Lets spans into the line; where there is no room they are dropped and counted.
#[derive(Debug)]
pub(super) struct Entrance<P> {
    line: Line,
    inside: P,
}

impl<P> Entrance<P> {
    pub fn new(line: Line, inside: P) -> Self {
        Self { line, inside }
    }
}

impl<P: SpanProcessor> SpanProcessor for Entrance<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inside.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.line.enter() {
            self.inside.on_end(span);
        } else {
            counter!(SPANS, "outcome" => "dropped").increment(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inside.force_flush()
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.inside.shutdown_with_timeout(limit)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inside.set_resource(resource);
    }
}
