//! How much one call may state: bytes of a text, keys and bytes of an event, bytes of a trait, traits of a profile.

use super::command::Event;
use super::limits::Limits;
use super::{Code, Json, Rejection};
use std::collections::BTreeMap;

/// The part of a trait's name that a message repeats.
const SHOWN_NAME_BYTES: usize = 100;

/// Holds a text against its limit.
///
/// # Errors
/// `TooLong`, with the size and the limit.
pub fn text(text: &str, field: &str, limit: usize) -> Result<(), Rejection> {
    let size = text.len();
    if size <= limit {
        return Ok(());
    }
    let message = format!("{field} has {size} bytes, over the limit of {limit}");
    Err(Rejection::of(Code::TooLong, field, message))
}

/// The beginning of a text, at most `limit` bytes, cut between characters.
pub fn beginning(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Holds the keys of properties, at any depth, against the limit.
///
/// # Errors
/// `TooManyProperties`, with the number and the limit.
pub(super) fn properties(json: &Json, field: &str, limit: usize) -> Result<(), Rejection> {
    // Each key has a colon, so most objects need no closer look.
    if memchr::memchr_iter(b':', json.as_bytes()).count() <= limit {
        return Ok(());
    }
    let count = json.count_keys();
    if count <= limit {
        return Ok(());
    }
    let message = format!("{field} has {count} keys, over the limit of {limit}");
    Err(Rejection::of(Code::TooManyProperties, field, message))
}

/// Holds an event's row against the limit.
///
/// # Errors
/// `EventTooLarge`, with the size and the limit.
pub(super) fn event(event: &Event, limit: usize) -> Result<(), Rejection> {
    let size = event.bytes();
    if size <= limit {
        return Ok(());
    }
    Err(Rejection {
        names: Vec::new(),
        code: Code::EventTooLarge,
        field: None,
        message: format!(
            "the event has {size} bytes with its properties and context, over the limit of {limit}"
        ),
    })
}

/// Holds what one call states against what a profile may have.
///
/// # Errors
/// `TraitTooLarge` or `ProfileTooLarge`, with the size and the limit.
pub(super) fn traits(members: &BTreeMap<String, Json>, limits: &Limits) -> Result<(), Rejection> {
    let limit = limits.trait_bytes;
    for (name, value) in members {
        let size = value.as_bytes().len();
        if size > limit {
            let field = format!("traits.{}", beginning(name, SHOWN_NAME_BYTES));
            let message = format!("{field} has {size} bytes, over the limit of {limit}");
            return Err(Rejection::of(Code::TraitTooLarge, &field, message));
        }
    }
    let bytes: usize = members
        .iter()
        .map(|(name, value)| name.len() + value.as_bytes().len())
        .sum();
    if members.len() <= limits.profile_traits && bytes <= limits.profile_bytes {
        return Ok(());
    }
    Err(Rejection::of(
        Code::ProfileTooLarge,
        "traits",
        format!(
            "the call states {} traits of {bytes} bytes, over the limits of {} and {}",
            members.len(),
            limits.profile_traits,
            limits.profile_bytes
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(beginning("aé", 2), "a");
        assert_eq!(beginning("aé", 3), "aé");
        assert!(text("aé", "event", 3).is_ok());
        let rejection = text("aé", "event", 2).expect_err("too long");
        assert_eq!(rejection.message, "event has 3 bytes, over the limit of 2");
    }
}
