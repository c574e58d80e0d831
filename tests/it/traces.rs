//! Traces as a collector's own receiver reads them (`tests/collector`): every request leads to the batch that wrote it and to its
//! statements, nothing is told of anybody, and a collector that is away harms nobody.

use crate::harness::{Project, Service, shared, wait_until};
use crate::iterable::signed::{App, SECRET, token};
use crate::machine::{free_address, metric};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
/// Of which `/v1/identify` is one.
const ROUTE: &str = "/v1/{call:identify|i|track|t|page|p|screen|s|group|g|alias|a|merge}";

/// A collector's receiver, and what it has received.
struct Collector {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    async fn start(address: &str) -> Self {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/.dev/collector/collector");
        let mut child = Command::new(tool)
            .arg(address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`scripts/setup test` builds the collector");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (told, taken) = (BufReader::new(child.stdout.take().unwrap()), lines.clone());
        std::thread::spawn(move || {
            told.lines()
                .map_while(Result::ok)
                .for_each(|line| taken.lock().unwrap().push(line));
        });
        wait_until("the collector listens", PATIENCE, async || {
            tokio::net::TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self { child, lines }
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    fn spans(&self) -> Vec<Span> {
        let text = self.text();
        let requests = text.lines().map(|line| serde_json::from_str(line).unwrap());
        requests
            .flat_map(|request: Value| spans(&request["resourceSpans"]))
            .collect()
    }

    /// Waits for spans of which something holds.
    async fn until(&self, what: &str, holds: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        wait_until(what, PATIENCE, async || holds(&self.spans())).await;
        self.spans()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends with its input.
        let _ = self.child.wait();
    }
}

#[derive(Clone, Debug)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: u64,
    links: Vec<String>,
    attributes: HashMap<String, String>,
}

fn spans(resources: &Value) -> Vec<Span> {
    let resources = resources.as_array().unwrap().iter();
    let scopes = resources.flat_map(|resource| resource["scopeSpans"].as_array().unwrap());
    let spans = scopes.flat_map(|scope| scope["spans"].as_array().unwrap());
    spans.map(Span::of).collect()
}

impl Span {
    fn is_request(&self) -> bool {
        self.kind == 2
    }

    fn of(span: &Value) -> Self {
        let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
        let links = span["links"].as_array().into_iter().flatten();
        let attributes = span["attributes"].as_array().into_iter().flatten();
        let value = |attribute: &Value| {
            let value = attribute["value"].as_object().unwrap().values().next();
            value.unwrap().as_str().unwrap().to_owned()
        };
        Self {
            trace: text("traceId"),
            id: text("spanId"),
            parent: text("parentSpanId"),
            name: text("name"),
            kind: span["kind"].as_u64().unwrap(),
            links: links
                .map(|link| link["spanId"].as_str().unwrap().to_owned())
                .collect(),
            attributes: attributes
                .map(|one| (one["key"].as_str().unwrap().to_owned(), value(one)))
                .collect(),
        }
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_leads_to_its_batch_and_its_statements_and_a_collector_that_is_away_harms_nobody()
{
    let address = free_address();
    let collector = Collector::start(&address).await;
    let endpoint = format!("http://{address}/v1/traces");
    let settings = [
        ("ROSTER__TRACES__ENDPOINT", &*endpoint),
        ("ROSTER__TRACES__SAMPLE_RATIO", "1"),
        ("ROSTER__INGEST__PARALLEL_FLUSHES", "1"),
    ];
    let database_url = &shared().await.database_url;
    let service = Service::start(database_url, &settings).await;
    let project = Project::on(&service.url, database_url).await;

    identify_as_a_part_of_a_trace(&project).await;
    let found = collector
        .until("the caller's trace", |spans| {
            // A trace comes in parts: the batch may end after the request.
            let own = |span: &&Span| span.trace == TRACE;
            let mut batches = named(spans, "batch").into_iter();
            batches.any(|span| own(&span)) && spans.iter().filter(own).any(Span::is_request)
        })
        .await;
    the_callers_trace_is_whole(&found);

    let calls = (0..40).map(|number| {
        let call = json!({"userId": "traced@example.org", "event": "Seen", "messageId": format!("t-{number}")});
        let project = &project;
        async move { project.send("/v1/track", &call).await }
    });
    join_all(calls).await;
    assert!(project.profile("user_id:traced@example.org").await["id"].is_string());
    let found = collector
        .until("all requests", |spans| {
            let requests = named(spans, "POST /v1/track");
            let mut batches = requests.iter().map(|request| batch_of(spans, request));
            requests.len() == 40 && batches.all(|batch| batch.is_some()) && !reads(spans).is_empty()
        })
        .await;
    every_request_leads_to_its_batch(&found);
    let read = reads(&found)[0];
    let asks = found.iter().filter(|span| span.parent == read.id);
    assert!(asks.count() > 0, "a read leads to its statements");

    let signed = signed_calls(&project).await;
    collector
        .until("signed calls", |spans| {
            named(spans, "POST /api/users/update").len() == signed.len()
        })
        .await;
    let text = collector.text();
    for secret in &signed {
        assert!(!text.contains(secret.as_str()), "{secret} was told");
    }
    for secret in [
        "traced@example.org",
        "t-7",
        "Seen",
        "Ada",
        &project.write_key,
        &project.server_key,
    ] {
        assert!(!text.contains(secret), "{secret} was told");
    }
    wait_until("they are counted", PATIENCE, async || {
        metric(&service.url, "roster_spans_total").await > 80.0
    })
    .await;
    drop(collector);
    away(&project, service, &address).await;
}

/// Calls of Iterable's API by tokens, good ones and others, and by a key in the query; tells what nobody is to be told.
async fn signed_calls(project: &Project) -> Vec<String> {
    let app = App::of(project.through(&project.url)).await;
    let claims = || json!({"userId": "traced@example.org"});
    let tokens = [
        token(claims(), SECRET, (10, 600)),
        token(claims(), SECRET, (600, -120)),
        token(claims(), "another secret", (10, 600)),
    ];
    for token in &tokens {
        app.post("users/update", Some(token), &json!({})).await;
    }
    let url = format!("{}/api/users/update?api_key={}", project.url, app.key);
    let unsigned = project
        .client
        .post(url)
        .json(&json!({"email": "query@example.org"}));
    assert_eq!(unsigned.send().await.unwrap().status(), 401);
    let signature = |token: &String| token.rsplit('.').next().unwrap_or_default().to_owned();
    tokens.iter().map(signature).chain([app.key]).collect()
}

/// One call that says of which trace it is a part.
async fn identify_as_a_part_of_a_trace(project: &Project) {
    let call = project
        .client
        .post(format!("{}/v1/identify", project.url))
        .basic_auth(&project.write_key, Some(""))
        .header("traceparent", format!("00-{TRACE}-{CALLER}-00"))
        .json(&json!({"userId": "traced@example.org", "traits": {"name": "Ada"}}));
    assert!(call.send().await.unwrap().status().is_success());
}

fn the_callers_trace_is_whole(spans: &[Span]) {
    let own: Vec<Span> = spans
        .iter()
        .filter(|span| span.trace == TRACE)
        .cloned()
        .collect();
    let request = own.iter().find(|span| span.is_request()).unwrap();
    assert_eq!(request.parent, CALLER);
    assert_eq!(request.name, format!("POST {ROUTE}"));
    assert_eq!(request.attributes["http.response.status_code"], "200");
    assert_eq!(request.attributes["http.route"], ROUTE);
    let commit = named(&own, "commit")[0];
    assert_eq!(commit.parent, request.id);
    assert_eq!(commit.attributes["roster.items"], "1");
    let batch = named(&own, "batch")[0];
    assert_eq!(batch.parent, commit.id);
    let statements: Vec<&Span> = own.iter().filter(|span| span.kind == 3).collect();
    assert!(
        statements
            .iter()
            .any(|one| one.name == "create_identities" && one.parent == batch.id)
    );
    let of_batch = statements.iter().filter(|one| one.parent == batch.id);
    for statement in of_batch {
        assert_eq!(statement.attributes["db.system.name"], "postgresql");
        assert_eq!(statement.attributes["db.operation.name"], statement.name);
    }
}

fn reads(spans: &[Span]) -> Vec<&Span> {
    let reads = spans.iter();
    reads
        .filter(|span| span.name.starts_with("GET /v1/profiles"))
        .collect()
}

fn commit_of<'a>(spans: &'a [Span], request: &Span) -> Option<&'a Span> {
    let mut below = spans.iter().filter(|span| span.parent == request.id);
    below.find(|span| span.name == "commit")
}

/// Whether a batch and a request's commit are linked with each other.
fn are_linked(batch: &Span, commit: &Span) -> bool {
    batch.links.contains(&commit.id) && commit.links.contains(&batch.id)
}

/// The batch that hangs below a request's commit, or is linked with it.
fn batch_of<'a>(spans: &'a [Span], request: &Span) -> Option<&'a Span> {
    let commit = commit_of(spans, request)?;
    let mut batches = named(spans, "batch").into_iter();
    batches.find(|batch| batch.parent == commit.id || are_linked(batch, commit))
}

fn every_request_leads_to_its_batch(spans: &[Span]) {
    let mut linked = 0;
    for request in named(spans, "POST /v1/track") {
        let commit = commit_of(spans, request).expect("each request waits for its commit");
        let batch = batch_of(spans, request).expect("a commit leads to its batch");
        linked += usize::from(are_linked(batch, commit));
        let mut statements = spans.iter().filter(|span| span.parent == batch.id);
        assert!(statements.any(|span| span.name == "insert_events"));
    }
    assert!(linked > 0, "forty requests at once share batches");
}

/// Requests are answered as before, spans are counted as lost, and neither that nor a collector that hangs keeps the service from stopping.
async fn away(project: &Project, service: Service, address: &str) {
    let lost = async || {
        let answer = crate::harness::fetch(format!("{}/metrics", service.url)).await;
        let text = answer.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.contains("outcome=\"lost\""));
        !line.unwrap().ends_with(" 0")
    };
    let call = json!({"userId": "traced@example.org", "event": "Seen", "messageId": "away"});
    assert!(!lost().await);
    project.send("/v1/track", &call).await;
    wait_until("spans are lost", PATIENCE, lost).await;
    let hanging = std::net::TcpListener::bind(address).unwrap();
    project.send("/v1/track", &call).await;
    let begun = std::time::Instant::now();
    assert!(service.terminate().await.success());
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    drop(hanging);
}
