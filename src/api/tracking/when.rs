//! When a call happened: the first of its times that can be read, by the sender's clock, put right.
//!
//! What can't be read costs the event nothing: the next field is asked, at last the time of receipt (gotchas 14 and 15).

use super::envelope::{Call, Raw};
use super::fields;
use crate::domain::loose_time::{Claim, is_plausible};
use crate::domain::time::ClaimedTimes;
use crate::domain::{Timestamp, Warnings};
use std::time::Duration;

/// What a request says about the times of its calls.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub received_at: Timestamp,
    /// When the batch was sent, else the request.
    pub sent_at: Option<Timestamp>,
    /// Calls that come after this one in its request.
    pub followers: usize,
}

/// When a call happened.
#[derive(Clone, Copy, Debug)]
pub struct When {
    pub occurred_at: Timestamp,
    /// It may have happened as early as this.
    pub earliest: Timestamp,
}

impl Clock {
    /// The event's time, moved where the sender's clock is wrong. Times that Roster itself gives go up within a request, so that
    /// of two calls in it the later wins.
    pub fn occurred_at(self, call: &Call<'_>, warnings: &mut Warnings) -> When {
        let times = ClaimedTimes {
            occurred_at: first_readable(call, warnings),
            sent_at: sent_at(call.sent_at, warnings).or(self.sent_at),
        };
        let at = times.corrected(self.received_at);
        if !is_plausible(at) {
            let message =
                "moved by the sender's clock it lies before 1900: the time of receipt counts";
            warnings.add("bad_time", "timestamp", message);
        }
        let occurred_at = if is_plausible(at) && at < self.received_at {
            at
        } else {
            let before = Duration::from_micros(self.followers as u64);
            self.received_at.minus(before)
        };
        let earliest = times.earliest(self.received_at);
        let earliest = Some(earliest).filter(|at| is_plausible(*at));
        When {
            occurred_at,
            earliest: earliest.map_or(occurred_at, |earliest| earliest.min(occurred_at)),
        }
    }
}

/// A time of sending; where it can't be read, the sender's clock counts as right.
pub fn sent_at(raw: Raw<'_>, warnings: &mut Warnings) -> Option<Timestamp> {
    match fields::time(raw)? {
        Claim::At(at) | Claim::Odd(at) => Some(at),
        Claim::Nothing | Claim::Unreadable => {
            let message = "it is no time: the sender's clock counts as right";
            warnings.add("no_sent_at", "sentAt", message);
            None
        }
    }
}

fn first_readable(call: &Call<'_>, warnings: &mut Warnings) -> Option<Timestamp> {
    let candidates = [
        (call.timestamp, "timestamp"),
        (call.original_timestamp, "originalTimestamp"),
        (call.created_at, "createdAt"),
    ];
    candidates
        .into_iter()
        .find_map(|(raw, field)| readable(raw, field, warnings))
}

fn readable(raw: Raw<'_>, field: &str, warnings: &mut Warnings) -> Option<Timestamp> {
    let (code, message) = match fields::time(raw)? {
        Claim::At(at) => return Some(at),
        Claim::Odd(at) => {
            warnings.add("odd_time", field, "it was read, but is not in ISO 8601");
            return Some(at);
        }
        Claim::Nothing => ("no_time", "it lies before 1900 and counts as absent"),
        Claim::Unreadable => (
            "bad_time",
            "it is no time that can be read without guessing: the next time of the call counts, or that of receipt",
        ),
    };
    warnings.add(code, field, message);
    None
}
