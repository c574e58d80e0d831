//! What many projects cost beside few: the same requests over the same number of people, spread over ten projects or over thousands.

use super::bodies::{self, Request};
use super::http::Connection;
use super::plan::{BATCH_ITEMS, Settings};
use super::report::median;
use super::stage::{Database, Service, make_people, new_name};
use super::tally::Tally;
use crate::config::Config;
use crate::domain::KeyHash;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Projects that the many are held against.
const FEW: u32 = 10;

const LAST_PROJECT: &str = "SELECT max(project_id) FROM project";
const MAKE_PROJECTS: &str = "-- bench_make_projects
WITH made AS (
    INSERT INTO project (project_id, name) SELECT t.project_id, $1::TEXT || '-' || t.project_id::TEXT FROM unnest($2::INT4[]) AS t (project_id)
    RETURNING project_id -- CockroachDB refuses a CTE that returns nothing
)
INSERT INTO api_key (key_hash, project_id, kind)
SELECT t.key_hash, t.project_id, 'write' FROM unnest($3::BYTEA[], $2::INT4[]) AS t (key_hash, project_id)";

/// Ratios of the many to the few, by what was sent.
#[derive(Debug, Serialize)]
pub struct Report {
    pub few: u32,
    pub many: u32,
    pub lines: Vec<Line>,
    pub peak_memory_bytes: u64,
}

/// One sort of request: items in a second, medians over the rounds.
#[derive(Debug, Serialize)]
pub struct Line {
    pub title: &'static str,
    pub few_per_second: f64,
    pub many_per_second: f64,
    pub ratios: Vec<f64>,
}

/// Projects that are sent to in turn.
struct Tenants {
    keys: Vec<String>,
    people: u32,
}

/// Measures single events and batches, turn about.
pub async fn run(settings: &Settings, config: &Config) -> Result<Report> {
    Database::lend(config, async |url| with_database(settings, url).await).await
}

async fn with_database(settings: &Settings, url: &str) -> Result<Report> {
    let mut tasks = JoinSet::new();
    let service = Service::start(settings, url, &mut tasks).await?;
    let many = settings.tenants;
    let few = Arc::new(Tenants::make(&service, FEW, settings.people).await?);
    let all = Arc::new(Tenants::make(&service, many, settings.people).await?);
    let mut lines = Vec::new();
    for (title, items) in [("single events", 1), ("batches of 100", BATCH_ITEMS)] {
        lines.push(compare(settings, &service, (title, items), [&few, &all]).await?);
    }
    let peak_memory_bytes = service.processes.peak_memory();
    service.stop().await?;
    Ok(Report {
        few: FEW,
        many,
        lines,
        peak_memory_bytes,
    })
}

impl Tenants {
    async fn make(service: &Service, projects: u32, people: u32) -> Result<Self> {
        let name = new_name();
        let keys: Vec<String> = (0..projects).map(|n| format!("{name}-{n:07}")).collect();
        let hashes: Vec<KeyHash> = keys.iter().map(|key| KeyHash::of(key)).collect();
        let hashes: Vec<&[u8]> = hashes.iter().map(|hash| &hash.as_bytes()[..]).collect();
        let client = &service.client;
        let last: i32 = client.query_one(LAST_PROJECT, &[]).await?.get(0);
        let ids: Vec<i32> = (last + 1..).take(keys.len()).collect();
        client
            .execute(MAKE_PROJECTS, &[&name, &ids, &hashes])
            .await?;
        let people = people / projects;
        for id in ids {
            make_people(client, id, people).await?;
        }
        Ok(Self { keys, people })
    }
}

/// Turns of both, one after the other, every other round the other way round; the first round is a warm-up.
async fn compare(
    settings: &Settings,
    service: &Service,
    (title, items): (&'static str, usize),
    [few, many]: [&Arc<Tenants>; 2],
) -> Result<Line> {
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..settings.rounds {
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for place in order {
            let rate = turn(settings, service, items, [few, many][place]).await?;
            eprintln!(
                "round {round}: {rate:>9.0}/s  {title}, {}",
                ["few", "many"][place]
            );
            rates[place].push(rate);
        }
    }
    let counted = usize::from(settings.rounds > 1);
    let [few, many] = rates.map(|rates| rates[counted..].to_vec());
    let ratios = many
        .iter()
        .zip(&few)
        .map(|(many, few)| many / few)
        .collect();
    Ok(Line {
        title,
        few_per_second: median(few),
        many_per_second: median(many),
        ratios,
    })
}

async fn turn(
    settings: &Settings,
    service: &Service,
    items: usize,
    tenants: &Arc<Tenants>,
) -> Result<f64> {
    let connections = match items {
        1 => settings.connections,
        _ => settings.batch_connections,
    };
    let (mut senders, started) = (JoinSet::new(), Instant::now());
    let end = started + Duration::from_secs(settings.seconds);
    for index in 0..connections {
        let connection = Connection::open(service.address).await?;
        let first = index * tenants.keys.len() / connections;
        senders.spawn(send(connection, tenants.clone(), (first, items), end));
    }
    let mut all = Tally::default();
    while let Some(done) = senders.join_next().await {
        all.absorb(&done.context("a connection broke off")??);
    }
    Ok(all.items as f64 / started.elapsed().as_secs_f64())
}

/// Each request is the next project's.
async fn send(
    mut connection: Connection,
    tenants: Arc<Tenants>,
    (first, items): (usize, usize),
    end: Instant,
) -> Result<Tally> {
    let key = &tenants.keys[first];
    let mut request = match items {
        1 => Request::single("/v1/track", key, first),
        _ => Request::batch(key, first, bodies::track),
    };
    let (mut tally, mut next) = (Tally::default(), first);
    while Instant::now() < end {
        request.address(&tenants.keys[next % tenants.keys.len()]);
        let sent = Instant::now();
        connection.exchange(request.renew(tenants.people)).await?;
        tally.add(items as u64, sent.elapsed());
        next += 1;
    }
    Ok(tally)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (few, many) = (self.few, self.many);
        writeln!(
            f,
            "{:20}{few:>9} projects{many:>9} projects    ratio   each round",
            "items/s"
        )?;
        for line in &self.lines {
            let each: Vec<String> = line
                .ratios
                .iter()
                .map(|ratio| format!("{ratio:.2}"))
                .collect();
            writeln!(
                f,
                "{:20}{:>18.0}{:>18.0}{:>9.2}   {}",
                line.title,
                line.few_per_second,
                line.many_per_second,
                median(line.ratios.clone()),
                each.join(", ")
            )?;
        }
        let memory = self.peak_memory_bytes as f64 / f64::from(1 << 20);
        writeln!(f, "peak memory of roster: {memory:.0} MiB")
    }
}
