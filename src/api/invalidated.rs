//! Tokens that count no more although their signature and times are right, without a statement for each call.
//!
//! A node keeps a *sieve*: a fixed piece of memory in which each invalidated name of all projects has set some bits. Of a name whose bits
//! are not all set nothing has been invalidated, for certain, and that is nearly every name. Of the others it is remembered what the
//! database says. What is invalidated by any node arrives within seconds: each asks for the latest once a second, in one statement.
//! Until all that there is has been read once, the sieve lets nothing through, and every name is asked for.

use super::error::ApiError;
use super::signed::TokenFault;
use crate::config::millis;
use crate::domain::{Identity, ProjectId, Signer, Timestamp};
use crate::store::{Invalidation, InvalidationPlace, NameHash, Store};
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// A mebibyte: with half a million invalidated names one in fifty others is asked for in vain.
const SIEVE_BITS: usize = 8 << 20;
/// Names of which it is remembered what the database says, in some 8 MiB.
const REMEMBERED: usize = 100_000;
/// How long that is believed which the database said before, and not by itself.
const BELIEVED: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// A statement that began before one that was read may have ended after it: none takes longer.
const OVERLAP: Duration = Duration::from_secs(60);
/// Looks after which what is too old is forgotten.
const LOOKS_BETWEEN_TIDYINGS: u64 = 3_600;

/// What a node knows of invalidated tokens.
pub struct Invalidated {
    store: Store,
    patience: Duration,
    sieve: Sieve,
    is_loaded: AtomicBool,
    known: Cache<NameHash, Known>,
}

#[derive(Clone)]
struct Known {
    issued_before: Option<Timestamp>,
    /// `None` where every later word arrives by itself.
    until: Option<Instant>,
}

impl Invalidated {
    /// Knows nothing yet; `watch` has to run.
    pub fn new(store: Store, request_timeout_ms: u64) -> Self {
        Self {
            store,
            patience: millis(request_timeout_ms),
            sieve: Sieve::empty(),
            is_loaded: AtomicBool::new(false),
            known: Cache::new(REMEMBERED),
        }
    }

    /// What a token says, unless it counts no more.
    ///
    /// # Errors
    /// `Unavailable` where the database had to be asked and does not answer.
    pub async fn hold(
        &self,
        project_id: ProjectId,
        said: Result<Signer, TokenFault>,
    ) -> Result<Result<Signer, TokenFault>, ApiError> {
        let Ok(signer) = &said else {
            return Ok(said);
        };
        for name in signer.names() {
            let before = self.issued_before(&(project_id, name)).await?;
            if before.is_some_and(|before| signer.issued_at < before) {
                return Ok(Err(TokenFault::Invalidated));
            }
        }
        Ok(said)
    }

    async fn issued_before(
        &self,
        name: &(ProjectId, Identity),
    ) -> Result<Option<Timestamp>, ApiError> {
        let hash = self.answer(self.store.name_hash(name)).await?;
        if self.is_loaded.load(Relaxed) && !self.sieve.has(&hash) {
            return Ok(None);
        }
        let known = self.known.get(&hash);
        let is_believed = |known: &Known| known.until.is_none_or(|until| Instant::now() < until);
        if let Some(known) = known.filter(is_believed) {
            return Ok(known.issued_before);
        }
        let until = Some(Instant::now() + BELIEVED);
        let found = self.answer(self.store.find_invalidation(name)).await?;
        let issued_before = found.map(|found| found.issued_before);
        let known = Known {
            issued_before,
            until,
        };
        self.known.insert(hash, known);
        Ok(issued_before)
    }

    /// Lets no token of these names count that was issued before a time: here at once, on other nodes within seconds.
    ///
    /// # Errors
    /// `Unavailable` where the database does not take it.
    pub async fn invalidate(
        &self,
        project_id: ProjectId,
        names: impl IntoIterator<Item = Identity>,
        issued_before: Timestamp,
    ) -> Result<(), ApiError> {
        let names: Vec<_> = names.into_iter().map(|name| (project_id, name)).collect();
        let written = self.store.invalidate_tokens(&names, issued_before);
        self.note(&self.answer(written).await?);
        Ok(())
    }

    async fn answer<T>(
        &self,
        asking: impl Future<Output = Result<T, crate::store::Error>>,
    ) -> Result<T, ApiError> {
        match timeout(self.patience, asking).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::warn!(reason = %error.full_text(), "invalidated tokens can't be looked up");
                Err(ApiError::Unavailable)
            }
            Err(_) => Err(ApiError::Timeout),
        }
    }

    fn note(&self, invalidations: &[Invalidation]) {
        for invalidation in invalidations {
            let known = Known {
                issued_before: Some(invalidation.issued_before),
                until: None,
            };
            self.known.insert(invalidation.name_hash, known);
            self.sieve.add(&invalidation.name_hash);
        }
    }

    /// Reads what there is, then what comes, for as long as the process lives.
    pub async fn watch(self: Arc<Self>) {
        let mut place = InvalidationPlace::after(Timestamp::MIN);
        for looks in 1_u64.. {
            if let Err(error) = self.look(&mut place).await {
                tracing::warn!(reason = %error.full_text(), "invalidated tokens can't be read: asking again");
            }
            // Nodes that started together get out of step.
            sleep(BETWEEN_LOOKS.mul_f64(rand::random_range(0.5..1.0))).await;
            if looks.is_multiple_of(LOOKS_BETWEEN_TIDYINGS) {
                // What is left is too old to say anything; the next hour tries again.
                let _ = self.store.forget_invalidations().await;
            }
        }
    }

    async fn look(&self, place: &mut InvalidationPlace) -> Result<(), crate::store::Error> {
        *place = InvalidationPlace::after(place.changed_at().minus(OVERLAP));
        loop {
            let (page, is_last) = self.store.latest_invalidations(place).await?;
            self.note(&page);
            if is_last {
                self.is_loaded.store(true, Relaxed);
                return Ok(());
            }
        }
    }
}

/// Bits of names: a name of which one is missing was never added.
struct Sieve(Box<[AtomicU64]>);

impl Sieve {
    fn empty() -> Self {
        let words = (0..SIEVE_BITS / 64).map(|_| AtomicU64::new(0));
        Self(words.collect())
    }

    fn add(&self, hash: &NameHash) {
        for bit in bits(hash) {
            self.0[bit / 64].fetch_or(1 << (bit % 64), Relaxed);
        }
    }

    fn has(&self, hash: &NameHash) -> bool {
        bits(hash).all(|bit| (self.0[bit / 64].load(Relaxed) >> (bit % 64)) & 1 == 1)
    }
}

/// Four, from different parts of the hash: it is random, so they are.
fn bits(hash: &NameHash) -> impl Iterator<Item = usize> {
    hash.chunks_exact(4).take(4).map(|part| {
        let number = part
            .iter()
            .fold(0, |number, byte| (number << 8) | usize::from(*byte));
        number % SIEVE_BITS
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn hash(number: u32) -> NameHash {
        Sha256::digest(number.to_be_bytes()).into()
    }

    #[test]
    fn the_sieve_keeps_what_was_added_and_lets_nearly_all_else_through() {
        let sieve = Sieve::empty();
        (0..500_000).map(hash).for_each(|name| sieve.add(&name));
        assert!((0..500_000).map(hash).all(|name| sieve.has(&name)));
        let others = (1_000_000..1_100_000).map(hash);
        let in_vain = others.filter(|name| sieve.has(name)).count();
        assert!(in_vain < 4_000, "{in_vain} of 100,000");
    }
}
