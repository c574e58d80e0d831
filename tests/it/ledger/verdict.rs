//! What the judge says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Counts of ids (L1 to L4, L6, L8) and of people (L5), as `contracts/faults.md` names them.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Ids that were sent: acked + refused + unknown.
    pub sent: usize,
    pub acked: usize,
    pub refused: usize,
    /// Ids without an answer: they may be there or not, but whole.
    pub unknown: usize,
    /// Unknown ids that are there.
    pub unknown_present: usize,
    /// L1: acknowledged and not there.
    pub lost: usize,
    /// L2: there and never sent, or sent and refused.
    pub phantom: usize,
    /// L3: there more than once, or said to be new more than once.
    pub duplicate: usize,
    /// L4: there with other content.
    pub altered: usize,
    /// L5: people whose traits are not the fold of what was acknowledged.
    pub misfolded: usize,
    /// L6: events, people or names that lack their other half.
    pub torn: usize,
    /// Refused although nothing is wrong with them.
    pub misjudged: usize,
    /// L8: refused and not in the list of refusals.
    pub unlisted: usize,
    /// Of the sample: read otherwise through the API than by SQL.
    pub misread: usize,
    /// Sendings of an id after its first.
    pub resent: usize,
    /// Answers by status; none where the connection failed.
    pub statuses: BTreeMap<Option<u16>, usize>,
    /// 429 and 503 that do not say when to come again.
    pub rude: usize,
    /// The longest time to an answer.
    pub slowest: Duration,
    /// Some of what is wrong, for whoever has to find out why.
    pub notes: Vec<String>,
}

impl Verdict {
    /// Everything is as it was acknowledged, and every answer one that a client can work with.
    pub fn is_clean(&self) -> bool {
        let wrong = [
            self.lost,
            self.phantom,
            self.duplicate,
            self.altered,
            self.misfolded,
            self.torn,
            self.misjudged,
            self.unlisted,
            self.misread,
            self.rude,
        ];
        let expected = |status: &Option<u16>| matches!(status, None | Some(200 | 400 | 429 | 503));
        let sums = self.sent == self.acked + self.refused + self.unknown;
        sums && wrong.iter().all(|count| *count == 0) && self.statuses.keys().all(expected)
    }

    /// Fails the test unless it is clean, and unless there was something to judge.
    pub fn assert_clean(&self, story: &str) {
        assert!(self.is_clean(), "{story}: {self}");
        assert!(self.acked > 0, "{story}: nothing was acknowledged: {self}");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sent {} = acked {} + refused {} + unknown {} ({} of them there)",
            self.sent, self.acked, self.refused, self.unknown, self.unknown_present
        )?;
        write!(
            f,
            "; lost {}, phantom {}, duplicate {}, altered {}",
            self.lost, self.phantom, self.duplicate, self.altered
        )?;
        write!(
            f,
            ", misfolded {}, torn {}, misjudged {}, unlisted {}, misread {}",
            self.misfolded, self.torn, self.misjudged, self.unlisted, self.misread
        )?;
        write!(
            f,
            "; resent {}, rude {}, slowest {:.1?}; answers",
            self.resent, self.rude, self.slowest
        )?;
        for (status, count) in &self.statuses {
            match status {
                Some(status) => write!(f, " {status}×{count}")?,
                None => write!(f, " none×{count}")?,
            }
        }
        self.notes
            .iter()
            .take(3)
            .try_for_each(|note| write!(f, "\n  {note}"))
    }
}
