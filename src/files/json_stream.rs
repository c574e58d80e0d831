//! Objects of any shape: in a list, or one after the other, over as many lines as they like.

use super::held::{Held, Long, Out, refused, text};
use super::lines::object;
use super::record::Place;
use super::scan::Scan;
use super::unusable::Unusable;
use crate::domain::Code;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Cuts a file into its values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stream {
    scan: Scan,
    /// Line ends that were seen.
    ends: u64,
    /// Something stands on the line that has no end yet.
    has_more: bool,
    /// Blanks at the beginning of the line, as long as nothing else stands on it.
    indent: Option<u64>,
    open: Option<Open>,
    /// Where the last value began.
    last: Option<Place>,
    /// A value over the limit, of which more is to come.
    long: Option<Long>,
    /// Lists that are open around the values.
    #[serde(default)]
    lists: u64,
}

/// The value that is open.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Open {
    place: Place,
    form: Form,
    /// The blanks before it, where it is the first on its line.
    indent: Option<u64>,
    /// A line ended within one of its texts, as no JSON has it: its quotes tell nothing any more.
    is_broken: bool,
    bytes: usize,
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

impl Default for Stream {
    fn default() -> Self {
        Self {
            scan: Scan::default(),
            ends: 0,
            has_more: false,
            indent: Some(0),
            open: None,
            last: None,
            long: None,
            lists: 0,
        }
    }
}

impl Stream {
    /// Takes the values that are whole.
    pub fn advance(&mut self, held: &mut Held, is_end: bool, out: &mut Out<'_>) {
        let (mut cuts, mut start) = (Vec::new(), 0);
        let mut looked = held.scanned;
        while looked < held.bytes.len() && out.records.len() + cuts.len() < out.enough {
            let at = looked;
            looked += 1;
            let byte = held.bytes[at];
            let mut step = self.step(byte, out.most);
            if let Step::Ends(with) = step {
                cuts.extend(self.open.take().map(|open| (open, start..at + with)));
                start = at + with;
                step = if with == 0 {
                    self.step(byte, out.most)
                } else {
                    Step::Nothing
                };
            }
            if let Step::Begins = step {
                start = at;
            }
            self.note_line(byte);
        }
        out.leaves_some = looked < held.bytes.len();
        let consumed = if self.open.is_some() { start } else { looked };
        let whole = held.take(consumed);
        for (open, range) in cuts {
            self.take(open, whole.slice(range), out);
        }
        held.scanned = looked - consumed;
        out.seen.lines = self.ends + u64::from(self.has_more);
        if out.leaves_some {
            return;
        }
        if self.open.is_some() && (held.bytes.len() > out.most || self.long.is_some()) {
            let more = held.take(held.bytes.len());
            self.long.get_or_insert_default().take(&more);
        }
        if is_end {
            self.end(held, out);
        }
    }

    /// The file ends here.
    ///
    /// # Errors
    /// `truncated` where a list has no end: between two of its values nothing else tells that the rest is missing.
    pub fn closed(&self) -> Result<(), Unusable> {
        if self.lists == 0 {
            return Ok(());
        }
        let message = "the list has no end: the file was cut off, or one of its values is not closed; what came before is stored";
        Err(Unusable::of("truncated", message))
    }

    fn step(&mut self, byte: u8, most: usize) -> Step {
        let Some(open) = self.open else {
            return self.between(byte);
        };
        match open.form {
            Form::Word => {
                let ends = byte.is_ascii_whitespace()
                    || matches!(byte, b',' | b'[' | b']' | b'{' | b'}' | b'"');
                if ends { Step::Ends(0) } else { Step::Nothing }
            }
            Form::Text if byte == b'\n' => Step::Ends(0),
            Form::Text => {
                self.scan.step(byte);
                if self.scan.in_text {
                    Step::Nothing
                } else {
                    Step::Ends(1)
                }
            }
            Form::Object if byte == b'{' && self.begins_anew(open, most) => Step::Ends(0),
            Form::Object => self.within(byte),
        }
    }

    fn within(&mut self, byte: u8) -> Step {
        let breaks = byte == b'\n' && self.scan.in_text;
        let closes = self.scan.step(byte);
        let Some(open) = &mut self.open else {
            return Step::Nothing;
        };
        open.is_broken |= breaks;
        open.bytes += 1;
        if closes && !open.is_broken {
            Step::Ends(1)
        } else {
            Step::Nothing
        }
    }

    /// True of the first brace on a line that stands as that of the open object does, where that one does not end by itself.
    fn begins_anew(&self, open: Open, most: usize) -> bool {
        let is_lost = open.is_broken || open.bytes > most;
        let is_alike =
            self.indent.is_some() && (open.indent.is_none() || open.indent == self.indent);
        is_lost && is_alike
    }

    fn between(&mut self, byte: u8) -> Step {
        match byte {
            b'[' => self.lists += 1,
            b']' => self.lists = self.lists.saturating_sub(1),
            _ => {}
        }
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
        let (indent, is_broken) = (self.indent, false);
        self.open = Some(Open {
            place,
            form,
            indent,
            is_broken,
            bytes: 1,
        });
        self.last = Some(place);
        self.scan = Scan::default();
        self.scan.step(byte);
        Step::Begins
    }

    fn take(&mut self, open: Open, value: Bytes, out: &mut Out<'_>) {
        let place = open.place;
        if let Some(mut long) = self.long.take() {
            long.take(&value);
            out.refuse_long(place, long.beginning.into(), long.bytes);
        } else if value.len() > out.most {
            out.refuse_long(place, value.clone(), value.len() as u64);
        } else if open.is_broken {
            let message = "a text in it is not closed";
            let rejection = refused(Code::NotJson, message);
            out.refuse_cut(place, &value, value.len() as u64, rejection);
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
            return self.take(open, value, out);
        }
        let message = "the file ends within this value";
        let rejection = refused(Code::NotJson, message);
        out.refuse_cut(open.place, &value, value.len() as u64, rejection);
    }

    fn note_line(&mut self, byte: u8) {
        self.ends += u64::from(byte == b'\n');
        self.has_more = byte != b'\n';
        self.indent = match byte {
            b'\n' => Some(0),
            b' ' | b'\t' => self.indent.map(|blanks| blanks + 1),
            _ => None,
        };
    }
}

#[cfg(test)]
#[path = "json_stream_tests.rs"]
mod tests;
