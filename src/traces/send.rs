//! Sends spans to a collector, some at a time. A collector that is away costs spans, which are counted, and nothing else.

use super::line::Line;
use crate::config;
use crate::metric_names::SPANS;
use async_trait::async_trait;
use metrics::counter;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as Exporter};
use prost::Message;
use reqwest::{Client, RequestBuilder, redirect};
use std::collections::HashMap;
use std::mem::take;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// No try of the same spans begins later than so long after the first, while the next ones gather.
const TRIES_LIMIT: Duration = Duration::from_secs(5);
/// Of an answer so much is read: it says how many spans were refused.
const ANSWER_BYTES: usize = 16 * 1024;

/// Why no traces can be sent. Neither says where to: an address may carry a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client can't be made.
    #[error("TLS to the collector of traces can't be set up")]
    Tls(#[source] reqwest::Error),
    /// The exporter does not take the settings.
    #[error("traces.endpoint is no address, or a variable OTEL_EXPORTER_OTLP_… is wrong")]
    Settings,
}

/// Counts what OpenTelemetry's own exporter does.
#[derive(Debug)]
pub(super) struct Sending {
    exporter: SpanExporter,
    line: Line,
    heard: Arc<Mutex<Heard>>,
    /// The last spans were lost: said once, not each second.
    is_failing: AtomicBool,
}

/// What the collector said last.
#[derive(Debug, Default)]
struct Heard {
    refused: usize,
    failure: String,
}

impl Sending {
    /// # Errors
    /// When TLS can't be set up, or the endpoint is no address.
    pub fn new(settings: &config::Traces, line: Line) -> Result<Self, Error> {
        let way = Way::new().map_err(Error::Tls)?;
        let heard = way.heard.clone();
        let authorization = settings.authorization.reveal();
        let mut headers = HashMap::new();
        if !authorization.is_empty() {
            headers.insert("authorization".to_owned(), authorization.to_owned());
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(way)
            .with_endpoint(&settings.endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(TRIES_LIMIT)
            .with_headers(headers)
            .build()
            .map_err(|_| Error::Settings)?;
        Ok(Self {
            exporter,
            line,
            heard,
            is_failing: AtomicBool::new(false),
        })
    }

    fn tell(&self, spans: usize, outcome: &OTelSdkResult) {
        let heard = take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        let lost = match outcome {
            Ok(()) => heard.refused.min(spans),
            Err(_) => spans,
        };
        counter!(SPANS, "outcome" => "sent").increment((spans - lost) as u64);
        counter!(SPANS, "outcome" => "lost").increment(lost as u64);
        match (outcome, self.is_failing.swap(outcome.is_err(), Relaxed)) {
            (Err(_), false) => tracing::warn!(reason = heard.failure, "traces are lost"),
            (Ok(()), true) => tracing::info!("traces are taken again"),
            _ => {}
        }
    }
}

impl Exporter for Sending {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.line.leave(spans);
        let outcome = self.exporter.export(batch).await;
        self.tell(spans, &outcome);
        outcome
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// HTTP as the rest of the service does it. OpenTelemetry's line has a thread of its own; requests go over the runtime.
#[derive(Debug)]
struct Way {
    http: Client,
    runtime: Handle,
    heard: Arc<Mutex<Heard>>,
}

impl Way {
    fn new() -> reqwest::Result<Self> {
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT)
            .build()?;
        Ok(Self {
            http,
            runtime: Handle::current(),
            heard: Arc::default(),
        })
    }
}

#[async_trait]
impl HttpClient for Way {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let request = self.http.request(parts.method, parts.uri.to_string());
        let request = request.headers(parts.headers).body(body);
        let outcome = self.runtime.spawn(answer(request)).await?;
        let heard = Heard::of(&outcome);
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
        Ok(outcome?)
    }
}

/// Sends a request, and reads the answer as far as anybody wants to know it.
async fn answer(request: RequestBuilder) -> reqwest::Result<Response<Bytes>> {
    // Without the address: it may carry a password.
    let mut answer = request.send().await.map_err(reqwest::Error::without_url)?;
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        if text.len() + chunk.len() > ANSWER_BYTES {
            break;
        }
        text.extend_from_slice(&chunk);
    }
    let mut told = Response::new(text.into());
    *told.status_mut() = answer.status();
    *told.headers_mut() = take(answer.headers_mut());
    Ok(told)
}

impl Heard {
    fn of(outcome: &reqwest::Result<Response<Bytes>>) -> Self {
        let (refused, failure) = match outcome {
            Ok(answer) if answer.status().is_success() => (refused(answer.body()), String::new()),
            Ok(answer) => (0, format!("the collector answers {}", answer.status())),
            Err(error) => (0, full_text(error)),
        };
        Self { refused, failure }
    }
}

fn refused(answer: &[u8]) -> usize {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    let refused = answer.partial_success.map_or(0, |part| part.rejected_spans);
    usize::try_from(refused).unwrap_or(0)
}

fn full_text(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |source| source.source());
    sources.fold(error.to_string(), |text, source| {
        format!("{text}: {source}")
    })
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
