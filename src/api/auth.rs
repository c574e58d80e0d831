//! From a key to the caller it stands for, without a database query for each request.
//!
//! What the database said about a key, found or not, is remembered for some seconds and within bounds. Keys that are not
//! remembered gather while one look-up is in flight and go together in the next, so that a flood of made-up keys costs a
//! few queries a second, not one each. A look-up that fails says nothing about a key: it is 503, never 401. A key in use is asked for
//! again before it is forgotten, so that its requests do not all wait for the same answer every few seconds.

use crate::config;
use crate::domain::{Caller, KeyHash};
use crate::metric_names::KEY_LOOKUPS;
use futures_util::future::BoxFuture;
use metrics::counter;
use quick_cache::sync::Cache;
use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// No key is longer; a longer text is unknown without being hashed.
const LONGEST_KEY_BYTES: usize = 512;
/// Keys in one look-up.
const KEYS_PER_LOOKUP: usize = 1_000;
/// Requests that may wait for the next look-up before the others wait to get in line.
const LINE: usize = 1_000;

/// What the database says about some keys: the known ones with their callers.
pub type Found = Result<Vec<(KeyHash, Caller)>, Box<dyn Error + Send + Sync>>;

/// The way to the database: `store.load_keys` in the service, a closure in tests.
pub type Lookup = Box<dyn Fn(Vec<KeyHash>) -> BoxFuture<'static, Found> + Send + Sync>;

/// The database said nothing about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys can't be looked up")]
pub struct LookupFailed;

/// The keys of all projects, as far as they have been asked for.
#[derive(Clone)]
pub struct Keys {
    remembered: Arc<Remembered>,
    misses: mpsc::Sender<Miss>,
}

struct Remembered {
    cache: Cache<KeyHash, Entry>,
    lifetime: Duration,
}

#[derive(Clone)]
struct Entry {
    caller: Option<Caller>,
    until: Instant,
    /// True once somebody has asked for it again.
    renewed: Arc<AtomicBool>,
}

struct Miss {
    hash: KeyHash,
    /// Nobody waits where an entry is renewed.
    answer: Option<oneshot::Sender<Result<Option<Caller>, LookupFailed>>>,
}

impl Keys {
    /// Makes the cache, and the task that looks keys up; whoever builds it runs the task, which ends with the last `Keys`.
    pub fn new(
        settings: &config::Keys,
        lookup: Lookup,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let remembered = Arc::new(Remembered {
            cache: Cache::new(settings.cache_entries),
            lifetime: Duration::from_secs(settings.cache_seconds),
        });
        let (misses, line) = mpsc::channel(LINE);
        let task = look_up_misses(remembered.clone(), lookup, line);
        (Self { remembered, misses }, task)
    }

    /// Tells whose key this is; `None` where nobody's.
    ///
    /// # Errors
    /// When the database gives no answer.
    pub async fn find(&self, key: &str) -> Result<Option<Caller>, LookupFailed> {
        if key.is_empty() || key.len() > LONGEST_KEY_BYTES {
            return Ok(None);
        }
        let hash = KeyHash::of(key);
        let now = Instant::now();
        if let Some(entry) = self.remembered.get(&hash, now) {
            if self.remembered.is_to_be_renewed(&entry, now) {
                // Where the line is full it is asked for when it has been forgotten.
                let _ = self.misses.try_send(Miss { hash, answer: None });
            }
            return Ok(entry.caller);
        }
        let (answer, answered) = oneshot::channel();
        let answer = Some(answer);
        let miss = Miss { hash, answer };
        self.misses.send(miss).await.map_err(|_| LookupFailed)?;
        answered.await.map_err(|_| LookupFailed)?
    }
}

impl Remembered {
    fn get(&self, hash: &KeyHash, now: Instant) -> Option<Entry> {
        self.cache.get(hash).filter(|entry| now < entry.until)
    }

    /// True once for each entry: in the last fifth of its life.
    fn is_to_be_renewed(&self, entry: &Entry, now: Instant) -> bool {
        entry.caller.is_some()
            && entry.until - now < self.lifetime / 5
            && !entry.renewed.swap(true, Ordering::Relaxed)
    }

    fn keep(&self, asked: HashSet<KeyHash>, found: &HashMap<KeyHash, Caller>, asked_at: Instant) {
        let until = asked_at + self.lifetime;
        for hash in asked {
            let entry = Entry {
                caller: found.get(&hash).cloned(),
                until,
                renewed: Arc::default(),
            };
            self.cache.insert(hash, entry);
        }
    }
}

impl Miss {
    /// Whoever gave up waiting needs no answer.
    fn tell(self, answer: Result<Option<Caller>, LookupFailed>) {
        let _ = self.answer.map(|waiting| waiting.send(answer));
    }
}

async fn look_up_misses(
    remembered: Arc<Remembered>,
    lookup: Lookup,
    mut line: mpsc::Receiver<Miss>,
) {
    let mut waiting = Vec::new();
    while line.recv_many(&mut waiting, KEYS_PER_LOOKUP).await > 0 {
        look_up(&remembered, &lookup, std::mem::take(&mut waiting)).await;
    }
}

/// Answers all who wait, from one look-up. What was remembered while they waited is not asked for again.
async fn look_up(remembered: &Remembered, lookup: &Lookup, waiting: Vec<Miss>) {
    // The entry counts from before the question: a key revoked while it is in flight must stop in time.
    let asked_at = Instant::now();
    let (known, missing): (Vec<Miss>, Vec<Miss>) = waiting
        .into_iter()
        .partition(|miss| miss.answer.is_some() && remembered.get(&miss.hash, asked_at).is_some());
    for miss in known {
        let entry = remembered.get(&miss.hash, asked_at);
        miss.tell(entry.map(|entry| entry.caller).ok_or(LookupFailed));
    }
    let hashes: HashSet<KeyHash> = missing.iter().map(|miss| miss.hash).collect();
    if hashes.is_empty() {
        return;
    }
    counter!(KEY_LOOKUPS).increment(1);
    let answer = lookup(hashes.iter().copied().collect()).await;
    let found: Result<HashMap<KeyHash, Caller>, LookupFailed> = match answer {
        Ok(found) => Ok(found.into_iter().collect()),
        Err(error) => {
            tracing::warn!(error, keys = hashes.len(), "could not look up keys");
            Err(LookupFailed)
        }
    };
    if let Ok(found) = &found {
        remembered.keep(hashes, found, asked_at);
    }
    for miss in missing {
        let caller = found.as_ref().map(|found| found.get(&miss.hash).cloned());
        miss.tell(caller.map_err(|error| *error));
    }
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
