//! Traces of single requests, for an OpenTelemetry collector: request → commit → batch → statement.
//!
//! Off unless `traces.endpoint` is set; then one request in so many is traced. What runs for a request finds its span as a value of
//! its task (`child`), so that nothing in between has to hand it on. A batch is written for many requests: it hangs below the first of them
//! that is traced, and is linked with the others in both directions. Spans wait in a bounded line; whoever ends one never waits.

mod ids;
mod otlp;
mod outlet;
mod send;
mod span;
mod told;

pub use span::{Parent, Span};
pub use told::{Kind, Value};

use crate::config;
use ids::TraceId;
use outlet::Outlet;
use send::Sending;
use std::future::Future;

tokio::task_local! {
    static CURRENT: Parent;
}

/// Begins the traces of requests.
#[derive(Clone, Debug)]
pub struct Tracer {
    ratio: f64,
    outlet: Outlet,
}

impl Tracer {
    /// Makes one, and the task that sends what it gathers, which ends when the last of them is dropped; `None` where nothing is to be traced.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(
        settings: &config::Traces,
    ) -> reqwest::Result<Option<(Self, impl Future<Output = ()> + Send + 'static)>> {
        if settings.endpoint.is_empty() {
            return Ok(None);
        }
        let (outlet, spans) = Outlet::new(settings.max_waiting_spans);
        let sending = Sending::new(settings)?;
        let ratio = settings.sample_ratio;
        Ok(Some((Self { ratio, outlet }, sending.run(spans))))
    }

    /// Begins the trace of a request, as a part of the caller's where its header `traceparent` names one; `None` where it is not
    /// one of those that are traced.
    pub fn request(&self, traceparent: Option<&str>) -> Option<Span> {
        let caller = traceparent.and_then(ids::caller);
        let (trace, span) = match caller {
            Some((trace, span)) => (trace, Some(span)),
            None => (TraceId::random(), None),
        };
        trace
            .is_sampled(self.ratio)
            .then(|| Span::root(self.outlet.clone(), trace, span, "request"))
    }
}

/// Begins a span below the one of which this task is a part; `None` where nothing is traced.
pub fn child(name: &'static str, kind: Kind) -> Option<Span> {
    CURRENT.try_with(|parent| parent.child(name, kind)).ok()?
}

/// Does something as a part of a span.
pub async fn within<F: Future>(span: Option<&Span>, doing: F) -> F::Output {
    match span {
        Some(span) => CURRENT.scope(span.parent(), doing).await,
        None => doing.await,
    }
}

#[cfg(test)]
#[path = "traces_tests.rs"]
mod tests;
