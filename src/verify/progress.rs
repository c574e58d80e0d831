//! How far a verification is: the place in each walk, behind which nothing is suspected any more.

use crate::domain::Json;
use crate::domain::containment::Kind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// All that is kept between two stretches; nothing that is about anybody.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The walk over documents, in rounds.
    pub shards: Vec<Shard>,
    /// Counted from 1; 0 before the first.
    pub round: u32,
    pub is_last_round: bool,
    pub has_documents: bool,
    /// The last of the people that were looked at.
    pub after: Uuid,
    pub has_people: bool,
    /// Listed differences by their kind.
    pub missing: i32,
    pub different: i32,
    pub extra: i32,
}

/// A shard of an index in a round.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Shard {
    pub index: String,
    pub uuid: String,
    pub number: u32,
    /// The last sequence number that was read.
    pub after: i64,
    /// The last of this round.
    pub last: i64,
}

impl Progress {
    /// Differences of a kind that are listed.
    const LISTED: i32 = 33;

    /// Reads what was written; at the beginning that is nothing.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The text of it.
    pub fn written(&self) -> Json {
        Json::of(self)
    }

    /// True where both walks are at their end.
    pub const fn is_done(&self) -> bool {
        self.has_documents && self.has_people
    }

    /// The number of the next listed difference.
    pub const fn listed(&self) -> i32 {
        self.missing + self.different + self.extra
    }

    /// True where there is room to list one more of a kind, which is then taken.
    pub fn lists(&mut self, kind: Kind) -> bool {
        let listed = match kind {
            Kind::Missing => &mut self.missing,
            Kind::Different => &mut self.different,
            Kind::Extra => &mut self.extra,
        };
        let has_room = *listed < Self::LISTED;
        *listed += i32::from(has_room);
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_and_begins_with_nothing() {
        let mut progress = Progress::read("{}");
        assert_eq!(progress, Progress::default());
        progress.after = Uuid::from_u128(7);
        progress.shards.push(Shard {
            index: "people".to_owned(),
            uuid: "u".to_owned(),
            number: 1,
            after: 5,
            last: 9,
        });
        assert_eq!(Progress::read(progress.written().as_str()), progress);
    }

    #[test]
    fn of_each_kind_a_few_are_listed_and_a_hundred_at_the_most() {
        let mut progress = Progress::default();
        for kind in [Kind::Missing, Kind::Different, Kind::Extra] {
            let listed = (0..1_000).filter(|_| progress.lists(kind)).count();
            assert_eq!(listed, Progress::LISTED as usize);
        }
        assert!(progress.listed() <= 100);
    }
}
