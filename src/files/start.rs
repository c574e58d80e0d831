//! The first lines of a file of lines, where they tell that it is none.

use super::scan::{Scan, end_of_value};
use super::unusable::Unusable;
use crate::domain::mend::clean;
use bytes::Bytes;
use serde::de::IgnoredAny;

/// So many bad lines at the start are enough to look closer.
pub const LINES: usize = 3;

/// Looks at the first lines that are not blank; `None` where more of them are needed.
///
/// # Errors
/// `not_ndjson` where they are an array, or objects over many lines.
pub fn judge(lines: &[&[u8]], is_all: bool) -> Option<Result<(), Unusable>> {
    let first = *lines.first()?;
    if is_open_list(first) {
        return Some(Err(array()));
    }
    if lines.iter().any(|line| is_object(line)) {
        return Some(Ok(()));
    }
    if lines.len() < LINES && !is_all {
        return None;
    }
    Some(bad(lines))
}

fn bad(lines: &[&[u8]]) -> Result<(), Unusable> {
    let has_comma = |line: &&[u8]| line.strip_suffix(b",").is_some_and(is_object);
    if lines.len() >= LINES && lines.iter().all(has_comma) {
        let message = "each line ends in a comma, as in an array without its brackets: say commas=true to have them forgiven";
        return Err(Unusable::of("not_ndjson", message));
    }
    if begins_list_of_objects(lines[0]) {
        return Err(array());
    }
    if is_open(lines[0])
        && matches!(
            lines.get(1).and_then(|line| line.first()),
            Some(b'"' | b'}')
        )
    {
        let message = "this is pretty-printed JSON, with objects over many lines: use format=json";
        return Err(Unusable::of("not_ndjson", message));
    }
    Ok(())
}

fn array() -> Unusable {
    let message = "this is a JSON array and not one object a line: use format=json";
    Unusable::of("not_ndjson", message)
}

/// A list of objects that does not end on its line.
fn is_open_list(line: &[u8]) -> bool {
    begins_list_of_objects(line) && end_of_value(line).is_none()
}

fn begins_list_of_objects(line: &[u8]) -> bool {
    let inner = line.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    inner.is_some_and(|inner| matches!(inner.first(), None | Some(b'{')))
}

fn is_open(line: &[u8]) -> bool {
    let mut scan = Scan::default();
    let is_closed = line.iter().any(|byte| scan.step(*byte));
    line.starts_with(b"{") && !is_closed && !scan.in_text
}

/// The first value of the line is a whole object.
fn is_object(line: &[u8]) -> bool {
    let Some(end) = end_of_value(line).filter(|_| line.starts_with(b"{")) else {
        return false;
    };
    let rest = line[end..].trim_ascii_start();
    let object = clean(Bytes::copy_from_slice(&line[..end]));
    matches!(rest.first(), None | Some(b'{'))
        && serde_json::from_slice::<IgnoredAny>(&object).is_ok()
}
