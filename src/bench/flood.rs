//! Fair shares: what ten projects feel of one that floods.
//!
//! Their latency counts from the moment at which a call was due, whether or not the one before had been answered: a service that
//! stands still for a second is charged for all the calls of that second.

use super::bodies::{self, Request};
use super::http::Connection;
use super::plan::Settings;
use super::stage::{Database, NEIGHBOURS_PEOPLE, Service};
use super::tally::Tally;
use crate::config::Config;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// Projects beside the one that floods, and the time between two calls of one.
const NEIGHBOURS: usize = 10;
const INTERVAL: Duration = Duration::from_millis(50);
/// Calls that may be under way at once in each, so that late answers do not delay the next call.
const LINES: usize = 4;
/// Items of a body that is sent again and again.
const LARGE_ITEMS: usize = 5_000;
/// Senders of the flood: of single calls, batches, imports and large bodies; and as many of each as are all answered.
const SENDERS: [usize; 4] = [128, 64, 16, 8];
const FEW_SENDERS: [usize; 4] = [32, 8, 2, 1];
/// Longest wait of the flood after it was told to come again: it does not obey.
const IMPATIENCE: Duration = Duration::from_millis(10);

/// What the neighbours felt.
#[derive(Debug, Serialize)]
pub struct Felt {
    pub calls: u64,
    pub refused: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    pub quiet: Felt,
    pub flooded: Felt,
    pub afterwards: Felt,
    pub peak_items_per_second: f64,
    pub flood_items_per_second: f64,
    pub flood_refused: u64,
    pub refused_without_retry_after: u64,
    pub peak_memory_bytes: u64,
}

/// What one sender did.
#[derive(Default)]
struct Sent {
    tally: Tally,
    refused: u64,
    without_retry_after: u64,
}

impl Sent {
    fn absorb(&mut self, other: &Self) {
        self.tally.absorb(&other.tally);
        self.refused += other.refused;
        self.without_retry_after += other.without_retry_after;
    }

    fn felt(&self) -> Felt {
        let milliseconds = |quantile| self.tally.latency.value_at_quantile(quantile) as f64 / 1e3;
        Felt {
            calls: self.tally.items,
            refused: self.refused,
            p50_ms: milliseconds(0.5),
            p99_ms: milliseconds(0.99),
        }
    }
}

/// Measures the neighbours alone, beside the flood, and after it.
pub async fn run(settings: &Settings, config: &Config) -> Result<Report> {
    Database::lend(config, async |url| with_database(settings, url).await).await
}

async fn with_database(settings: &Settings, url: &str) -> Result<Report> {
    let mut tasks = JoinSet::new();
    let service = Service::start(settings, url, &mut tasks).await?;
    let mut keys = Vec::new();
    for _ in 0..NEIGHBOURS {
        keys.push(service.another_project(url).await?);
    }
    let time = Duration::from_secs(settings.seconds);
    let neighbours = || apart(service.address, keys.clone(), time);
    // Twice, of which the second counts: connections, plans and caches are warm then.
    neighbours().await?;
    let quiet = neighbours().await?;
    let peak = flood(&service, settings, time, FEW_SENDERS).await?;
    let flood = flood(&service, settings, time, SENDERS);
    let (flooded, flood) = tokio::join!(neighbours(), flood);
    let (flooded, flood) = (flooded?, flood?);
    sleep(Duration::from_secs(10)).await;
    let afterwards = neighbours().await?;
    let report = Report {
        quiet: quiet.felt(),
        flooded: flooded.felt(),
        afterwards: afterwards.felt(),
        peak_items_per_second: rate(&peak, time),
        flood_items_per_second: rate(&flood, time),
        flood_refused: flood.refused,
        refused_without_retry_after: flood.without_retry_after + flooded.without_retry_after,
        peak_memory_bytes: service.processes.peak_memory(),
    };
    service.stop().await?;
    Ok(report)
}

fn rate(sent: &Sent, time: Duration) -> f64 {
    sent.tally.items as f64 / time.as_secs_f64()
}

/// The neighbours in a thread of their own: what the flood's senders do must not delay the clock that judges.
async fn apart(address: SocketAddr, keys: Vec<String>, time: Duration) -> Result<Sent> {
    let measured = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(neighbours(address, &keys, NEIGHBOURS_PEOPLE, time))
    });
    measured.await?
}

/// Single calls of all neighbours, each at its time.
async fn neighbours(
    address: SocketAddr,
    keys: &[String],
    people: u32,
    time: Duration,
) -> Result<Sent> {
    let (mut senders, start) = (JoinSet::new(), Instant::now());
    for (place, key) in keys.iter().enumerate() {
        for line in 0..LINES {
            let every = INTERVAL * LINES as u32;
            let offset = INTERVAL * line as u32 + INTERVAL / keys.len() as u32 * place as u32;
            let request = Request::single("/v1/track", key, place);
            let connection = Connection::open(address).await?;
            senders.spawn(on_time(
                connection,
                request,
                people,
                (start + offset, every, start + time),
            ));
        }
    }
    gather(senders).await
}

async fn on_time(
    mut connection: Connection,
    mut request: Request,
    people: u32,
    (first, every, end): (Instant, Duration, Instant),
) -> Result<Sent> {
    let (mut sent, mut due) = (Sent::default(), first);
    while due < end {
        sleep_until(due).await;
        let status = connection.ask(request.renew(people)).await?;
        sent.tally.add(1, due.elapsed());
        if status != 200 {
            sent.refused += 1;
            sent.without_retry_after += u64::from(connection.retry_after().is_none());
        }
        due += every;
    }
    Ok(sent)
}

/// Single calls, batches, imports, and a large body again and again: so many senders of each.
async fn flood(
    service: &Service,
    settings: &Settings,
    time: Duration,
    senders: [usize; 4],
) -> Result<Sent> {
    let (mut tasks, end) = (JoinSet::new(), Instant::now() + time);
    let key = &service.key;
    let many = |path, index, items| Request::many(path, key, (index, items), bodies::track);
    let [single, batches, imports, large] = senders;
    let mut requests = Vec::new();
    requests.extend((0..single).map(|index| (Request::single("/v1/track", key, index), 1, true)));
    requests.extend((0..batches).map(|index| (many("/v1/batch", index, 100), 100, true)));
    requests.extend((0..imports).map(|index| (many("/v1/import", index, 100), 100, true)));
    requests.extend((0..large).map(|_| (many("/v1/batch", 0, LARGE_ITEMS), LARGE_ITEMS, false)));
    for (request, items, is_new) in requests {
        let items = items as u64;
        let mut sender = Sender::open(service.address, request, items, settings.people).await?;
        sender.is_new = is_new;
        tasks.spawn(sender.send_until(end));
    }
    gather(tasks).await
}

/// A connection that sends one sort of request as fast as it is answered.
struct Sender {
    address: SocketAddr,
    connection: Connection,
    request: Request,
    items: u64,
    people: u32,
    /// Each sending has events of its own; else the same is sent again.
    is_new: bool,
}

impl Sender {
    async fn open(
        address: SocketAddr,
        mut request: Request,
        items: u64,
        people: u32,
    ) -> Result<Self> {
        request.renew(people);
        Ok(Self {
            address,
            connection: Connection::open(address).await?,
            request,
            items,
            people,
            is_new: true,
        })
    }

    async fn send_until(mut self, end: Instant) -> Result<Sent> {
        let mut sent = Sent::default();
        while Instant::now() < end {
            let bytes = if self.is_new {
                self.request.renew(self.people)
            } else {
                self.request.bytes()
            };
            let started = Instant::now();
            let Ok(status) = self.connection.ask(bytes).await else {
                // A large body that is refused before it was read takes its connection along.
                sent.refused += 1;
                self.connection = Connection::open(self.address).await?;
                continue;
            };
            if status == 200 {
                sent.tally.add(self.items, started.elapsed());
            } else {
                sent.refused += 1;
                sent.without_retry_after += u64::from(self.connection.retry_after().is_none());
                sleep(IMPATIENCE).await;
            }
        }
        Ok(sent)
    }
}

async fn gather(mut senders: JoinSet<Result<Sent>>) -> Result<Sent> {
    let mut all = Sent::default();
    while let Some(done) = senders.join_next().await {
        all.absorb(&done.context("a connection broke off")??);
    }
    Ok(all)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:24}{:>8}{:>9}{:>9}{:>9}{:>9}",
            "neighbours", "calls", "refused", "p50 ms", "p99 ms", "times"
        )?;
        let phases = [
            ("alone", &self.quiet),
            ("beside the flood", &self.flooded),
            ("10 s after it", &self.afterwards),
        ];
        for (name, felt) in phases {
            let times = felt.p99_ms / self.quiet.p99_ms;
            let (p50, p99) = (felt.p50_ms, felt.p99_ms);
            writeln!(
                f,
                "{name:24}{:>8}{:>9}{p50:>9.2}{p99:>9.2}{times:>9.2}",
                felt.calls, felt.refused
            )?;
        }
        let (peak, flood) = (self.peak_items_per_second, self.flood_items_per_second);
        writeln!(
            f,
            "the project that floods: {peak:.0} events/s answered with few senders, {flood:.0} in the flood, {:.2} of it",
            flood / peak
        )?;
        writeln!(
            f,
            "{} of its requests refused; {} of all refusals without Retry-After",
            self.flood_refused, self.refused_without_retry_after
        )?;
        writeln!(
            f,
            "peak memory of roster: {:.0} MiB",
            self.peak_memory_bytes as f64 / f64::from(1 << 20)
        )
    }
}
