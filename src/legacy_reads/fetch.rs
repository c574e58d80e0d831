//! Documents of the legacy store for somebody who waits: few at once, in time, in room that is taken before.

use super::known::Leaving;
use crate::config::{Config, millis};
use crate::domain::reads::ReadSource;
use crate::ingest::Reservation;
use crate::legacy::{Client, Failure as ClientFailure, Found};
use crate::metric_names::{LEGACY_READ_FAILURES, READ_SECONDS};
use crate::store;
use metrics::{counter, histogram};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// The longest id that a store takes.
const LONGEST_ID: usize = 512;
/// What a document takes once it is read, for each byte of its text: a list of small numbers is the worst.
const BYTES_OF_TREE: usize = 24;
/// For so long reads that are compared do without a store that did not answer.
const REST: Duration = Duration::from_secs(2);

/// Why a read got no answer.
#[derive(Debug)]
pub enum Failure {
    /// The legacy store did not answer in time.
    Late,
    /// It is away or refuses, or nobody has said where it is.
    Away(String),
    /// It did not answer a moment ago, so that it was not asked.
    Rests,
    /// There is no room for more documents.
    NoRoom,
    Store(store::Error),
}

/// A document of a page: one that is too large is there, and nothing more is known of it.
pub(super) type Fetched = Result<Option<Found>, String>;

impl Failure {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Away(_) => "away",
            Self::Rests => "rests",
            Self::NoRoom => "no_room",
            Self::Store(_) => "database",
        }
    }
}

/// The way to the store.
pub(super) struct Legacy {
    client: Option<Client>,
    permits: Semaphore,
    patience: Duration,
    compare_patience: Duration,
    most_bytes: usize,
    rests: Rests,
}

impl Legacy {
    pub fn new(config: &Config) -> Result<Self, String> {
        let is_known = !config.legacy.url.is_empty();
        let client = is_known.then(|| Client::new(&config.legacy)).transpose()?;
        let reads = &config.reads;
        Ok(Self {
            client,
            permits: Semaphore::new(reads.legacy_connections),
            patience: millis(reads.legacy_timeout_ms),
            compare_patience: millis(reads.compare_timeout_ms),
            most_bytes: reads.page_bytes,
            rests: Rests::default(),
        })
    }

    /// The documents of a project by their ids, in their order.
    pub async fn documents(
        &self,
        leaving: &Leaving,
        ids: &[&str],
        room: &mut Reservation,
    ) -> Result<Vec<Fetched>, Failure> {
        let is_compared = leaving.reads.source == ReadSource::Compare;
        let outcome = if is_compared && !self.rests.may_be_asked(Instant::now()) {
            Err(Failure::Rests)
        } else {
            let patience = if is_compared {
                self.compare_patience
            } else {
                self.patience
            };
            let began = Instant::now();
            let asking = timeout(patience, self.ask(leaving, ids, room)).await;
            let took = began.elapsed().as_secs_f64();
            histogram!(READ_SECONDS, "source" => "legacy").record(took);
            asking.unwrap_or(Err(Failure::Late))
        };
        match &outcome {
            Ok(_) => self.rests.answered(),
            Err(failure) => {
                counter!(LEGACY_READ_FAILURES, "reason" => failure.as_str()).increment(1);
                self.failed(failure);
            }
        }
        outcome
    }

    fn failed(&self, failure: &Failure) {
        match failure {
            Failure::Late => {
                tracing::warn!("the legacy store did not answer a read in time");
                self.rests.failed(Instant::now());
            }
            Failure::Away(reason) => {
                tracing::warn!(%reason, "the legacy store did not answer a read");
                self.rests.failed(Instant::now());
            }
            _ => {}
        }
    }

    async fn ask(
        &self,
        leaving: &Leaving,
        ids: &[&str],
        room: &mut Reservation,
    ) -> Result<Vec<Fetched>, Failure> {
        let client = self
            .client
            .as_ref()
            .ok_or_else(|| Failure::Away("legacy.url is not set on this node".to_owned()))?;
        let _permit = self.permits.acquire().await;
        let usable: Vec<&str> = ids.iter().copied().filter(|id| is_usable(id)).collect();
        let kept = match usable.is_empty() {
            true => Vec::new(),
            false => self.page(client, &leaving.index, &usable, room).await?,
        };
        let mut kept = kept.into_iter();
        let in_order = ids.iter().map(|id| match is_usable(id) {
            true => kept.next().unwrap_or(Ok(None)),
            false => Ok(None),
        });
        Ok(in_order.collect())
    }

    /// A page of large documents is asked for in parts.
    async fn page(
        &self,
        client: &Client,
        index: &str,
        ids: &[&str],
        room: &mut Reservation,
    ) -> Result<Vec<Fetched>, Failure> {
        // An answer that is too large holds no room any more when its parts are asked for.
        let mut own = room.beside().ok_or(Failure::NoRoom)?;
        let mut meter = |bytes: usize| own.grow(bytes * BYTES_OF_TREE);
        let kept = client
            .documents(index, ids, self.most_bytes, &mut meter)
            .await;
        if kept.is_ok() {
            room.absorb(own);
        } else {
            drop(own);
        }
        match kept {
            Ok(kept) => Ok(kept.into_iter().map(Ok).collect()),
            Err(ClientFailure::TooLarge(_)) if ids.len() > 1 => {
                let (one, other) = ids.split_at(ids.len() / 2);
                let mut kept = Box::pin(self.page(client, index, one, room)).await?;
                kept.extend(Box::pin(self.page(client, index, other, room)).await?);
                Ok(kept)
            }
            Err(ClientFailure::TooLarge(_)) => Ok(vec![Err("too_large".to_owned())]),
            Err(ClientFailure::NoRoom) => Err(Failure::NoRoom),
            Err(failure) => Err(Failure::Away(failure.to_string())),
        }
    }
}

fn is_usable(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID
}

/// Keeps reads that can do without the store from waiting for one that does not answer: one of them tries now and then.
#[derive(Debug, Default)]
struct Rests(Mutex<Option<Instant>>);

impl Rests {
    fn may_be_asked(&self, now: Instant) -> bool {
        let mut until = self.0.lock().expect("no holder panics");
        match *until {
            Some(end) if now < end => false,
            Some(_) => {
                *until = Some(now + REST);
                true
            }
            None => true,
        }
    }

    fn failed(&self, now: Instant) {
        *self.0.lock().expect("no holder panics") = Some(now + REST);
    }

    fn answered(&self) {
        *self.0.lock().expect("no holder panics") = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_failed_is_tried_by_one_read_at_a_time() {
        let (rests, now) = (Rests::default(), Instant::now());
        assert!(rests.may_be_asked(now) && rests.may_be_asked(now));
        rests.failed(now);
        assert!(!rests.may_be_asked(now));
        let later = now + REST;
        assert!(rests.may_be_asked(later) && !rests.may_be_asked(later));
        rests.answered();
        assert!(rests.may_be_asked(later));
    }
}
