//! What is done in a turn: requests, or the statements of the ideal client.

use super::bodies;
use super::kind::Kind;
use super::legacy;
use super::load::{Script, closed};
use super::raw::{self, People, RawClient};
use super::raw_profiles::Maker;
use super::request::{BATCH_ITEMS, Request};
use super::settings::Settings;
use super::stage::{Own, Service};
use super::tally::Tally;
use super::turn::Turn;
use anyhow::{Context, Result, bail};
use std::time::Duration;
use tokio::task::JoinSet;

/// Connections of the ideal client; events are tried with half as many too.
const RAW_CONNECTIONS: u32 = 4;

/// One turn of requests or of the ideal client.
pub async fn take(
    settings: &Settings,
    service: &Service,
    kind: Kind,
    round: usize,
) -> Result<Turn> {
    let time = settings.turn();
    service
        .turn((kind, round), async || {
            if kind.is_raw() {
                return by_the_ideal_client(service, kind, time).await;
            }
            closed(scripts(settings, service, kind)?, time).await
        })
        .await
}

/// What the connections of a kind send.
pub fn scripts(settings: &Settings, service: &Service, kind: Kind) -> Result<Vec<Script>> {
    let connections = match kind {
        Kind::Single | Kind::Update => settings.connections,
        _ => settings.batch_connections,
    };
    let each = (0..usize::from(connections)).map(|index| script(service, kind, index));
    each.collect()
}

fn script(service: &Service, kind: Kind, index: usize) -> Result<Script> {
    let to = match kind {
        Kind::Update | Kind::BulkUpdate => service.target.with_key(&service.server_key),
        _ => service.target.clone(),
    };
    let many = |sample| Request::many("/v1/batch", &to, (index, BATCH_ITEMS), sample);
    let request = match kind {
        Kind::Single => Request::single("/v1/track", &to, index),
        Kind::Batch => many(bodies::track),
        Kind::Identify => many(bodies::identify),
        Kind::Mixed => Request::mixed(&to, index),
        Kind::Update => Request::update(&to, index),
        Kind::BulkUpdate => Request::bulk_update(&to, index),
        other => bail!("{} is no request", other.title()),
    };
    Ok(Script::new(&to, request, service.people))
}

async fn by_the_ideal_client(service: &Service, kind: Kind, time: Duration) -> Result<Tally> {
    let own = service.own()?;
    let connections = match kind {
        Kind::RawEvents2 => RAW_CONNECTIONS / 2,
        _ => RAW_CONNECTIONS,
    };
    if kind == Kind::RawProfiles {
        return make(own, time).await;
    }
    let (mut tasks, mut writers) = (JoinSet::new(), JoinSet::new());
    for client in clients(own, service.people, connections, &mut tasks).await? {
        writers.spawn(async move {
            match kind {
                Kind::RawTraits => client.write_profiles(time, false).await,
                Kind::RawIdentify => client.write_profiles(time, true).await,
                _ => client.store_events(time).await,
            }
        });
    }
    gather(writers).await
}

/// So many connections of the ideal client, which share nobody; `tasks` drive them.
pub async fn clients(
    own: &Own,
    people: u32,
    count: u32,
    tasks: &mut JoinSet<()>,
) -> Result<Vec<RawClient>> {
    let mut clients = Vec::new();
    for first in 0..count {
        let people = People {
            first,
            step: count,
            all: people,
        };
        let client = raw::connect(&own.database_url, tasks).await?;
        clients.push(RawClient::new(client, own.project, people).await?);
    }
    Ok(clients)
}

/// Profiles of the ideal client.
async fn make(own: &Own, time: Duration) -> Result<Tally> {
    let (mut tasks, mut makers) = (JoinSet::new(), JoinSet::new());
    for _ in 0..RAW_CONNECTIONS {
        let client = raw::connect(&own.database_url, &mut tasks).await?;
        let maker = Maker::new(client, own.project, &legacy::traits(0)).await?;
        makers.spawn(maker.make_for(time));
    }
    gather(makers).await
}

/// What several clients did beside each other.
pub async fn gather(mut tasks: JoinSet<Result<Tally>>) -> Result<Tally> {
    let mut all = Tally::default();
    while let Some(done) = tasks.join_next().await {
        all.absorb(&done.context("a connection broke off")??, false);
    }
    Ok(all)
}
