//! When something was true, and what decides between two things of one time.

use super::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A place in the order of what was stated. Live traffic is the last of its time, so that a tie with a legacy record goes to it;
/// records of one time go by their own second key (a version, a log position), and those without one come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp {
    /// Microseconds since 1970.
    pub at: i64,
    /// The second key.
    pub sequence: i64,
}

impl Stamp {
    /// Before all that was ever stated.
    pub const NEVER: Self = Self::live(i64::MIN);
    /// The second key of what came live.
    pub const LIVE: i64 = i64::MAX;

    /// Of live traffic.
    pub const fn live(at: i64) -> Self {
        let sequence = Self::LIVE;
        Self { at, sequence }
    }

    /// Of a moment, with a second key.
    pub fn of(at: Timestamp, sequence: i64) -> Self {
        let at = at.micros();
        Self { at, sequence }
    }
}

/// A live stamp is stored as a number, any other as a pair.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Stored {
    Live(i64),
    Of(i64, i64),
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = if self.sequence == Self::LIVE {
            Stored::Live(self.at)
        } else {
            Stored::Of(self.at, self.sequence)
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Live(at) => Self::live(at),
            Stored::Of(at, sequence) => Self { at, sequence },
        })
    }
}
