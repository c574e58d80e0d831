//! When something happened: `createdAt` in seconds, milliseconds or text, by the sender's clock, put right (contract section 3.2).

use super::fields::Fields;
use super::refusal::Refusal;
use super::request::Asked;
use crate::domain::loose_time::{Claim, is_plausible};
use crate::domain::time::ClaimedTimes;
use crate::domain::{Stamp, Timestamp};
use std::time::Duration;

/// When something happened, or was true.
#[derive(Clone, Copy, Debug)]
pub struct When {
    pub occurred_at: Timestamp,
    /// It may have happened as early as this.
    pub earliest: Timestamp,
    /// Of what was true at one time, what decides (`Draft::sequence`).
    pub sequence: i64,
}

impl When {
    const fn at(occurred_at: Timestamp) -> Self {
        Self {
            occurred_at,
            earliest: occurred_at,
            sequence: Stamp::LIVE,
        }
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

/// The `createdAt` of a call with an event, else now.
///
/// # Errors
/// `BadJsonBody` where it is no time.
pub fn created_at(asked: &Asked, call: &Fields, followers: usize) -> Result<When, Refusal> {
    let now = arrived(asked, followers);
    let Some(value) = call.value("createdAt") else {
        return Ok(now);
    };
    let claim = match value.as_text() {
        Some(text) => Claim::of_text(&text),
        None => Claim::of_number(value.as_str()),
    };
    let occurred_at = match claim {
        Claim::At(at) | Claim::Odd(at) => at,
        Claim::Nothing => return Ok(now),
        Claim::Unreadable => return Err(call.wrong("createdAt", "Number value expected")),
    };
    let times = ClaimedTimes {
        occurred_at: Some(occurred_at),
        sent_at: asked.sent_at,
    };
    let at = times.corrected(asked.received_at);
    if !is_plausible(at) || at >= asked.received_at {
        return Ok(now);
    }
    let earliest = times.earliest(asked.received_at);
    Ok(When {
        earliest: Some(earliest).filter(|at| is_plausible(*at)).unwrap_or(at),
        ..When::at(at)
    })
}
