//! Files of messages: of the tracking API, or of Roster's own format. Which it is is told record by record, so that a file may have both.

use super::calls::{self, ReadCall};
use super::{Reading, Record, own};
use crate::domain::{Gate, Rejection, Timestamp};
use memchr::memmem;

/// Reads a record of either.
///
/// # Errors
/// Why it can't be taken.
pub fn read(
    record: &Record<'_>,
    gate: &Gate<'_>,
    start: Timestamp,
    calls: &ReadCall,
) -> Result<Reading, Rejection> {
    if is_own(record, gate.limits.depth) {
        own::read(record, gate, start)
    } else {
        calls::read(record, gate, start, calls)
    }
}

/// True where the record says so itself. Nearly no message has the word anywhere.
pub(super) fn is_own(record: &Record<'_>, depth: usize) -> bool {
    let Some(bytes) = record
        .value
        .filter(|bytes| memmem::find(bytes, b"\"roster\"").is_some())
    else {
        return false;
    };
    let value = super::text::json(bytes, "value", depth);
    value.is_ok_and(|value| value.is_some_and(|value| value.get("roster").is_some()))
}
