//! Partitions whose end was reached: behind their last record lies nothing, or marks that are never delivered.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A partition at its end for so long has nothing more than marks behind its last record.
const IDLE: Duration = Duration::from_secs(5);

/// A partition at its end.
struct AtEnd {
    /// The assignment that reached it: another one begins anew, somewhere before it.
    owner: Uuid,
    since: Instant,
    end: i64,
}

/// A partition in which nothing has come for a while.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IdlePartition {
    pub partition: i32,
    pub owner: Uuid,
    pub end: i64,
}

/// The partitions at their end.
#[derive(Default)]
pub(super) struct Ends(HashMap<i32, AtEnd>);

impl Ends {
    /// All that was there has been delivered to this assignment.
    pub fn reach(&mut self, partition: i32, owner: Uuid) {
        let at_end = AtEnd {
            owner,
            since: Instant::now(),
            end: -1,
        };
        self.0.insert(partition, at_end);
    }

    /// Something came behind it.
    pub fn leave(&mut self, partition: i32) {
        self.0.remove(&partition);
    }

    /// Nothing was polled for a while: what was fetched in it has yet to be delivered.
    pub fn wait_anew(&mut self, now: Instant) {
        for at_end in self.0.values_mut() {
            at_end.since = now;
        }
    }

    /// Those that are still their assignment's, and whose end has not moved for a while; each again after as long.
    pub fn idle(
        &mut self,
        owners: &HashMap<i32, Uuid>,
        end_of: impl Fn(i32) -> Option<i64>,
        now: Instant,
    ) -> Vec<IdlePartition> {
        self.0
            .retain(|partition, at_end| owners.get(partition) == Some(&at_end.owner));
        let mut idle = Vec::new();
        for (partition, at_end) in &mut self.0 {
            let Some(end) = end_of(*partition) else {
                continue;
            };
            if end != at_end.end {
                (at_end.end, at_end.since) = (end, now);
            } else if now.duration_since(at_end.since) > IDLE {
                at_end.since = now;
                idle.push(IdlePartition {
                    partition: *partition,
                    owner: at_end.owner,
                    end,
                });
            }
        }
        idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Uuid = Uuid::from_u128(1);
    const SECOND: Uuid = Uuid::from_u128(2);

    fn idle_of(ends: &mut Ends, owner: Uuid, after: Instant, seconds: u64) -> Vec<i64> {
        let owners = HashMap::from([(0, owner)]);
        let now = after + Duration::from_secs(seconds);
        let idle = ends.idle(&owners, |_| Some(9), now);
        idle.into_iter().map(|one| one.end).collect()
    }

    #[test]
    fn a_partition_is_idle_once_its_end_has_stood_for_a_while() {
        let (mut ends, begun) = (Ends::default(), Instant::now());
        ends.reach(0, FIRST);
        assert_eq!(idle_of(&mut ends, FIRST, begun, 1), [0; 0]);
        assert_eq!(idle_of(&mut ends, FIRST, begun, 5), [0; 0]);
        assert_eq!(idle_of(&mut ends, FIRST, begun, 7), [9]);
        assert_eq!(idle_of(&mut ends, FIRST, begun, 8), [0; 0], "not each time");
        ends.leave(0);
        assert_eq!(idle_of(&mut ends, FIRST, begun, 60), [0; 0]);
    }

    /// It has read to the end, given the partition up half-way through its work, and gets it back: what it had read comes again.
    #[test]
    fn an_end_that_was_reached_before_the_partition_went_away_says_nothing() {
        let (mut ends, begun) = (Ends::default(), Instant::now());
        ends.reach(0, FIRST);
        assert_eq!(idle_of(&mut ends, FIRST, begun, 1), [0; 0]);
        assert_eq!(idle_of(&mut ends, SECOND, begun, 60), [0; 0]);
        assert_eq!(idle_of(&mut ends, SECOND, begun, 120), [0; 0]);
    }

    #[test]
    fn time_in_which_nothing_was_polled_does_not_count() {
        let (mut ends, begun) = (Ends::default(), Instant::now());
        ends.reach(0, FIRST);
        assert_eq!(idle_of(&mut ends, FIRST, begun, 1), [0; 0]);
        ends.wait_anew(begun + Duration::from_secs(20));
        assert_eq!(idle_of(&mut ends, FIRST, begun, 21), [0; 0]);
        assert_eq!(idle_of(&mut ends, FIRST, begun, 26), [9]);
    }
}
