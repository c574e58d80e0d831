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

/// Now; of what a request says, what stands later in it is later: it wins (`Asked::spread`).
pub fn now(asked: &Asked, followers: usize) -> When {
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

/// The `createdAt` of a call with an event, else now. A zero is none: clients whose structs always have it say it where nobody set it.
///
/// # Errors
/// `BadJsonBody` where it is no time.
pub fn created_at(asked: &Asked, call: &Fields, followers: usize) -> Result<When, Refusal> {
    let (now, received_at) = (now(asked, followers), asked.received_at);
    let Some(claimed) = claimed(call)? else {
        return Ok(now);
    };
    let times = ClaimedTimes {
        occurred_at: Some(claimed),
        sent_at: asked.sent_at,
    };
    let at = times.corrected(received_at);
    if !is_plausible(at) || at >= received_at {
        return Ok(now);
    }
    let earliest = times.earliest(received_at);
    Ok(When {
        earliest: Some(earliest).filter(|at| is_plausible(*at)).unwrap_or(at),
        ..When::at(at)
    })
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
        Claim::At(at) | Claim::Odd(at) => Ok(Some(at).filter(|at| at.micros() != 0)),
        Claim::Nothing => Ok(None),
        Claim::Unreadable => Err(call.wrong("createdAt", "Number value expected")),
    }
}
