//! How far an export has got, by shard.
//!
//! A pass has two rounds. The first walks what was there when it began, in ranges side by side. The second walks to the end as it is
//! by then, and so meets whatever changed, and thereby moved, meanwhile. The next pass begins where the second round began.

use serde::{Deserialize, Serialize};

/// All that is kept between two runs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct State {
    /// The cluster of the store.
    pub legacy: String,
    /// The cluster of the topic.
    pub kafka: String,
    /// Where the topic ended at the least when this was saved: an earlier end by now is another topic's.
    pub topic_end: i64,
    /// Counted from 1.
    pub pass: u32,
    pub is_finished: bool,
    /// Documents sent in this pass.
    pub sent: u64,
    pub bytes: u64,
    pub shards: Vec<Shard>,
}

/// One shard of one index.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Shard {
    pub index: String,
    pub uuid: String,
    pub number: u32,
    /// What came up to this sequence number was sent by passes before.
    pub floor: i64,
    pub round: Round,
    pub ranges: Vec<Range>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Round {
    /// Up to what was there at the beginning.
    Stock { ceiling: i64 },
    /// To the end; the next pass has this floor.
    Tail { floor: i64 },
}

/// Sequence numbers that are still to be walked.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The last that was sent.
    pub after: i64,
    /// The last of all; to the end where there is none.
    pub last: Option<i64>,
    pub is_done: bool,
}

/// Every document of a shard, to its end.
pub const WHOLE: Range = Range {
    after: -1,
    last: None,
    is_done: false,
};

/// How far an export has got, for who watches.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Progress {
    pub pass: u32,
    pub sent: u64,
    pub bytes: u64,
}

impl Shard {
    /// A shard of which nothing was sent yet.
    pub fn new(index: &str, uuid: &str, number: u32) -> Self {
        Self {
            index: index.to_owned(),
            uuid: uuid.to_owned(),
            number,
            floor: -1,
            round: Round::Stock { ceiling: -1 },
            ranges: Vec::new(),
        }
    }

    /// Begins a pass: all between the floor and the ceiling, in so many ranges.
    pub fn begin(&mut self, ceiling: i64, ranges: usize) {
        self.round = Round::Stock { ceiling };
        self.ranges = split(self.floor, ceiling, ranges);
    }

    /// Goes on to the second round.
    pub fn follow(&mut self, now: i64) {
        let Round::Stock { ceiling } = self.round else {
            return;
        };
        self.round = Round::Tail { floor: now };
        self.ranges = vec![Range {
            after: ceiling,
            last: None,
            is_done: false,
        }];
    }

    /// Ends a pass.
    pub fn finish(&mut self) {
        if let Round::Tail { floor } = self.round {
            self.floor = floor;
            self.ranges.clear();
        }
    }
}

impl State {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            pass: self.pass,
            sent: self.sent,
            bytes: self.bytes,
        }
    }
}

/// Equal parts of what lies behind `floor`, up to `ceiling`.
fn split(floor: i64, ceiling: i64, parts: usize) -> Vec<Range> {
    let whole = ceiling - floor;
    if whole <= 0 {
        return Vec::new();
    }
    let parts = (parts.max(1) as i64).min(whole);
    let bound =
        |part: i64| floor + (i128::from(whole) * i128::from(part) / i128::from(parts)) as i64;
    (0..parts)
        .map(|part| Range {
            after: bound(part),
            last: Some(bound(part + 1)),
            is_done: false,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn laws_of_ranges_they_cover_each_number_once(floor in -1i64..1_000, more in 0i64..1_000, parts in 0usize..20) {
            let ranges = split(floor, floor + more, parts);
            let mut at = floor;
            for range in &ranges {
                prop_assert_eq!(range.after, at);
                at = range.last.expect("bounded");
                prop_assert!(at > range.after);
            }
            prop_assert_eq!(at, floor + more);
        }
    }

    #[test]
    fn a_pass_begins_where_the_second_round_of_the_one_before_began() {
        let mut shard = Shard::new("people", "u", 0);
        shard.begin(99, 4);
        assert_eq!(shard.ranges.len(), 4);
        shard.follow(120);
        assert_eq!(
            shard.ranges,
            [Range {
                after: 99,
                last: None,
                is_done: false
            }]
        );
        shard.finish();
        assert_eq!(shard.floor, 120);
        shard.begin(120, 4);
        assert!(shard.ranges.is_empty(), "nothing has changed");
    }
}
