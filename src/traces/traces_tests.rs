//! What is told of a request, and what it may cost.

use super::told::Told;
use super::*;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

fn tracer(most: usize, ratio: f64) -> (Tracer, mpsc::Receiver<Told>) {
    let (outlet, spans) = Outlet::new(most);
    (Tracer { ratio, outlet }, spans)
}

fn gathered(mut spans: mpsc::Receiver<Told>) -> Vec<Told> {
    std::iter::from_fn(|| spans.try_recv().ok()).collect()
}

#[tokio::test]
async fn spans_hang_below_each_other_and_nothing_is_told_where_nothing_is_traced() {
    assert!(child("nobody asked", Kind::Internal).is_none());
    let (tracer, spans) = tracer(10, 1.0);
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
    let told = gathered(spans);
    let names: Vec<&str> = told.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["insert_events", "commit", "request"]);
    assert_eq!(told[0].parent, Some(told[1].span));
    assert_eq!(told[1].parent, Some(told[2].span));
    assert_eq!(told[2].parent, None);
    assert!(told.iter().all(|span| span.trace == told[0].trace));
    assert!(told[2].began <= told[0].began && told[0].ended <= told[2].ended + 1_000_000);
}

#[test]
fn a_caller_goes_on_with_his_trace_and_does_not_decide_whether_it_is_told() {
    let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (always, spans) = tracer(10, 1.0);
    drop(always.request(Some(header)));
    drop(always.request(Some("nonsense")));
    let told = gathered(spans);
    assert_eq!(told[0].trace.to_string(), header[3..35]);
    assert_eq!(
        told[0].parent.expect("the caller's").to_string(),
        header[36..52]
    );
    assert!(told[1].parent.is_none() && told[1].trace != told[0].trace);
    let (never, _spans) = tracer(10, 0.0);
    assert!(never.request(Some(header)).is_none());
}

#[test]
fn a_trace_a_link_and_a_line_have_an_end() {
    let (tracer, spans) = tracer(700, 1.0);
    let mut root = tracer.request(None).expect("traced");
    let parent = root.parent();
    let begun = (0..1_000).filter_map(|_| parent.child("one", Kind::Client));
    assert_eq!(begun.count(), 500, "spans of one request");
    (0..150).for_each(|_| root.link(&parent));
    drop(root);
    // The line is full after 199 more: nobody waits for room.
    (0..1_000).for_each(|_| drop(tracer.request(None)));
    let told = gathered(spans);
    assert_eq!(told.len(), 700);
    assert_eq!((told[500].links.len(), told[500].links_left_out), (100, 50));
}

#[test]
fn what_is_sent_is_what_the_protocol_says() {
    let (tracer, spans) = tracer(10, 1.0);
    let other = tracer.request(None).expect("traced");
    let mut span = tracer.request(None).expect("traced");
    span.rename("POST /v1/track".to_owned());
    span.note("http.response.status_code", 503_usize);
    span.link(&other.parent());
    span.fail("unavailable");
    drop(span);
    let told = gathered(spans);
    let body: Json =
        serde_json::from_slice(&otlp::body("node", &told).expect("plain")).expect("JSON");
    let resource = &body["resourceSpans"][0];
    assert_eq!(
        resource["resource"]["attributes"][0],
        json!({"key": "service.name", "value": {"stringValue": "roster"}})
    );
    let span = &resource["scopeSpans"][0]["spans"][0];
    assert_eq!(span["name"], "POST /v1/track");
    assert_eq!(
        (&span["kind"], &span["status"]),
        (&json!(2), &json!({"code": 2}))
    );
    assert_eq!(span["traceId"].as_str().map(str::len), Some(32));
    assert_eq!(span["spanId"].as_str().map(str::len), Some(16));
    assert_eq!(span.get("parentSpanId"), None);
    let nanos = |key: &str| span[key].as_str().expect("a text").parse::<u64>();
    assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"));
    assert_eq!(
        span["attributes"],
        json!([
            {"key": "http.response.status_code", "value": {"intValue": "503"}},
            {"key": "error.type", "value": {"stringValue": "unavailable"}},
        ])
    );
    assert_eq!(span["links"].as_array().map(Vec::len), Some(1));
}
