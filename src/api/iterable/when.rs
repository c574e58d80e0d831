//! When something happened: `createdAt` in seconds, milliseconds or text, by the sender's clock, put right (contract section 3.2).

use super::fields::Fields;
use super::refusal::Refusal;
use super::request::Asked;
use crate::domain::loose_time::{Claim, is_plausible};
use crate::domain::time::ClaimedTimes;
use crate::domain::{Json, Stamp, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// In microseconds.
const SECOND: i64 = 1_000_000;

/// When something happened, or was true.
#[derive(Clone, Copy, Debug)]
pub struct When {
    pub occurred_at: Timestamp,
    /// It may have happened as early as this.
    pub earliest: Timestamp,
    /// When what is said of the person was true: of a second, at its end.
    pub stated_at: Timestamp,
    /// Of what was true at one time, what decides (`Draft::sequence`).
    pub sequence: i64,
}

impl When {
    const fn at(occurred_at: Timestamp) -> Self {
        Self {
            occurred_at,
            earliest: occurred_at,
            stated_at: occurred_at,
            sequence: Stamp::LIVE,
        }
    }

    /// Since when traits are true, where that is not when it happened.
    pub fn times_of(&self, traits: &Json) -> BTreeMap<String, Timestamp> {
        if self.stated_at == self.occurred_at {
            return BTreeMap::new();
        }
        let names = traits.members().unwrap_or_default().into_keys();
        names.map(|name| (name, self.stated_at)).collect()
    }
}

/// Now; of what a request says, what stands later in it wins. None of it is earlier than its receipt: what was answered before is older.
pub fn now(asked: &Asked, followers: usize) -> When {
    When {
        sequence: Stamp::LIVE - followers as i64,
        ..When::at(asked.received_at)
    }
}

/// Now, of an event: those of a request are in its order when they are read.
fn arrived(asked: &Asked, followers: usize) -> When {
    let before = Duration::from_micros(followers as u64);
    When::at(asked.received_at.minus(before))
}

/// When a phone sent a call, so that those that cross on the wire are in their order. The header has whole seconds: of what was sent in
/// one of them, what arrives later is later, by a thousandth of the time on the wire.
pub fn sent(asked: &Asked) -> When {
    let times = ClaimedTimes {
        occurred_at: asked.sent_at,
        sent_at: asked.sent_at,
    };
    let at = times.corrected(asked.received_at);
    let on_the_wire = asked.received_at.micros() - at.micros();
    let within = (on_the_wire / 1_000).min(999_999);
    let at = Timestamp::from_micros(at.micros() + within).unwrap_or(at);
    When {
        earliest: times.earliest(asked.received_at),
        ..When::at(at)
    }
}

/// The `createdAt` of a call with an event, else now. SDKs count whole seconds: of what happened in one of them, what arrives later is
/// later, and what arrives within it happened when it arrived.
///
/// # Errors
/// `BadJsonBody` where it is no time.
pub fn created_at(asked: &Asked, call: &Fields, followers: usize) -> Result<When, Refusal> {
    let (now, received_at) = (arrived(asked, followers), asked.received_at);
    let Some(claimed) = claimed(call)? else {
        return Ok(now);
    };
    let times = ClaimedTimes {
        occurred_at: Some(claimed),
        sent_at: asked.sent_at,
    };
    let at = times.corrected(received_at);
    let is_whole = claimed.micros() % SECOND == 0;
    let just_now = if is_whole { SECOND - 1 } else { 0 };
    if !is_plausible(at) || received_at.micros() - at.micros() <= just_now {
        return Ok(now);
    }
    let earliest = times.earliest(received_at);
    let mut when = When {
        earliest: Some(earliest).filter(|at| is_plausible(*at)).unwrap_or(at),
        ..When::at(at)
    };
    if is_whole {
        when.stated_at = at.plus(Duration::from_micros(SECOND as u64 - 1));
        when.sequence = by_arrival(received_at);
    }
    Ok(when)
}

fn claimed(call: &Fields) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = call.value("createdAt") else {
        return Ok(None);
    };
    let claim = match value.as_text() {
        Some(text) => Claim::of_text(&text),
        None => Claim::of_number(value.as_str()),
    };
    match claim {
        Claim::At(at) | Claim::Odd(at) => Ok(Some(at)),
        Claim::Nothing => Ok(None),
        Claim::Unreadable => Err(call.wrong("createdAt", "Number value expected")),
    }
}

/// The second key of what is known to the second alone: behind all records of a legacy store, in the order of arrival.
fn by_arrival(received_at: Timestamp) -> i64 {
    Stamp::LIVE - (Timestamp::MAX.micros() - received_at.micros())
}
