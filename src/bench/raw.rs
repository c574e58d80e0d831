//! The ideal client: the same rows into the same tables by the service's own statements, and nothing else.
//!
//! What it sends is prepared as far as can be; connections never wait for each other, and never write the same profile.

use super::bodies::{self, Sample, event_id, now, time_text, user_id};
use super::tally::{Answer, Tally};
use crate::domain::profile::Traits;
use crate::domain::{Identity, IdentityKind, Json, Mode, Stamp, Timestamp, TraitWrite};
use crate::store::{Engine, catalogue, session_settings};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_postgres::types::Json as JsonParam;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

/// Rows of one statement.
const EVENTS: usize = 500;
pub const PROFILES: usize = 400;
/// Far more than the traits of one look-up here have.
pub const TRAITS_AT_ONCE: i64 = 1 << 30;
/// Samples that the rows are drawn from.
const SAMPLES: usize = 500;
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a connection set up as the service sets up its own; its task ends with the client.
pub async fn connect(url: &str, tasks: &mut JoinSet<()>) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tasks.spawn(async move {
        // How it ended shows at the client.
        let _ = connection.await;
    });
    let version: String = client.query_one("SELECT version()", &[]).await?.get(0);
    let settings = session_settings(Engine::from_version(&version), PATIENCE);
    client.batch_execute(&settings).await?;
    Ok(client)
}

/// One connection with its statements and its share of the people.
pub struct RawClient {
    client: Client,
    insert_events: Statement,
    resolve_identities: Statement,
    write_traits: Statement,
    project: i32,
    people: People,
}

/// Every `step`th person from `first` on, so that connections share nobody.
#[derive(Clone, Copy)]
pub struct People {
    pub first: u32,
    pub step: u32,
    pub all: u32,
}

impl People {
    /// Draws some people, none twice.
    fn draw(&self, count: usize) -> Vec<String> {
        let own = (self.all - self.first).div_ceil(self.step) as usize;
        let mut drawn = rand::seq::index::sample(&mut rand::rng(), own, count.min(own)).into_vec();
        drawn.sort_unstable();
        drawn
            .into_iter()
            .map(|index| user_id(self.first + index as u32 * self.step))
            .collect()
    }
}

impl RawClient {
    pub async fn new(client: Client, project: i32, people: People) -> Result<Self> {
        let insert_events = prepare(&client, "insert_events").await?;
        let resolve_identities = prepare(&client, "resolve_identities").await?;
        let write_traits = prepare(&client, "write_traits").await?;
        Ok(Self {
            client,
            insert_events,
            resolve_identities,
            write_traits,
            project,
            people,
        })
    }

    /// Stores events by another statement, which takes the same parameters.
    pub async fn insert_by(&mut self, sql: &str) -> Result<()> {
        self.insert_events = self.client.prepare(sql).await?;
        Ok(())
    }

    /// Stores track events until the time is over.
    pub async fn store_events(self, time: Duration) -> Result<Tally> {
        let samples: Vec<Sample> = (0..SAMPLES).map(bodies::track).collect();
        let (mut tally, begun) = (Tally::default(), Instant::now());
        while begun.elapsed() < time {
            let users: Vec<String> = (0..EVENTS)
                .map(|_| user_id(rand::random_range(0..self.people.all)))
                .collect();
            let started = Instant::now();
            self.insert(&samples, &users).await?;
            tally.add(Answer {
                items: EVENTS as u64,
                events: EVENTS as u64,
                at: started - begun,
                took: started.elapsed(),
            });
        }
        Ok(tally)
    }

    /// Reads, merges and writes traits until the time is over, with or without the events that go with them.
    pub async fn write_profiles(self, time: Duration, with_events: bool) -> Result<Tally> {
        let (mut tally, begun, mut turn) = (Tally::default(), Instant::now(), 0);
        while begun.elapsed() < time {
            turn += 1;
            let users = self.people.draw(PROFILES);
            let text = bodies::traits(turn, &time_text(now()));
            let started = Instant::now();
            self.write(&users, &text).await?;
            if with_events {
                let sample = Sample {
                    properties: serde_json::from_str(&text)?,
                    ..bodies::identify(turn)
                };
                self.insert(&[sample], &users).await?;
            }
            let items = users.len() as u64;
            tally.add(Answer {
                items,
                events: if with_events { items } else { 0 },
                at: started - begun,
                took: started.elapsed(),
            });
        }
        Ok(tally)
    }

    async fn insert(&self, samples: &[Sample], users: &[String]) -> Result<()> {
        let count = users.len();
        let sample = |index: usize| &samples[index % samples.len()];
        let mut ids: Vec<Uuid> = (0..count).map(|_| event_id()).collect();
        ids.sort_unstable();
        let column = |pick: fn(&Sample) -> &str| -> Vec<&str> {
            (0..count).map(|index| pick(sample(index))).collect()
        };
        let names: Vec<Option<&str>> = (0..count).map(|index| sample(index).name).collect();
        let texts: Vec<Option<&str>> = vec![None; count];
        let times = vec![now(); count];
        let properties: Vec<_> = (0..count)
            .map(|index| JsonParam(&sample(index).properties))
            .collect();
        let contexts: Vec<_> = (0..count)
            .map(|index| JsonParam(&sample(index).context))
            .collect();
        let vias: Vec<i64> = users
            .iter()
            .map(|user| Identity::new(IdentityKind::UserId, user).via())
            .collect();
        let rows = self
            .client
            .query(
                &self.insert_events,
                &[
                    &vec![self.project; count],
                    &ids,
                    &vec!["user_id"; count],
                    &users,
                    &column(|sample| sample.event_type),
                    &names,
                    &texts,
                    &times,
                    &times,
                    &properties,
                    &contexts,
                    &vias,
                    &Vec::<jiff::Timestamp>::new(),
                    &Vec::<&str>::new(),
                    &Vec::<&str>::new(),
                ],
            )
            .await?;
        ensure!(rows.len() == count, "the raw client stored too few events");
        Ok(())
    }

    async fn write(&self, users: &[String], text: &str) -> Result<()> {
        let count = users.len();
        let positions: Vec<i32> = (0..count as i32).collect();
        let (projects, kinds) = (vec![self.project; count], vec!["user_id"; count]);
        let with_traits = vec![true; count];
        // What it writes is new, so it asks for no event.
        let (no_positions, no_projects, no_events) =
            (Vec::<i32>::new(), Vec::<i32>::new(), Vec::<Uuid>::new());
        let found = self
            .client
            .query(
                &self.resolve_identities,
                &[
                    &positions,
                    &projects,
                    &kinds,
                    &users,
                    &with_traits,
                    &no_positions,
                    &no_projects,
                    &no_events,
                    &TRAITS_AT_ONCE,
                ],
            )
            .await?;
        let at = Timestamp::new(now());
        let members = Json::from_database(text.to_owned()).members();
        let write = TraitWrite {
            mode: Mode::Single,
            stamp: Stamp::of(at, Stamp::LIVE),
            times: BTreeMap::new(),
            traits: members.context("traits")?.into_iter().collect(),
        };
        let (mut profiles, mut versions) = (Vec::<Uuid>::new(), Vec::<i64>::new());
        let (mut traits, mut stamps, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for row in &found {
            let stored = |column| Json::from_database(row.get(column));
            let mut merged = Traits::from_stored(&stored(4), &stored(5))?;
            ensure!(merged.merge(&write), "the raw client changed nothing");
            let (new_traits, new_stamps) = merged.to_stored();
            profiles.push(row.get(1));
            versions.push(row.get(2));
            sizes.push((new_traits.as_bytes().len() + new_stamps.as_bytes().len()) as i32);
            traits.push(JsonParam(new_traits.to_raw()));
            stamps.push(JsonParam(new_stamps.to_raw()));
        }
        let written = self
            .client
            .query(
                &self.write_traits,
                &[
                    &projects,
                    &profiles,
                    &versions,
                    &traits,
                    &stamps,
                    &vec![at.instant(); count],
                    &sizes,
                ],
            )
            .await?;
        ensure!(
            written.len() == count,
            "the raw client wrote {} of {count} profiles",
            written.len()
        );
        Ok(())
    }
}

/// One of the service's own statements.
pub async fn prepare(client: &Client, name: &str) -> Result<Statement> {
    let statement = catalogue()
        .into_iter()
        .find(|statement| statement.name == name)
        .with_context(|| format!("no statement {name}"))?;
    Ok(client.prepare(statement.sql).await?)
}
