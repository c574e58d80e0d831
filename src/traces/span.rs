//! Spans: what a part of a request was, and how long it took. They say nothing of people: names of routes and statements, numbers, codes.

use super::ids::{SpanId, TraceId};
use super::outlet::Outlet;
use super::told::{Kind, Told, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Spans of one request: an upload of a whole file writes thousands of batches.
const MOST_OF_A_TRACE: u32 = 500;
/// Links of one span: a batch may have a thousand requests.
const MOST_LINKS: usize = 100;

/// What all spans of one request share.
#[derive(Debug)]
struct Trace {
    id: TraceId,
    left: AtomicU32,
    outlet: Outlet,
}

/// A span as others refer to it: what begins below hangs there.
#[derive(Clone, Debug)]
pub struct Parent {
    trace: Arc<Trace>,
    span: SpanId,
}

impl Parent {
    /// Begins a span below this one; `None` where the trace has as many as one may have.
    pub fn child(&self, name: &'static str, kind: Kind) -> Option<Span> {
        let take = |left: u32| left.checked_sub(1);
        self.trace.left.fetch_update(Relaxed, Relaxed, take).ok()?;
        Some(Span::begin(self.trace.clone(), Some(self.span), name, kind))
    }
}

/// A span that has begun; it ends, and is sent, when it is dropped.
#[derive(Debug)]
pub struct Span {
    own: Parent,
    began: Instant,
    /// Taken out when it ends.
    told: Option<Told>,
}

impl Span {
    /// Begins the first span of a request, below the caller's where it named one.
    pub(super) fn root(
        outlet: Outlet,
        trace: TraceId,
        caller: Option<SpanId>,
        name: &'static str,
    ) -> Self {
        let trace = Arc::new(Trace {
            id: trace,
            left: AtomicU32::new(MOST_OF_A_TRACE),
            outlet,
        });
        Self::begin(trace, caller, name, Kind::Server)
    }

    fn begin(trace: Arc<Trace>, parent: Option<SpanId>, name: &'static str, kind: Kind) -> Self {
        let span = SpanId::random();
        let began = now();
        let told = Told {
            trace: trace.id,
            span,
            parent,
            name: name.into(),
            kind,
            began,
            ended: began,
            attributes: Vec::new(),
            links: Vec::new(),
            links_left_out: 0,
            has_failed: false,
        };
        Self {
            own: Parent { trace, span },
            began: Instant::now(),
            told: Some(told),
        }
    }

    /// For what begins below it.
    pub fn parent(&self) -> Parent {
        self.own.clone()
    }

    /// Calls it otherwise.
    pub fn rename(&mut self, name: String) {
        self.tell(|told| told.name = name.into());
    }

    /// Notes something about it. Never anything that a sender chose.
    pub fn note(&mut self, key: &'static str, value: impl Into<Value>) {
        self.tell(|told| told.attributes.push((key, value.into())));
    }

    /// Links it to a span of another request.
    pub fn link(&mut self, to: &Parent) {
        self.tell(|told| {
            if told.links.len() < MOST_LINKS {
                told.links.push((to.trace.id, to.span));
            } else {
                told.links_left_out += 1;
            }
        });
    }

    /// It did not come to a good end: with a code.
    pub fn fail(&mut self, code: impl Into<Value>) {
        self.tell(|told| {
            told.has_failed = true;
            told.attributes.push(("error.type", code.into()));
        });
    }

    fn tell(&mut self, tell: impl FnOnce(&mut Told)) {
        if let Some(told) = &mut self.told {
            tell(told);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(mut told) = self.told.take() {
            let took = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            told.ended = told.began.saturating_add(took);
            self.own.trace.outlet.send(told);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "spans of many programs are laid beside each other by their machines' clocks"
)]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
