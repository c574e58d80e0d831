//! Objects of any shape: in a list, or one after the other, over as many lines as they like.

use super::held::{Held, Long, Out, cut, refused, text};
use super::lines::object;
use super::record::Place;
use super::scan::Scan;
use crate::domain::Code;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Cuts a file into its values.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stream {
    scan: Scan,
    /// Line ends that were seen.
    ends: u64,
    /// Something stands on the line that has no end yet.
    has_more: bool,
    open: Option<Open>,
    /// Where the last value began.
    last: Option<Place>,
    /// A value over the limit, of which more is to come.
    long: Option<Long>,
}

/// The value that is open.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Open {
    place: Place,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Form {
    Object,
    Text,
    /// A number or a word, which ends before the next sign.
    Word,
}

/// What a byte does.
enum Step {
    Nothing,
    Begins,
    /// With this byte, or before it.
    Ends(usize),
}

impl Stream {
    /// Takes the values that are whole.
    pub fn advance(&mut self, held: &mut Held, is_end: bool, out: &mut Out<'_>) {
        let (mut cuts, mut start) = (Vec::new(), 0);
        for at in held.scanned..held.bytes.len() {
            let byte = held.bytes[at];
            let mut step = self.step(byte);
            if let Step::Ends(with) = step {
                let place = self.open.take().map(|open| open.place);
                cuts.extend(place.map(|place| (place, start..at + with)));
                start = at + with;
                step = if with == 0 {
                    self.step(byte)
                } else {
                    Step::Nothing
                };
            }
            if let Step::Begins = step {
                start = at;
            }
            self.note_line(byte);
        }
        let consumed = if self.open.is_some() {
            start
        } else {
            held.bytes.len()
        };
        let whole = held.take(consumed);
        for (place, range) in cuts {
            self.take(place, whole.slice(range), out);
        }
        held.scanned = held.bytes.len();
        if self.open.is_some() && (held.bytes.len() > out.most || self.long.is_some()) {
            let more = held.take(held.bytes.len());
            self.long.get_or_insert_default().take(&more);
        }
        if is_end {
            self.end(held, out);
        }
        out.seen.lines = self.ends + u64::from(self.has_more);
    }

    fn step(&mut self, byte: u8) -> Step {
        let Some(open) = self.open else {
            return self.between(byte);
        };
        if open.form == Form::Word {
            let ends = byte.is_ascii_whitespace()
                || matches!(byte, b',' | b'[' | b']' | b'{' | b'}' | b'"');
            return if ends { Step::Ends(0) } else { Step::Nothing };
        }
        let closes = self.scan.step(byte);
        match open.form {
            Form::Text if !self.scan.in_text => Step::Ends(1),
            Form::Object if closes => Step::Ends(1),
            _ => Step::Nothing,
        }
    }

    fn between(&mut self, byte: u8) -> Step {
        // The parts of a byte order mark are nothing either: files that were joined have it in the middle.
        let is_nothing =
            byte.is_ascii_whitespace() || matches!(byte, b'[' | b']' | b',' | 0xef | 0xbb | 0xbf);
        if is_nothing {
            return Step::Nothing;
        }
        let line = self.ends + 1;
        let part = self.last.filter(|last| last.line == line);
        let part = part.map(|last| last.part.unwrap_or(1) + 1);
        let place = Place { line, part };
        let form = match byte {
            b'{' => Form::Object,
            b'"' => Form::Text,
            _ => Form::Word,
        };
        (self.open, self.last) = (Some(Open { place, form }), Some(place));
        self.scan = Scan::default();
        self.scan.step(byte);
        Step::Begins
    }

    fn take(&mut self, place: Place, value: Bytes, out: &mut Out<'_>) {
        if let Some(mut long) = self.long.take() {
            long.take(&value);
            out.refuse_long(place, long.beginning.into(), long.bytes);
        } else if value.len() > out.most {
            out.refuse_long(place, value.clone(), value.len() as u64);
        } else {
            let read = text(&value).map(|_| ()).and_then(|()| object(&value));
            out.push(place, value, read, Vec::new());
        }
    }

    fn end(&mut self, held: &mut Held, out: &mut Out<'_>) {
        let Some(open) = self.open.take() else {
            return;
        };
        let value = held.take(held.bytes.len());
        if open.form == Form::Word || self.long.is_some() {
            return self.take(open.place, value, out);
        }
        let message = "the file ends within this value";
        out.refuse(open.place, cut(&value), refused(Code::NotJson, message));
    }

    fn note_line(&mut self, byte: u8) {
        self.ends += u64::from(byte == b'\n');
        self.has_more = byte != b'\n';
    }
}

#[cfg(test)]
#[path = "json_stream_tests.rs"]
mod tests;
