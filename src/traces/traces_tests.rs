//! What is told of a request, and what it may cost.

use super::*;
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, Status};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span as SdkSpan, SpanData};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Keeps what the line lets in.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Kept {
    fn on_start(&self, _: &mut SdkSpan, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Kept {
    fn spans(&self) -> Vec<SpanData> {
        self.0.lock().unwrap().clone()
    }
}

fn tracer(line: &Line, ratio: f64) -> (Tracer, Kept) {
    let kept = Kept::default();
    let provider = provider(ratio, Entrance::new(line.clone(), kept.clone()));
    (Tracer::of(&provider).0, kept)
}

fn header(trace: &str, span: &str, rest: &str) -> String {
    format!("00-{trace}-{span}-{rest}")
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

#[tokio::test]
async fn spans_hang_below_each_other_and_nothing_is_told_where_nothing_is_traced() {
    assert!(child("nobody asked", Kind::Internal).is_none());
    let (tracer, kept) = tracer(&Line::new(10), 1.0);
    let root = tracer.request(None);
    within(root.as_ref(), async {
        let commit = child("commit", Kind::Internal);
        within(commit.as_ref(), async {
            drop(child("insert_events", Kind::Client));
        })
        .await;
    })
    .await;
    drop(root);
    let told = kept.spans();
    let names: Vec<&str> = told.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["insert_events", "commit", "request"]);
    let own = |at: usize| told[at].span_context.span_id();
    assert_eq!(told[0].parent_span_id, own(1));
    assert_eq!(told[1].parent_span_id, own(2));
    assert_eq!(told[2].parent_span_id, SpanId::INVALID);
    let trace = told[0].span_context.trace_id();
    assert!(
        told.iter()
            .all(|span| span.span_context.trace_id() == trace)
    );
}

#[test]
fn a_caller_goes_on_with_his_trace_and_does_not_decide_whether_it_is_told() {
    let (always, kept) = tracer(&Line::new(10), 1.0);
    for flags in ["00", "01"] {
        drop(always.request(Some(&header(TRACE, SPAN, flags))));
    }
    let told = kept.spans();
    assert_eq!(told.len(), 2);
    for span in told {
        assert_eq!(span.span_context.trace_id().to_string(), TRACE);
        assert_eq!(span.parent_span_id.to_string(), SPAN);
    }
    let (never, kept) = tracer(&Line::new(10), 0.0);
    assert!(never.request(Some(&header(TRACE, SPAN, "01"))).is_none());
    assert!(kept.spans().is_empty());
}

#[test]
fn a_header_that_is_none_begins_a_trace_of_its_own() {
    let (tracer, kept) = tracer(&Line::new(10), 1.0);
    let wrong = [
        String::new(),
        "nonsense".to_owned(),
        format!("00-{TRACE}-{SPAN}"),
        header(TRACE, SPAN, "01-more"),
        format!("ff-{TRACE}-{SPAN}-01"),
        header(&TRACE.to_uppercase(), SPAN, "01"),
        header(&"0".repeat(32), SPAN, "01"),
        header(TRACE, &"0".repeat(16), "01"),
    ];
    for header in &wrong {
        drop(tracer.request(Some(header)));
    }
    let told = kept.spans();
    assert_eq!(told.len(), wrong.len());
    for (span, header) in told.iter().zip(&wrong) {
        assert_ne!(span.span_context.trace_id().to_string(), TRACE, "{header}");
        assert_eq!(span.parent_span_id, SpanId::INVALID, "{header}");
    }
}

#[test]
fn so_many_of_ten_thousand_are_told_and_the_same_ones_for_a_larger_ratio() {
    let sampled = |ratio: f64| {
        let (tracer, _) = tracer(&Line::new(1), ratio);
        let traces = (1..=10_000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let headers = traces.map(move |low| header(&format!("{low:032x}"), SPAN, "01"));
        headers
            .map(|header| tracer.request(Some(&header)).is_some())
            .collect::<Vec<_>>()
    };
    let (tenth, fifth) = (sampled(0.1), sampled(0.2));
    let count = tenth.iter().filter(|told| **told).count();
    assert!((900..1_100).contains(&count), "{count}");
    assert!(tenth.iter().zip(&fifth).all(|(less, more)| less <= more));
}

#[test]
fn a_trace_a_link_and_a_line_have_an_end() {
    let line = Line::new(700);
    let (tracer, kept) = tracer(&line, 1.0);
    let mut root = tracer.request(None).expect("traced");
    let parent = root.parent();
    let begun = (0..1_000).filter_map(|_| parent.child("one", Kind::Client));
    assert_eq!(begun.count(), 500, "spans of one request");
    (0..150).for_each(|_| root.link(&parent));
    drop(root);
    // The line is full after 199 more: nobody waits for room.
    (0..1_000).for_each(|_| drop(tracer.request(None)));
    let told = kept.spans();
    assert_eq!(told.len(), 700);
    let links = &told[500].links;
    assert_eq!((links.len(), links.dropped_count), (100, 50));
    line.leave(3);
    (0..10).for_each(|_| drop(tracer.request(None)));
    assert_eq!(kept.spans().len(), 703, "those that left made room");
}

#[test]
fn a_span_tells_what_was_noted() {
    let (tracer, kept) = tracer(&Line::new(10), 1.0);
    let other = tracer.request(None).expect("traced");
    let mut span = tracer.request(None).expect("traced");
    span.rename("POST /v1/track".to_owned());
    span.note("http.response.status_code", 503_usize);
    span.link(&other.parent());
    span.fail("unavailable");
    drop(span);
    drop(other);
    let told = kept.spans();
    let (span, other) = (&told[0], &told[1]);
    assert_eq!(
        (&*span.name, &span.span_kind),
        ("POST /v1/track", &Kind::Server)
    );
    assert_eq!(span.status, Status::error(""));
    assert_eq!(
        span.attributes,
        [
            KeyValue::new("http.response.status_code", 503_i64),
            KeyValue::new("error.type", "unavailable"),
        ]
    );
    assert_eq!(span.links.links[0].span_context, other.span_context);
    assert!(SystemTime::UNIX_EPOCH < span.start_time && span.start_time <= span.end_time);
    assert_eq!(span.instrumentation_scope.version(), Some(VERSION));
}
