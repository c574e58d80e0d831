//! Sends spans to a collector, some at a time. A collector that is away costs spans, which are counted, and nothing else.

use super::otlp;
use super::told::Told;
use crate::config;
use crate::metric_names::SPANS;
use metrics::counter;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response, redirect};
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

/// Spans of one request: a quarter of a megabyte.
const MOST_AT_ONCE: usize = 512;
/// How long the first span of a request waits for others.
const GATHERING: Duration = Duration::from_secs(1);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Between tries of the same spans, while the next ones gather.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Of an answer so much is read: it says how many spans were refused.
const ANSWER_BYTES: usize = 16 * 1024;

/// The way to a collector.
pub(super) struct Sending {
    http: Client,
    endpoint: String,
    authorization: String,
    node: String,
    /// The last spans were lost: said once, not each second.
    is_failing: bool,
}

/// Why spans were not taken.
struct Failure {
    reason: String,
    may_pass: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    partial_success: PartialSuccess,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    /// A number of 64 bits, which is a text in this JSON; some write it as a number.
    rejected_spans: serde_json::Value,
}

impl Sending {
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(settings: &config::Traces) -> reqwest::Result<Self> {
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT)
            .build()?;
        Ok(Self {
            http,
            endpoint: settings.endpoint.clone(),
            authorization: settings.authorization.reveal().to_owned(),
            node: Uuid::new_v4().to_string(),
            is_failing: false,
        })
    }

    /// Sends until nobody is left who could begin a span, and then what is left.
    pub async fn run(mut self, mut spans: mpsc::Receiver<Told>) {
        let mut gathered = Vec::new();
        while spans.recv_many(&mut gathered, MOST_AT_ONCE).await > 0 {
            gather(&mut spans, &mut gathered).await;
            self.send(&gathered).await;
            gathered.clear();
        }
    }

    async fn send(&mut self, spans: &[Told]) {
        let outcome = self.try_to_send(spans).await;
        let refused = outcome.as_ref().map_or(spans.len(), |refused| *refused);
        count("sent", spans.len() - refused);
        count("lost", refused);
        match &outcome {
            Err(failure) if !self.is_failing => {
                tracing::warn!(reason = failure.reason, "traces are lost");
            }
            Ok(_) if self.is_failing => tracing::info!("traces are taken again"),
            _ => {}
        }
        self.is_failing = outcome.is_err();
    }

    /// How many spans the collector refused.
    async fn try_to_send(&self, spans: &[Told]) -> Result<usize, Failure> {
        let body = otlp::body(&self.node, spans).map_err(Failure::lasting)?;
        let mut pauses = PAUSES.into_iter();
        loop {
            match self.request(body.clone()).send().await {
                Ok(answer) if answer.status().is_success() => {
                    return Ok(refused(answer).await.min(spans.len()));
                }
                outcome => match (Failure::of(outcome), pauses.next()) {
                    (failure, Some(pause)) if failure.may_pass => sleep(pause).await,
                    (failure, _) => return Err(failure),
                },
            }
        }
    }

    fn request(&self, body: Vec<u8>) -> RequestBuilder {
        let request = self.http.post(&self.endpoint);
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        if self.authorization.is_empty() {
            request
        } else {
            request.header(AUTHORIZATION, &self.authorization)
        }
    }
}

impl Failure {
    fn of(outcome: reqwest::Result<Response>) -> Self {
        match outcome {
            Ok(answer) => Self {
                reason: format!("the collector answers {}", answer.status()),
                may_pass: matches!(answer.status().as_u16(), 429 | 502 | 503 | 504),
            },
            Err(error) => Self {
                may_pass: !error.is_builder(),
                // Without the address: it may carry a password.
                reason: full_text(&error.without_url()),
            },
        }
    }

    fn lasting(error: impl std::error::Error) -> Self {
        Self {
            reason: full_text(&error),
            may_pass: false,
        }
    }
}

fn full_text(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |source| source.source());
    sources.fold(error.to_string(), |text, source| {
        format!("{text}: {source}")
    })
}

/// Waits a moment for more.
async fn gather(spans: &mut mpsc::Receiver<Told>, gathered: &mut Vec<Told>) {
    let until = Instant::now() + GATHERING;
    while gathered.len() < MOST_AT_ONCE {
        let room = MOST_AT_ONCE - gathered.len();
        match timeout_at(until, spans.recv_many(gathered, room)).await {
            Ok(more) if more > 0 => {}
            _ => return,
        }
    }
}

async fn refused(mut answer: Response) -> usize {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        if text.len() + chunk.len() > ANSWER_BYTES {
            return 0;
        }
        text.extend_from_slice(&chunk);
    }
    let answer: Answer = serde_json::from_slice(&text).unwrap_or_default();
    let number = answer.partial_success.rejected_spans;
    let number = number
        .as_str()
        .map_or(number.as_u64(), |text| text.parse().ok());
    number.map_or(0, |number| number as usize)
}

fn count(outcome: &'static str, spans: usize) {
    counter!(SPANS, "outcome" => outcome).increment(spans as u64);
}
