//! Traces of single requests, for an OpenTelemetry collector: request → commit → batch → statement.
//!
//! Off unless `traces.endpoint` is set; then one request in so many is traced. What runs for a request finds its span as a value of
//! its task (`child`), so that nothing in between has to hand it on. A batch is written for many requests: it hangs below the first of them
//! that is traced, and is linked with the others in both directions. Spans wait in a bounded line; whoever ends one never waits.
//!
//! Spans, sampling, the line and the protocol are OpenTelemetry's own crates; here is what they leave open.

mod line;
mod send;
mod span;

pub use opentelemetry::trace::SpanKind as Kind;
pub use send::Error;
pub use span::{Parent, Span};

use crate::config;
use line::{Entrance, Line};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanProcessor,
};
use send::Sending;
use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use uuid::Uuid;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Spans of one request to the collector: a quarter of a megabyte.
const MOST_AT_ONCE: usize = 512;
/// How long the first span of a request waits for others.
const GATHERING: Duration = Duration::from_secs(1);
/// What is left at the end has so much time to be sent.
const LAST_SPANS: Duration = Duration::from_secs(2);
/// Links of one span: a batch may have a thousand requests.
const MOST_LINKS: u32 = 100;

tokio::task_local! {
    static CURRENT: Parent;
}

/// Begins the traces of requests.
#[derive(Clone, Debug)]
pub struct Tracer {
    spans: SdkTracer,
    /// Held by everybody who may still begin a span.
    _open: mpsc::Sender<Infallible>,
}

impl Tracer {
    /// Makes one, and the task that ends the sending when the last of them is dropped; `None` where nothing is to be traced. Spans are
    /// sent on the runtime of the caller.
    ///
    /// # Errors
    /// When TLS can't be set up, or the endpoint is no address.
    pub fn new(
        settings: &config::Traces,
    ) -> Result<Option<(Self, impl Future<Output = ()> + Send + 'static)>, Error> {
        if settings.endpoint.is_empty() {
            return Ok(None);
        }
        let line = Line::new(settings.max_waiting_spans);
        let sending = Sending::new(settings, line.clone())?;
        let limits = BatchConfigBuilder::default()
            .with_max_queue_size(settings.max_waiting_spans)
            .with_max_export_batch_size(MOST_AT_ONCE)
            .with_scheduled_delay(GATHERING)
            .build();
        let batches = BatchSpanProcessor::new(sending, limits);
        let provider = provider(settings.sample_ratio, Entrance::new(line, batches));
        let (tracer, mut closed) = Self::of(&provider);
        let ending = async move {
            closed.recv().await;
            // Nobody is left to tell; it is bounded in time.
            let _ = spawn_blocking(move || provider.shutdown_with_timeout(LAST_SPANS)).await;
        };
        Ok(Some((tracer, ending)))
    }

    fn of(provider: &SdkTracerProvider) -> (Self, mpsc::Receiver<Infallible>) {
        let scope = InstrumentationScope::builder("roster").with_version(VERSION);
        let spans = provider.tracer_with_scope(scope.build());
        let (open, closed) = mpsc::channel(1);
        (Self { spans, _open: open }, closed)
    }

    /// Begins the trace of a request, as a part of the caller's where its header `traceparent` names one; `None` where it is not
    /// one of those that are traced.
    pub fn request(&self, traceparent: Option<&str>) -> Option<Span> {
        Span::root(self, traceparent, "request")
    }
}

/// Makes spans of one trace in so many. Which ones follows from the trace's id alone: who may send requests does not decide what they
/// cost, and all spans of a trace are told or none.
fn provider(ratio: f64, processor: impl SpanProcessor + 'static) -> SdkTracerProvider {
    let node = Uuid::new_v4().to_string();
    let resource = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", "roster"),
        KeyValue::new("service.version", VERSION),
        KeyValue::new("service.instance.id", node),
    ]);
    SdkTracerProvider::builder()
        .with_sampler(Sampler::TraceIdRatioBased(ratio))
        .with_max_links_per_span(MOST_LINKS)
        .with_resource(resource.build())
        .with_span_processor(processor)
        .build()
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
