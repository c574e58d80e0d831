//! Lines that belong to a record over the limit: they are lost, up to one that is a record by itself, and held no longer than a line.

use super::grid::{Grid, line, unbalanced};
use super::held::{Long, Out, refused};
use super::record::Place;
use crate::domain::Code;
use serde::{Deserialize, Serialize};

/// What is lost so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lost {
    long: Long,
    /// Lines that ended.
    lines: u64,
    /// What comes next begins a line.
    at_line: bool,
    /// A quote opened it, and lines ended in it: it is not one line that is too long.
    is_quoted: bool,
}

impl Lost {
    /// Begins with bytes; `is_quoted` where they end with a line.
    pub fn of(bytes: &[u8], is_quoted: bool) -> Self {
        let mut long = Long::default();
        long.take(bytes);
        let lines = u64::from(is_quoted);
        Self {
            long,
            lines,
            at_line: is_quoted,
            is_quoted,
        }
    }

    /// Takes more of it; true once it has ended.
    pub(super) fn take(&mut self, rows: &Grid<'_>, at: &mut usize, out: &mut Out<'_>) -> bool {
        while *at < rows.piece.whole.len() {
            let rest = &rows.piece.whole[*at..];
            let window = &rest[..rest.len().min(out.most + 2)];
            let is_all = rows.piece.is_end && window.len() == rest.len();
            let end = line(window, rows.dialect, is_all);
            let Some(end) = end else {
                if self.at_line && rest.len() <= out.most + 1 {
                    return false;
                }
                // Half a line end stays: it is one only with what follows.
                let known = window.len() - usize::from(window.ends_with(b"\r"));
                let known = if known == 0 { return false } else { known };
                self.note(&window[..known], false);
                *at += known;
                continue;
            };
            if self.at_line && self.is_quoted && rows.is_good(&window[..end]) {
                break;
            }
            self.note(&window[..end], true);
            *at += end;
            if !self.is_quoted {
                break;
            }
        }
        let is_over =
            *at < rows.piece.whole.len() || rows.piece.is_end || (!self.is_quoted && self.at_line);
        if is_over {
            self.end(out);
        }
        is_over
    }

    fn note(&mut self, bytes: &[u8], ends: bool) {
        self.long.take(bytes);
        self.lines += u64::from(ends);
        self.at_line = ends;
    }

    fn end(&self, out: &mut Out<'_>) {
        let place = Place::of(out.seen.lines + 1);
        out.seen.lines += self.lines + u64::from(!self.at_line);
        let (beginning, length) = (self.long.beginning.clone().into(), self.long.bytes);
        if self.is_quoted {
            return out.refuse_cut(place, &beginning, length, unbalanced());
        }
        let message = format!(
            "the record has {length} bytes with its line end, over the limit of {}",
            out.most
        );
        let rejection = refused(Code::RecordTooLarge, message);
        out.refuse_cut(place, &beginning, length, rejection);
    }
}
