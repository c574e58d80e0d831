//! Spans as OTLP's JSON: numbers of 64 bits are texts, names of spans are hexadecimal.

use super::ids::{SpanId, TraceId};
use super::told::{Told, Value};
use serde::Serialize;
use std::borrow::Cow;

/// Status code of a span that failed.
const ERROR: u8 = 2;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<Span<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<SpanId>,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    links: Vec<Link>,
    dropped_links_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    trace_id: TraceId,
    span_id: SpanId,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'a str,
    value: AnyValue<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum AnyValue<'a> {
    StringValue(Cow<'a, str>),
    IntValue(String),
}

/// The body of a request; `node` tells this process from others of the service.
pub(super) fn body(node: &str, spans: &[Told]) -> serde_json::Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    let resource = [
        ("service.name", "roster"),
        ("service.version", version),
        ("service.instance.id", node),
    ];
    let attributes = resource.map(|(key, text)| Attribute {
        key,
        value: AnyValue::StringValue(text.into()),
    });
    let scope_spans = ScopeSpans {
        scope: Scope {
            name: "roster",
            version,
        },
        spans: spans.iter().map(span).collect(),
    };
    serde_json::to_vec(&Request {
        resource_spans: [ResourceSpans {
            resource: Resource {
                attributes: attributes.into(),
            },
            scope_spans: [scope_spans],
        }],
    })
}

fn span(told: &Told) -> Span<'_> {
    let links = told.links.iter().copied();
    let attributes = told.attributes.iter();
    Span {
        trace_id: told.trace,
        span_id: told.span,
        parent_span_id: told.parent,
        name: &told.name,
        kind: told.kind as u8,
        start_time_unix_nano: told.began.to_string(),
        end_time_unix_nano: told.ended.to_string(),
        attributes: attributes.map(attribute).collect(),
        links: links
            .map(|(trace_id, span_id)| Link { trace_id, span_id })
            .collect(),
        dropped_links_count: told.links_left_out,
        status: told.has_failed.then_some(Status { code: ERROR }),
    }
}

fn attribute<'a>((key, value): &'a (&'static str, Value)) -> Attribute<'a> {
    let value = match value {
        Value::Text(text) => AnyValue::StringValue(text.as_ref().into()),
        Value::Number(number) => AnyValue::IntValue(number.to_string()),
    };
    Attribute { key, value }
}
