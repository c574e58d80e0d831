//! How much one call may state: keys of an event, bytes of a trait, traits of a profile.

use super::fields::beginning;
use crate::config::Limits;
use crate::domain::{Code, Json, Rejection};
use std::collections::BTreeMap;

/// The part of a trait's name that a message repeats.
const SHOWN_NAME_BYTES: usize = 100;

/// Holds the keys of properties, at any depth, against the limit.
///
/// # Errors
/// `TooManyProperties`, with the number and the limit.
pub fn properties(json: &Json, field: &str, limit: usize) -> Result<(), Rejection> {
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

/// Holds what one call states against what a profile may have.
///
/// # Errors
/// `TraitTooLarge` or `ProfileTooLarge`, with the size and the limit.
pub fn traits(members: &BTreeMap<String, Json>, limits: &Limits) -> Result<(), Rejection> {
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
