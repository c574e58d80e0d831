//! Objects, one or several a line. Only a line feed ends a line, with or without a carriage return before it.

use super::held::{Held, Long, Out, refused, text};
use super::record::Place;
use super::scan::{end_of_value, may_have_several};
use super::start;
use super::unusable::Unusable;
use crate::domain::{Code, Rejection};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

const MARK: &[u8] = b"\xef\xbb\xbf";
/// Values of one line: they come out together.
const MOST_VALUES: usize = 1_000;
/// Bytes of the first lines that are held back until they have told what the file is.
const MOST_AT_START: usize = 64 << 10;

/// Cuts a file into its lines.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lines {
    /// The first lines were looked at.
    has_begun: bool,
    commas: bool,
    /// A line over the limit, of which more is to come.
    long: Option<Long>,
}

impl Lines {
    pub fn new(commas: bool) -> Self {
        Self {
            commas,
            ..Self::default()
        }
    }

    /// Lines of which it is known that they are some.
    pub fn begun(commas: bool) -> Self {
        let has_begun = true;
        Self {
            has_begun,
            ..Self::new(commas)
        }
    }

    /// Takes the lines that are whole.
    pub fn advance(
        &mut self,
        held: &mut Held,
        is_end: bool,
        out: &mut Out<'_>,
    ) -> Result<(), Unusable> {
        if !self.has_begun && !self.begins(held, is_end || out.is_left)? {
            return Ok(());
        }
        self.has_begun = true;
        let end = memchr::memrchr(b'\n', &held.bytes[held.scanned..]);
        let end = end.map_or(0, |at| held.scanned + at + 1);
        let whole = held.take(if is_end { held.bytes.len() } else { end });
        let taken = self.whole(&whole, out);
        if out.leaves_some {
            held.put_back(&whole[taken..]);
            return Ok(());
        }
        held.scanned = held.bytes.len();
        // A carriage return at the limit may belong to the line's end.
        if held.bytes.len() > out.most + 1 || self.long.is_some() {
            let more = held.take(held.bytes.len());
            self.long.get_or_insert_default().take(&more);
        }
        if is_end && let Some(long) = self.long.take() {
            Self::end_long(long, out);
        }
        Ok(())
    }

    /// Takes lines, as many as are enough; how many of the bytes these are.
    fn whole(&mut self, whole: &Bytes, out: &mut Out<'_>) -> usize {
        let mut at = 0;
        while at < whole.len() && !out.is_full() {
            let end = memchr::memchr(b'\n', &whole[at..]);
            let line = whole.slice(at..end.map_or(whole.len(), |end| at + end));
            at += line.len() + 1;
            match (self.long.take(), end) {
                (Some(mut long), end) => {
                    long.take(&line);
                    match end {
                        Some(_) => Self::end_long(long, out),
                        None => self.long = Some(long),
                    }
                }
                (None, _) => self.line(&line, out),
            }
        }
        at.min(whole.len())
    }

    fn end_long(long: Long, out: &mut Out<'_>) {
        out.seen.lines += 1;
        let (beginning, bytes) = long.into_line();
        out.refuse_long(Place::of(out.seen.lines), beginning, bytes);
    }

    fn line(&self, line: &Bytes, out: &mut Out<'_>) {
        out.seen.lines += 1;
        let place = Place::of(out.seen.lines);
        let line = line.slice_ref(line.strip_suffix(b"\r").unwrap_or(line));
        if line.len() > out.most {
            return out.refuse_long(place, line.clone(), line.len() as u64);
        }
        let bare = bare(&line, self.commas);
        if bare.is_empty() {
            out.seen.blank += 1;
        } else if let Err(rejection) = text(&bare) {
            out.refuse(place, line, rejection);
        } else if may_have_several(&bare) {
            several(place, &bare, out);
        } else {
            out.push(place, line, object(&bare), Vec::new());
        }
    }

    /// False as long as the first lines have not told what the file is.
    fn begins(&self, held: &Held, is_end: bool) -> Result<bool, Unusable> {
        let is_all = is_end || held.bytes.len() >= MOST_AT_START;
        let window = &held.bytes[..held.bytes.len().min(MOST_AT_START)];
        let lines = window.split_inclusive(|byte| *byte == b'\n');
        let whole = lines.filter(|line| is_all || line.ends_with(b"\n"));
        let bare = whole.map(|line| bare_bytes(line, self.commas));
        let first: Vec<&[u8]> = bare
            .filter(|line| !line.is_empty())
            .take(start::LINES)
            .collect();
        match start::judge(&first, is_all) {
            Some(judged) => judged.map(|()| true),
            None => Ok(is_all),
        }
    }
}

/// A line without blanks around it, a byte order mark before it, and the comma that is forgiven.
fn bare_bytes(line: &[u8], commas: bool) -> &[u8] {
    let line = line.trim_ascii();
    let line = line.strip_prefix(MARK).unwrap_or(line).trim_ascii_start();
    let without = line.strip_suffix(b",").filter(|_| commas);
    without.unwrap_or(line).trim_ascii_end()
}

fn bare(line: &Bytes, commas: bool) -> Bytes {
    line.slice_ref(bare_bytes(line, commas))
}

fn several(place: Place, line: &Bytes, out: &mut Out<'_>) {
    let mut parts = Vec::new();
    let mut rest = line.clone();
    while !rest.is_empty() && parts.len() <= MOST_VALUES {
        let end = end_of_value(&rest).unwrap_or(rest.len());
        parts.push(rest.split_to(end));
        rest = rest.slice_ref(rest.trim_ascii_start());
    }
    if parts.len() > MOST_VALUES {
        let message =
            format!("the line has more than {MOST_VALUES} values: give each a line of its own");
        let rejection = refused(Code::RecordTooLarge, message);
        return out.refuse_cut(place, line, line.len() as u64, rejection);
    }
    let is_one = parts.len() == 1;
    for (part, number) in parts.into_iter().zip(1..) {
        let part_number = (!is_one).then_some(number);
        let place = Place {
            part: part_number,
            ..place
        };
        out.push(place, part.clone(), object(&part), Vec::new());
    }
}

/// What begins as an object; whether it is one, the reader of its content will tell.
pub fn object(text: &Bytes) -> Result<Bytes, Rejection> {
    match text.first() {
        Some(b'{') => Ok(text.clone()),
        Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') if is_json(text) => {
            let message = "it is JSON, but no object";
            Err(refused(Code::NotAnObject, message))
        }
        _ => Err(refused(
            Code::NotJson,
            "it is no JSON object: it does not begin with a brace",
        )),
    }
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
