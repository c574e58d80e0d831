//! Rates that an operator may set, by project and by key: who sends more is told when to come again, before a byte of the body is
//! read. They are counted on each node by itself.

use super::error::ApiError;
use crate::config;
use crate::domain::{KeyHash, ProjectId};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::hash::Hash;
use std::num::NonZeroU32;

/// The rates of all projects and keys; one for the process.
pub struct Rates {
    clock: DefaultClock,
    projects: Option<DefaultKeyedRateLimiter<ProjectId>>,
    keys: Option<DefaultKeyedRateLimiter<KeyHash>>,
}

impl Rates {
    /// A rate of 0 is none.
    pub fn new(settings: &config::Rates) -> Self {
        Self {
            clock: DefaultClock::default(),
            projects: limiter(settings.project_requests_per_second),
            keys: limiter(settings.key_requests_per_second),
        }
    }

    /// Counts a request of a project that came by a key.
    ///
    /// # Errors
    /// `TooManyRequests` with the whole seconds after which there is room again.
    pub fn check(&self, project_id: ProjectId, key: &str) -> Result<(), ApiError> {
        if let Some(keys) = &self.keys {
            self.count(keys, &KeyHash::of(key))?;
        }
        match &self.projects {
            Some(projects) => self.count(projects, &project_id),
            None => Ok(()),
        }
    }

    fn count<K: Clone + Eq + Hash>(
        &self,
        limiter: &DefaultKeyedRateLimiter<K>,
        key: &K,
    ) -> Result<(), ApiError> {
        limiter.check_key(key).map_err(|early| {
            let wait = early.wait_time_from(self.clock.now());
            ApiError::TooManyRequests {
                seconds: wait.as_secs() as u32 + 1,
            }
        })
    }

    /// Forgets who has sent nothing lately.
    pub fn tidy(&self) {
        self.projects.iter().for_each(RateLimiter::retain_recent);
        self.keys.iter().for_each(RateLimiter::retain_recent);
    }
}

/// A second's worth may come at once.
fn limiter<K: Clone + Eq + Hash>(per_second: u32) -> Option<DefaultKeyedRateLimiter<K>> {
    NonZeroU32::new(per_second).map(|rate| RateLimiter::keyed(Quota::per_second(rate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rates: &Rates, project: i32, key: &str, tries: usize) -> usize {
        let check = |_: &usize| rates.check(ProjectId(project), key).is_ok();
        (0..tries).filter(check).count()
    }

    #[test]
    fn a_key_has_its_rate_within_its_projects_and_others_have_theirs() {
        let rates = Rates::new(&config::Rates {
            project_requests_per_second: 50,
            key_requests_per_second: 20,
        });
        assert!((20..30).contains(&allowed(&rates, 1, "a", 1_000)));
        assert!((25..40).contains(&(allowed(&rates, 1, "b", 20) + allowed(&rates, 1, "c", 20))));
        assert_eq!(allowed(&rates, 2, "d", 20), 20);
        let refused = (0..1_000).find_map(|_| rates.check(ProjectId(1), "a").err());
        let verdict = refused.expect("over its rate").verdict();
        assert_eq!(verdict.status.as_u16(), 429);
        assert_eq!(verdict.retry_after, Some(1));
    }

    #[test]
    fn no_rate_is_no_limit() {
        let rates = Rates::new(&config::Rates {
            project_requests_per_second: 0,
            key_requests_per_second: 0,
        });
        assert_eq!(allowed(&rates, 1, "a", 10_000), 10_000);
    }
}
