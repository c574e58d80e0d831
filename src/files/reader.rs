//! The reader of a file: decodes, cuts into records, and can be gone on with by another.

use super::decoder::Decoder;
use super::framer::Framer;
use super::held::{Held, Out};
use super::kept;
use super::layout::{Layout, MOST_COLUMNS, NAMES_BYTES};
use super::record::{FileRecord, Seen};
use super::unusable::Unusable;
use super::wrapped::{self, Wrapped};
use serde::{Deserialize, Serialize};

/// How much one record may hold.
#[derive(Clone, Copy, Debug)]
pub struct FileLimits {
    /// Bytes of a record, decoded. So much of a file is held at most, and kept with its job.
    pub record_bytes: usize,
    /// Columns of a table.
    pub columns: usize,
    /// Bytes from the beginning of a table that tell what stands between its cells; a header has to end within them.
    pub first_bytes: usize,
    /// Records that come out in one turn.
    pub records: usize,
}

impl Default for FileLimits {
    /// A record of 1 MiB is far more than a person; tables of spreadsheets have up to some hundred columns. What is made of a record takes
    /// a kilobyte, however few bytes it has.
    fn default() -> Self {
        Self {
            record_bytes: 1 << 20,
            columns: MOST_COLUMNS,
            first_bytes: NAMES_BYTES,
            records: 1_000,
        }
    }
}

/// Reads one file. Where its bytes are cut never matters.
#[derive(Clone, Debug)]
pub struct FileReader {
    layout: Layout,
    limits: FileLimits,
    state: State,
    held: Held,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    decoder: Decoder,
    body: Body,
    scanned: usize,
    seen: Seen,
}

/// Bytes of objects with which a turn ends, however few they are.
const ROOM: usize = 1 << 20;

/// What follows some bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    More,
    /// Nothing, and yet it is not the end of the file.
    Nothing,
    End,
}

/// What reads the text.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Body {
    /// The first bytes have not come.
    Untold,
    Own(Framer),
    /// The file is one of rejections.
    Wrapped(Box<Wrapped>),
}

impl FileReader {
    /// A reader at the beginning of a file.
    ///
    /// # Errors
    /// What in the layout can't be.
    pub fn new(layout: &Layout, limits: FileLimits) -> Result<Self, Unusable> {
        layout.check()?;
        let decoder = Decoder::default();
        let seen = Seen {
            lines: layout.before.lines,
            records: layout.before.records,
            ..Seen::default()
        };
        let state = State {
            decoder,
            body: Body::Untold,
            scanned: 0,
            seen,
        };
        let (layout, held) = (layout.clone(), Held::default());
        Ok(Self {
            layout,
            limits,
            state,
            held,
        })
    }

    /// A reader that goes on where another one stopped, by what that one kept.
    ///
    /// # Errors
    /// `state` where another version kept it.
    pub fn resumed(layout: &Layout, limits: FileLimits, kept: &[u8]) -> Result<Self, Unusable> {
        let (state, bytes): (State, _) = kept::read(kept)?;
        let scanned = state.scanned.min(bytes.len());
        let (layout, held) = (layout.clone(), Held { bytes, scanned });
        Ok(Self {
            layout,
            limits,
            state,
            held,
        })
    }

    /// Takes the next bytes; the records that are whole come out. Give it some ten or hundred kilobytes at a time: what comes out is
    /// held at once.
    ///
    /// # Errors
    /// Why the whole file is refused. What came out before stands.
    pub fn feed(&mut self, bytes: &[u8], records: &mut Vec<FileRecord>) -> Result<(), Unusable> {
        let mut leaves_some = self.feed_some(bytes, records)?;
        while leaves_some {
            leaves_some = self.feed_some(&[], records)?;
        }
        Ok(())
    }

    /// The same for one turn: true where whole records stayed, which come out next without more bytes.
    ///
    /// # Errors
    /// As `feed`.
    pub fn feed_some(
        &mut self,
        bytes: &[u8],
        records: &mut Vec<FileRecord>,
    ) -> Result<bool, Unusable> {
        self.take(bytes, Then::More, records)
    }

    /// Nobody sends more of the file: the records that are whole come out, also where more of its first bytes were waited for; the open
    /// last one stays. True where whole ones stayed, as for `feed_some`.
    ///
    /// # Errors
    /// Why the whole file is refused.
    pub fn leave_some(&mut self, records: &mut Vec<FileRecord>) -> Result<bool, Unusable> {
        self.take(&[], Then::Nothing, records)
    }

    /// The file ends here: what is open is a record, or was cut.
    ///
    /// # Errors
    /// Why the whole file is refused; `truncated` where it lacks its end, and all that is there came out.
    pub fn end(&mut self, records: &mut Vec<FileRecord>) -> Result<(), Unusable> {
        while self.end_some(records)? {}
        Ok(())
    }

    /// The same for one turn: true where it has not ended yet.
    ///
    /// # Errors
    /// As `end`.
    pub fn end_some(&mut self, records: &mut Vec<FileRecord>) -> Result<bool, Unusable> {
        if self.take(&[], Then::End, records)? {
            return Ok(true);
        }
        if self.state.seen.records == self.layout.before.records {
            self.state
                .seen
                .warn("empty_file", "there is no record in the file");
        }
        match &self.state.body {
            Body::Own(framer) => framer.closed().map(|()| false),
            Body::Untold | Body::Wrapped(_) => Ok(false),
        }
    }

    /// What a successor needs beside the offset; at most the limit of a record and some hundred kilobytes.
    pub fn kept(&self) -> Vec<u8> {
        let scanned = self.held.scanned;
        let state = State {
            scanned,
            ..self.state.clone()
        };
        kept::write(&state, &self.held.bytes)
    }

    /// What was seen of the file so far.
    pub fn seen(&self) -> &Seen {
        &self.state.seen
    }

    fn take(
        &mut self,
        bytes: &[u8],
        then: Then,
        records: &mut Vec<FileRecord>,
    ) -> Result<bool, Unusable> {
        let (state, is_end) = (&mut self.state, then == Then::End);
        let text = state.decoder.decode(self.layout.encoding, bytes, is_end)?;
        self.held.bytes.extend_from_slice(&text);
        if then == Then::Nothing {
            let text = state.decoder.leave(self.layout.encoding)?;
            self.held.bytes.extend_from_slice(&text);
        }
        state.seen.encoding = state.decoder.encoding();
        let most = self.limits.record_bytes;
        let mut out = Out {
            enough: records.len() + self.limits.records,
            room: ROOM,
            leaves_some: false,
            records,
            seen: &mut state.seen,
            most,
            columns: self.limits.columns,
            window: self.limits.first_bytes,
            is_left: then == Then::Nothing,
        };
        let layout = &self.layout;
        if matches!(state.body, Body::Untold) {
            if self.held.bytes.len() < wrapped::FIRST && then == Then::More {
                return Ok(false);
            }
            state.body = match Wrapped::told(&self.held.bytes, layout) {
                Some(wrapped) => Body::Wrapped(Box::new(wrapped)),
                None => Body::Own(Framer::of(layout)),
            };
        }
        match &mut state.body {
            Body::Untold => {}
            Body::Own(framer) => framer.advance(&mut self.held, is_end, layout, &mut out)?,
            Body::Wrapped(wrapped) => wrapped.advance(&mut self.held, is_end, layout, &mut out)?,
        }
        Ok(out.leaves_some)
    }
}

#[cfg(test)]
#[path = "law_tests.rs"]
mod law_tests;
