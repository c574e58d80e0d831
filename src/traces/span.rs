//! Spans: what a part of a request was, and how long it took. They say nothing of people: names of routes and statements, numbers, codes.

use super::{Kind, Tracer};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span as _, SpanContext, Status, TraceContextExt, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Spans of one request: an upload of a whole file writes thousands of batches.
const MOST_OF_A_TRACE: u32 = 500;

/// What all spans of one request share.
#[derive(Debug)]
struct Trace {
    tracer: Tracer,
    left: AtomicU32,
}

/// A span as others refer to it: what begins below hangs there.
#[derive(Clone, Debug)]
pub struct Parent {
    trace: Arc<Trace>,
    span: SpanContext,
}

impl Parent {
    /// Begins a span below this one; `None` where the trace has as many as one may have.
    pub fn child(&self, name: &'static str, kind: Kind) -> Option<Span> {
        let take = |left: u32| left.checked_sub(1);
        self.trace.left.fetch_update(Relaxed, Relaxed, take).ok()?;
        let above = Context::new().with_remote_span_context(self.span.clone());
        let span = begin(&self.trace.tracer.spans, name, kind, &above)?;
        let trace = self.trace.clone();
        Some(Span { trace, span })
    }
}

/// A span that has begun; it ends, and is sent, when it is dropped.
#[derive(Debug)]
pub struct Span {
    span: SdkSpan,
    trace: Arc<Trace>,
}

impl Span {
    /// Begins the first span of a request, below the caller's where it named one; `None` where the trace is not told.
    pub(super) fn root(tracer: &Tracer, caller: Option<&str>, name: &'static str) -> Option<Self> {
        let propagator = TraceContextPropagator::new();
        let above = propagator.extract_with_context(&Context::new(), &Caller(caller));
        let span = begin(&tracer.spans, name, Kind::Server, &above)?;
        let trace = Trace {
            tracer: tracer.clone(),
            left: AtomicU32::new(MOST_OF_A_TRACE),
        };
        let trace = Arc::new(trace);
        Some(Self { span, trace })
    }

    /// For what begins below it.
    pub fn parent(&self) -> Parent {
        Parent {
            trace: self.trace.clone(),
            span: self.span.span_context().clone(),
        }
    }

    /// Calls it otherwise.
    pub fn rename(&mut self, name: String) {
        self.span.update_name(name);
    }

    /// Notes something about it. Never anything that a sender chose.
    pub fn note(&mut self, key: &'static str, value: impl Into<Value>) {
        self.span.set_attribute(KeyValue::new(key, value.into().0));
    }

    /// Links it to a span of another request.
    pub fn link(&mut self, to: &Parent) {
        self.span.add_link(to.span.clone(), Vec::new());
    }

    /// It did not come to a good end: with a code.
    pub fn fail(&mut self, code: impl Into<Value>) {
        self.span.set_status(Status::error(""));
        self.note("error.type", code);
    }
}

fn begin(tracer: &SdkTracer, name: &'static str, kind: Kind, above: &Context) -> Option<SdkSpan> {
    let builder = tracer.span_builder(name).with_kind(kind);
    let span = tracer.build_with_context(builder, above);
    span.is_recording().then_some(span)
}

/// The header `traceparent` of a request.
struct Caller<'a>(Option<&'a str>);

impl Extractor for Caller<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.filter(|_| key == "traceparent")
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Value(opentelemetry::Value);

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self(i64::try_from(number).unwrap_or(i64::MAX).into())
    }
}
