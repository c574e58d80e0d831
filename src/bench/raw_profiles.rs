//! The ideal client that makes people: the statements by which the service makes a batch of new profiles, and nothing else.

use super::bodies::{event_id, now};
use super::raw::{PROFILES, TRAITS_AT_ONCE, prepare};
use super::tally::{Answer, Tally};
use crate::domain::profile::Traits;
use crate::domain::{Json, Mode, Stamp, Timestamp, TraitWrite};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio_postgres::types::Json as JsonParam;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

/// Numbers the people of all connections and turns.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// People made so far.
pub fn made() -> u64 {
    MADE.load(Relaxed) as u64
}

/// One connection with its statements.
pub struct Maker {
    client: Client,
    resolve_identities: Statement,
    create_identities: Statement,
    project: i32,
    traits: Json,
    stamps: Json,
}

/// The names of a batch in the order of their key, each with its profile.
struct Names {
    kinds: Vec<&'static str>,
    values: Vec<String>,
    owners: Vec<Uuid>,
    profiles: Vec<Uuid>,
    /// By which nobody was erased.
    hashes: Vec<Vec<u8>>,
}

impl Names {
    /// Two for each of so many people whom nobody has seen before.
    fn draw() -> Self {
        let first = MADE.fetch_add(PROFILES, Relaxed);
        let mut profiles: Vec<Uuid> = (0..PROFILES).map(|_| event_id()).collect();
        let kinds = [("email", "@example.com"), ("user_id", "")];
        let each = || {
            kinds
                .iter()
                .flat_map(|kind| (0..PROFILES).map(move |person| (kind, person)))
        };
        let names = Self {
            kinds: each().map(|((kind, _), _)| *kind).collect(),
            values: each()
                .map(|((_, ending), person)| format!("raw-{:09}{ending}", first + person))
                .collect(),
            owners: each().map(|(_, person)| profiles[person]).collect(),
            profiles: Vec::new(),
            hashes: each()
                .map(|_| rand::random::<[u8; 32]>().to_vec())
                .collect(),
        };
        profiles.sort_unstable();
        Self { profiles, ..names }
    }
}

impl Maker {
    /// `text`: the traits that each gets.
    pub async fn new(client: Client, project: i32, text: &str) -> Result<Self> {
        let write = TraitWrite {
            mode: Mode::Single,
            stamp: Stamp::of(Timestamp::new(now()), Stamp::LIVE),
            times: BTreeMap::new(),
            traits: Json::from_database(text.to_owned())
                .members()
                .context("traits")?
                .into_iter()
                .collect(),
        };
        let mut made = Traits::default();
        made.merge(&write);
        let (traits, stamps) = made.to_stored();
        Ok(Self {
            resolve_identities: prepare(&client, "resolve_identities").await?,
            create_identities: prepare(&client, "create_identities").await?,
            client,
            project,
            traits,
            stamps,
        })
    }

    /// Makes people until the time is over.
    pub async fn make_for(self, time: Duration) -> Result<Tally> {
        let (mut tally, begun) = (Tally::default(), Instant::now());
        while begun.elapsed() < time {
            let names = Names::draw();
            let started = Instant::now();
            self.look_up(&names).await?;
            self.create(&names).await?;
            tally.add(Answer {
                items: PROFILES as u64,
                events: 0,
                at: started - begun,
                took: started.elapsed(),
            });
        }
        Ok(tally)
    }

    /// Nobody knows beforehand that all of them are new.
    async fn look_up(&self, names: &Names) -> Result<()> {
        let count = names.values.len();
        let positions: Vec<i32> = (0..count as i32).collect();
        let (none, no_events) = (Vec::<i32>::new(), Vec::<Uuid>::new());
        let found = self
            .client
            .query(
                &self.resolve_identities,
                &[
                    &positions,
                    &vec![self.project; count],
                    &names.kinds,
                    &names.values,
                    &vec![true; count],
                    &none,
                    &none,
                    &no_events,
                    &TRAITS_AT_ONCE,
                ],
            )
            .await?;
        ensure!(found.is_empty(), "the raw client found somebody");
        Ok(())
    }

    async fn create(&self, names: &Names) -> Result<()> {
        let (names_count, count) = (names.values.len(), names.profiles.len());
        let never: Vec<Option<jiff::Timestamp>> = vec![None; names_count];
        let size = (self.traits.as_bytes().len() + self.stamps.as_bytes().len()) as i32;
        let won = self
            .client
            .query(
                &self.create_identities,
                &[
                    &vec![self.project; names_count],
                    &names.kinds,
                    &names.values,
                    &names.owners,
                    &vec![now(); names_count],
                    &never,
                    &names.hashes,
                    &vec![self.project; count],
                    &names.profiles,
                    &vec![JsonParam(self.traits.to_raw()); count],
                    &vec![JsonParam(self.stamps.to_raw()); count],
                    &vec![now(); count],
                    &vec![size; count],
                ],
            )
            .await?;
        ensure!(won.len() == names_count, "the raw client lost a name");
        Ok(())
    }
}
