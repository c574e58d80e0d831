//! Where one partition is, from when it was assigned until it is taken away: what was passed, and what became of it.

use super::arrival::Arrived;
use super::last_record::{LastRecord, digest_of, followed_by_marks};
use super::taking::{Outcome, Taken};
use crate::store::{PartitionMove, TakenPartition};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often it is noted of a partition that nothing is left in it: deletions are kept for hours.
const AT_END: Duration = Duration::from_secs(60);

/// Whether a record is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admittance {
    Take,
    /// It is done already.
    Skip,
    /// Another record stands where the last one was done: the topic is another one.
    Replaced,
}

/// A partition of this assignment.
pub(super) struct Place {
    pub owner: Uuid,
    /// As the database has it; `None` before the first record.
    stored: Option<i64>,
    /// The next offset to take; `None` before the first record.
    expected: Option<i64>,
    /// The last record that was done, until it was looked at again.
    last: Option<LastRecord>,
    /// What was passed since it was written last.
    pending: PartitionMove,
    done: Option<i64>,
    /// The end as it was written last.
    stored_end: i64,
    moved_at: Instant,
    /// When a step was written last.
    stepped_at: Instant,
}

impl Place {
    pub fn new(owner: Uuid, taken: TakenPartition) -> Self {
        let next = taken.next_offset;
        Self {
            owner,
            stored: next,
            expected: next,
            last: LastRecord::of(&taken),
            pending: PartitionMove {
                partition: taken.partition,
                last_at: taken.last_at,
                last_digest: taken.last_digest,
                ..PartitionMove::default()
            },
            done: next,
            stored_end: -1,
            moved_at: Instant::now(),
            stepped_at: Instant::now(),
        }
    }

    /// Tells whether a record is to be taken; notes in it where the one before it ended, and expects the next one from then on.
    pub fn admit(&mut self, arrived: &mut Arrived) -> Admittance {
        if let Some(last) = self.last.take()
            && arrived.offset == last.offset
        {
            return if last.is(arrived) {
                Admittance::Skip
            } else {
                Admittance::Replaced
            };
        }
        if self.expected.is_some_and(|next| arrived.offset < next) {
            return Admittance::Skip;
        }
        arrived.after = self.expected.unwrap_or(arrived.offset);
        self.expected = Some(arrived.offset + 1);
        Admittance::Take
    }

    /// Takes note of a record that is done. Where the record before it is not done the position stays: only what had no record when
    /// it was delivered is a gap.
    pub fn pass(&mut self, taken: &Taken) {
        let (offset, after) = (taken.arrived.offset, taken.arrived.after);
        if self.done.is_some_and(|done| done != after) {
            return;
        }
        let pending = &mut self.pending;
        if self.done.is_none() {
            pending.first_offset = offset;
        }
        pending.gaps += offset - after;
        pending.bytes += taken.arrived.bytes() as i64;
        pending.last_at = taken.arrived.timestamp();
        pending.last_digest = Some(digest_of(&taken.arrived));
        if taken.outcome == Outcome::Control {
            pending.control += 1;
        } else {
            let counts = pending.counts.entry(taken.project_id).or_default();
            match &taken.outcome {
                Outcome::Stored => counts.stored += 1,
                Outcome::Rejected(_) | Outcome::Truncated(_) => {
                    counts.rejected += 1;
                    counts.erased += i64::from(taken.outcome.complaint().is_none());
                }
                Outcome::Unchanged | Outcome::Control => counts.unchanged += 1,
            }
        }
        self.go_to(offset + 1);
    }

    /// Nothing but marks lies before `end`.
    pub fn pass_marks(&mut self, end: i64) {
        let (done, expected) = match (self.done, self.expected) {
            (Some(done), Some(expected)) => (done, expected),
            // Nothing but marks, or nothing at all, from its beginning on.
            (None, None) => {
                self.pending.first_offset = end;
                (end - 1, end - 1)
            }
            _ => return,
        };
        // Something is on its way still, or the end was seen before what has come since.
        if done != expected || end <= done {
            return;
        }
        if self.done.is_some() {
            self.pending.gaps += end - done;
        }
        self.expected = Some(end);
        if let Some(digest) = &mut self.pending.last_digest {
            followed_by_marks(digest, done);
        }
        self.go_to(end);
    }

    fn go_to(&mut self, next: i64) {
        self.done = Some(next);
        self.pending.next_offset = next;
        self.moved_at = Instant::now();
    }

    /// The step to be written, where there is one. At its end, now and then, it says no more than that.
    pub fn step(&self, end: i64, pace: &str) -> Option<PartitionMove> {
        let done = self.done.unwrap_or(-1);
        let is_at_end = end >= 0 && end == done;
        // Before it is known nothing is said of it: what was taken is not all that there is.
        let end = if end < 0 { -1 } else { end.max(done) };
        let has_moved = self.stored.unwrap_or(-1) != done;
        let is_due = is_at_end && self.stepped_at.elapsed() >= AT_END;
        let is_news = has_moved || self.stored_end != end || is_due;
        is_news.then(|| PartitionMove {
            from_offset: self.stored.unwrap_or(-1),
            first_offset: self.done.map_or(-1, |_| self.pending.first_offset),
            next_offset: done,
            end_offset: end,
            pace: pace.to_owned(),
            is_read: has_moved || is_at_end,
            ..self.pending.clone()
        })
    }

    /// The step was written.
    pub fn stepped(&mut self, step: &PartitionMove) {
        self.stored = (step.next_offset >= 0).then_some(step.next_offset);
        self.stored_end = step.end_offset;
        self.stepped_at = Instant::now();
        self.pending = PartitionMove {
            partition: step.partition.clone(),
            next_offset: step.next_offset.max(0),
            last_at: step.last_at,
            last_digest: step.last_digest.clone(),
            ..PartitionMove::default()
        };
    }

    /// All before it is done.
    pub fn done(&self) -> Option<i64> {
        self.done
    }

    /// True where records are left and none was passed for so long.
    pub fn is_stalled(&self, end: i64, patience: Duration) -> bool {
        let is_behind = self.done.map_or(end > 0, |done| done < end);
        is_behind && self.moved_at.elapsed() > patience
    }

    /// What held it was not its own doing.
    pub fn excuse(&mut self) {
        self.moved_at = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ProjectId;

    fn place(next_offset: Option<i64>) -> Place {
        let taken = TakenPartition {
            partition: ("people".to_owned(), 0),
            next_offset,
            last_at: None,
            last_digest: next_offset.map(|next| digest_of(&record(next - 1))),
            away: None,
        };
        Place::new(Uuid::nil(), taken)
    }

    fn record(offset: i64) -> Arrived {
        Arrived {
            partition: 0,
            owner: Uuid::nil(),
            offset,
            after: offset,
            at: None,
            key: None,
            value: Some(offset.to_string().into_bytes().into()),
            headers: Vec::new(),
            _room: None,
        }
    }

    /// Admits a record that is to be taken.
    fn admitted(place: &mut Place, offset: i64) -> Taken {
        let mut arrived = record(offset);
        assert_eq!(place.admit(&mut arrived), Admittance::Take, "{offset}");
        Taken {
            arrived,
            project_id: ProjectId(1),
            outcome: Outcome::Stored,
        }
    }

    #[test]
    fn offsets_without_a_record_are_gaps_and_all_adds_up() {
        let mut place = place(None);
        for offset in [10, 11, 14] {
            let taken = admitted(&mut place, offset);
            place.pass(&taken);
        }
        place.pass_marks(16);
        let step = place.step(16, "").expect("a step");
        assert_eq!(
            (step.first_offset, step.next_offset, step.gaps),
            (10, 16, 3)
        );
        assert_eq!(step.counts[&ProjectId(1)].stored, 3);
    }

    #[test]
    fn what_was_admitted_and_is_not_done_is_no_gap() {
        let mut place = place(Some(5));
        let (_lost, next) = (admitted(&mut place, 5), admitted(&mut place, 6));
        place.pass(&next);
        place.pass_marks(9);
        assert_eq!(
            place.done(),
            Some(5),
            "it stays before the record that was lost"
        );
    }

    #[test]
    fn the_last_record_is_looked_at_again_and_another_one_there_is_told() {
        let mut same = place(Some(5));
        assert_eq!(same.admit(&mut record(4)), Admittance::Skip);
        assert_eq!(same.admit(&mut record(5)), Admittance::Take);
        let mut other = place(Some(5));
        let mut replaced = record(4);
        replaced.value = Some("another".into());
        assert_eq!(other.admit(&mut replaced), Admittance::Replaced);
    }

    #[test]
    fn the_last_record_is_known_again_behind_marks_too() {
        let mut before = place(None);
        let taken = admitted(&mut before, 4);
        before.pass(&taken);
        before.pass_marks(6);
        before.pass_marks(7);
        let step = before.step(7, "").expect("a step");
        let stored = || TakenPartition {
            partition: ("people".to_owned(), 0),
            next_offset: Some(step.next_offset),
            last_at: step.last_at,
            last_digest: step.last_digest.clone(),
            away: None,
        };
        let mut same = Place::new(Uuid::nil(), stored());
        assert_eq!(same.admit(&mut record(4)), Admittance::Skip);
        assert_eq!(same.admit(&mut record(7)), Admittance::Take);
        let mut replaced = record(4);
        replaced.value = Some("another".into());
        let mut other = Place::new(Uuid::nil(), stored());
        assert_eq!(other.admit(&mut replaced), Admittance::Replaced);
    }

    #[test]
    fn a_new_end_alone_is_written_and_loses_nothing() {
        let mut place = place(Some(5));
        let step = place.step(9, "").expect("the end is news");
        assert_eq!((step.next_offset, step.end_offset), (5, 9));
        assert!(step.last_digest.is_some());
        place.stepped(&step);
        assert!(place.step(9, "").is_none());
    }
}
