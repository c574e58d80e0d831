//! Remembers which identities were seen to belong together, so that their events skip the look-up.
//!
//! It decides what to try first, never what is true. A link ceases to hold by an erasure, which takes the identities away, so that the
//! insert finds nothing and the look-up decides; or by a split, which gives them to two people: the event then goes to whom the strongest
//! of them belongs, as it would after a look-up.

use crate::domain::Command;
use quick_cache::sync::Cache;
use std::hash::{BuildHasher, RandomState};

/// A bounded memory of links, by a 128-bit hash of project and identities.
pub(super) struct KnownLinks {
    seen: Cache<(u64, u64), ()>,
    hashers: (RandomState, RandomState),
}

impl KnownLinks {
    pub fn new(entries: usize) -> Self {
        Self {
            seen: Cache::new(entries),
            hashers: (RandomState::new(), RandomState::new()),
        }
    }

    /// True where all identities of the command were once seen to be one profile's.
    pub fn contains(&self, command: &Command) -> bool {
        self.seen.get(&self.hash(command)).is_some()
    }

    /// Remembers the command's identities.
    pub fn remember(&self, command: &Command) {
        self.seen.insert(self.hash(command), ());
    }

    fn hash(&self, command: &Command) -> (u64, u64) {
        let subject = (command.project_id(), command.identities());
        (
            self.hashers.0.hash_one(subject),
            self.hashers.1.hash_one(subject),
        )
    }
}
