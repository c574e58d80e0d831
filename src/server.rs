//! Builds the parts, starts them, and stops them in order.
//!
//! Stopping: not ready → no new connections, requests finish → the last `Ingest` is dropped → the batcher flushes and ends →
//! the pool closes → the embedded database stops. Every task of the process is started here (but the batcher's flushes and the
//! connections' own).

pub mod backfill;
pub mod check;
mod complaints;
pub mod export;
mod http;
mod stopping;
mod tidying;
pub mod trial;

pub use complaints::complaints;
pub use stopping::Signals;

use crate::api::auth::Keys;
use crate::api::invalidated::Invalidated;
use crate::api::lane::{Lane, Lanes};
use crate::api::rates::Rates;
use crate::api::reads::Reads;
use crate::api::{self, State};
use crate::backfill::{Backfill, Source};
use crate::clock::Clock;
use crate::config::{Config, millis};
use crate::domain::{KeyHash, KeyKind};
use crate::embedded::Embedded;
use crate::health::Health;
use crate::imports::{Imports, OldImports};
use crate::ingest::Ingest;
use crate::legacy_reads::{LegacyReads, Line};
use crate::mirror::{self, Relay};
use crate::pulls::{Desk, Pulls};
use crate::store::{self, Store};
use crate::telemetry;
use crate::traces::Tracer;
use crate::upkeep::erasures::Erasures;
use crate::upkeep::frame;
use crate::upkeep::gauges;
use crate::upkeep::retention::{OldEvents, OldLists};
use crate::upkeep::splits::Splits;
use crate::verify::Verify;
use actix_web::web::Data;
use anyhow::{Context, Result, anyhow};
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;
use stopping::{Tasks, announce, drain};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The keys that the README shows.
const DEV_KEYS: [(&str, KeyKind); 2] = [
    ("dev-write-key", KeyKind::Write),
    ("dev-server-key", KeyKind::Server),
];

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// With one sentence for the operator when the service can't start, or could not finish in time.
pub async fn serve(config: Config) -> Result<()> {
    // Before the database is started: who started it has to stop it.
    let mut signals = Signals::listen()?;
    let listener = bind(&config)?;
    raise_file_limit();
    let metrics = telemetry::install_metrics()?;
    let (embedded, url) = database(&config).await?;
    let serving = serve_on(&config, &url, (listener, metrics), &mut signals);
    let Some(mut embedded) = embedded else {
        return serving.await;
    };
    let outcome = tokio::select! {
        outcome = serving => outcome,
        () = embedded.keep_alive() => Ok(()), // never: it goes on for as long as it is waited for
    };
    outcome.and(embedded.stop().await)
}

/// Serves on a database that is there, and returns when everything but that database has stopped.
async fn serve_on(
    config: &Config,
    url: &str,
    (listener, metrics): (TcpListener, PrometheusHandle),
    signals: &mut Signals,
) -> Result<()> {
    let sources = backfill::sources(config)?;
    let patience = millis(config.ingest.write_deadline_ms);
    let store = Store::open(&config.database, url, patience).map_err(explained)?;
    tokio::select! {
        biased; // what was asked while the database started comes first
        () = signals.asked() => {
            tracing::info!("stopped before it served");
            return Ok(());
        }
        prepared = prepare(&store, config) => prepared?,
    }
    serve_prepared(config, store, sources, (listener, metrics), signals).await
}

/// The same on a database that has what is needed.
async fn serve_prepared(
    config: &Config,
    store: Store,
    sources: Vec<Arc<Source>>,
    (listener, metrics): (TcpListener, PrometheusHandle),
    signals: &mut Signals,
) -> Result<()> {
    let (ingest, batcher) = Ingest::new(store.clone(), &config.ingest, &config.limits);
    let (keys, lookups) = Keys::new(&config.keys, key_lookup(store.clone(), config));
    let clock = Arc::new(clock(&store).await?);
    let health = health(&clock, config);
    let rates = Arc::new(Rates::new(&config.rates));
    let (stop_backfill, told) = watch::channel(false);
    let taking_in = Backfill::new(
        ingest.clone(),
        store.clone(),
        health.clone(),
        config.backfill.max_bytes_in_flight,
    );
    let (tracer, sending) = Tracer::new(&config.traces)?.unzip();
    let reads = Reads::new(&config.reads);
    let legacy_reads = LegacyReads::new(config, store.clone(), reads.connections());
    let (legacy_reads, line) = legacy_reads.map_err(|text| anyhow!(text))?;
    let legacy_reads = Arc::new(legacy_reads);
    legacy_reads.refresh().await;
    let invalidated = Invalidated::new(store.clone(), config.server.request_timeout_ms);
    let invalidated = Arc::new(invalidated);
    let (imports, desk) = files(config, &store, &ingest)?;
    let mut tasks = Tasks {
        batcher: spawn(batcher),
        backfills: backfill::start(&taking_in, sources.clone(), &told),
        stop_backfill,
        writers: fetching(config, &store, (&imports, &desk)),
        traces: sending.map(spawn),
        others: vec![
            spawn(lookups),
            spawn(watch(health.clone(), store.clone())),
            spawn(frame::run(store.clone(), Erasures)),
            spawn(frame::run(store.clone(), Splits(config.limits.clone()))),
            spawn(frame::run(store.clone(), OldLists(config.upkeep.clone()))),
            spawn(frame::run(store.clone(), OldEvents(config.upkeep.clone()))),
            spawn(gauges::tell(store.clone())),
            spawn(tidying::tidy(config, metrics.clone(), rates.clone())),
            spawn(watch_reads(legacy_reads.clone())),
            spawn(compare_reads(legacy_reads.clone(), line)),
            spawn(invalidated.clone().watch()),
        ],
    };
    drop(taking_in);
    let relay = relay((&store, &ingest), config, sources);
    tasks.writers.extend(relay);
    let state = Data::new(State {
        server: config.server.clone(),
        limits: config.limits.clone(),
        clock,
        lanes: lanes(config, &ingest),
        reads,
        legacy_reads,
        rates: rates.clone(),
        mirrored: (config.legacy.indices.clone(), config.legacy.topics.clone()),
        keys,
        invalidated,
        ingest,
        imports: imports.clone(),
        pulls: desk,
        store: store.clone(),
        health: health.clone(),
        metrics,
        tracer,
    });
    let address = listener.local_addr()?;
    let server = http::server(&config.server, listener, state)?;
    let handle = server.handle();
    let serving = spawn(server);
    tracing::info!(%address, "serving");
    signals.asked().await;
    announce(config, &health, &tasks).await;
    let stop = drain(imports, &handle, tasks, serving);
    let outcome = timeout(millis(config.server.shutdown_timeout_ms), stop).await;
    store.close();
    outcome.map_err(|_| anyhow!("requests did not finish within server.shutdown_timeout_ms"))?;
    tracing::info!("stopped");
    Ok(())
}

/// Files that are sent, and from where others may be fetched.
fn files(config: &Config, store: &Store, ingest: &Ingest) -> Result<(Imports, Desk)> {
    let imports = Imports::new(
        store.clone(),
        ingest.clone(),
        (&config.imports, &config.limits),
        backfill::calls(),
    );
    let desk = Desk::new(&config.imports.pulls).map_err(|text| anyhow!(text))?;
    Ok((imports, desk))
}

/// Of nodes one gives up what nobody went on with; of those that know from where files may be fetched, one fetches them.
fn fetching(
    config: &Config,
    store: &Store,
    (imports, desk): (&Imports, &Desk),
) -> Vec<JoinHandle<()>> {
    let old = OldImports(imports.clone());
    let mut tasks = vec![spawn(frame::run(store.clone(), old))];
    let settings = &config.imports.pulls;
    if !settings.places.is_empty() {
        let pulls = Pulls::new(desk.clone(), imports.clone(), settings);
        tasks.push(spawn(frame::run(store.clone(), pulls)));
    }
    tasks
}

/// Of nodes that know where a legacy store is one keeps it up, and one verifies; all tell how far the mirror is.
fn relay(
    (store, ingest): (&Store, &Ingest),
    config: &Config,
    sources: Vec<Arc<Source>>,
) -> Vec<JoinHandle<()>> {
    if !config.legacy.is_mirrored() {
        return Vec::new();
    }
    let relay = Relay::new(
        config.legacy.clone(),
        config.backfill.kafka.clone(),
        config.limits.clone(),
        ingest.clone(),
    );
    let verify = Verify {
        legacy: config.legacy.clone(),
        sources,
        limits: config.limits.clone(),
    };
    vec![
        spawn(frame::run(store.clone(), relay)),
        spawn(mirror::tell(store.clone())),
        spawn(frame::run(store.clone(), verify)),
    ]
}

/// Strangers have one thread for large bodies: what they send is worth less than the work of the others.
fn lanes(config: &Config, ingest: &Ingest) -> Lanes {
    let settings = &config.server;
    let known = Lane::within(ingest.admission().clone(), settings.parallel_decoders);
    Lanes::new(known, settings.stranger_bytes_in_flight)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts tasks, and keeps their handles"
)]
fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// Binds before anything else: a port in use must not cost a database start.
fn bind(config: &Config) -> Result<TcpListener> {
    let address = config.server.listen;
    TcpListener::bind(address).with_context(|| format!("can't listen on {address}"))
}

/// Ten thousand idle connections need as many files; the default limit of a shell is 1024.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Without it there are fewer connections, no less service.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

async fn database(config: &Config) -> Result<(Option<Embedded>, String)> {
    if !config.is_embedded() {
        return Ok((None, config.database.url.reveal().to_owned()));
    }
    let embedded = Embedded::start(&config.data_dir).await?;
    let url = embedded.database_url().to_owned();
    Ok((Some(embedded), url))
}

/// Encoding, schema, rights, and the development project: what must hold before the first request.
async fn prepare(store: &Store, config: &Config) -> Result<()> {
    store.check_encoding().await.map_err(explained)?;
    if config.database.migrate {
        let migrated = store.migrate().await.map_err(explained);
        migrated.context("can't bring the schema up to date")?;
    }
    if store.pending_steps().await.map_err(explained)?.is_empty() {
        store
            .check_rights()
            .await
            .map_err(explained)
            .context("the database user lacks rights")?;
    }
    if is_for_development(config) {
        create_dev_project(store).await.map_err(explained)?;
    }
    Ok(())
}

/// Nobody else can reach this service or its database.
fn is_for_development(config: &Config) -> bool {
    config.is_embedded() && config.server.listen.ip().is_loopback()
}

/// The project whose keys the README shows.
async fn create_dev_project(store: &Store) -> Result<(), store::Error> {
    store.create_project("dev").await?;
    let Some(project_id) = store.find_project("dev").await? else {
        return Ok(());
    };
    for (key, kind) in DEV_KEYS {
        store.create_key(KeyHash::of(key), project_id, kind).await?;
    }
    Ok(())
}

/// No request is taken before the database has told the time.
async fn clock(store: &Store) -> Result<Clock> {
    let (clock, asked) = (Clock::start(), Instant::now());
    clock.hear(asked, store.ping().await.map_err(explained)?);
    Ok(clock)
}

fn health(clock: &Arc<Clock>, config: &Config) -> Arc<Health> {
    let most = millis(config.database.max_clock_difference_ms);
    Arc::new(Health::new(clock.clone(), most))
}

fn explained(error: store::Error) -> anyhow::Error {
    anyhow!(error.full_text())
}

/// The well-known keys stay unknown wherever somebody else could use them, also in a database that came from a developer.
fn key_lookup(store: Store, config: &Config) -> api::auth::Lookup {
    let refused: Vec<KeyHash> = if is_for_development(config) {
        Vec::new()
    } else {
        DEV_KEYS.map(|(key, _)| KeyHash::of(key)).to_vec()
    };
    Box::new(move |mut hashes| {
        hashes.retain(|hash| !refused.contains(hash));
        let store = store.clone();
        Box::pin(async move {
            store
                .load_keys(&hashes)
                .await
                .map_err(|error| error.full_text().into())
        })
    })
}

async fn watch(health: Arc<Health>, store: Store) {
    health.watch(store).await;
}

async fn watch_reads(reads: Arc<LegacyReads>) {
    reads.watch().await;
}

async fn compare_reads(reads: Arc<LegacyReads>, line: Line) {
    reads.compare_all(line).await;
}
