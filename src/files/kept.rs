//! What a successor of a reader needs: its state as JSON, and its open tail as it is.

use super::unusable::Unusable;
use serde::Serialize;
use serde::de::DeserializeOwned;

const LENGTH: usize = size_of::<u32>();

/// Puts a state and a tail together.
pub fn write(state: &impl Serialize, tail: &[u8]) -> Vec<u8> {
    let state = serde_json::to_vec(state).expect("plain values and text keys always serialise");
    let length = u32::try_from(state.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &state, tail].concat()
}

/// Takes them apart.
///
/// # Errors
/// `state` where another version wrote it.
pub fn read<T: DeserializeOwned>(kept: &[u8]) -> Result<(T, Vec<u8>), Unusable> {
    let foreign = || {
        Unusable::of(
            "state",
            "the state of the reader can't be read: another version wrote it",
        )
    };
    let (length, rest) = kept.split_first_chunk::<LENGTH>().ok_or_else(foreign)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (state, tail) = rest.split_at_checked(length).ok_or_else(foreign)?;
    let state = serde_json::from_slice(state).map_err(|_| foreign())?;
    Ok((state, tail.to_vec()))
}
