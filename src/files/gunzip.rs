//! gzip as it comes (RFC 1952): members one after the other, with zeros behind the last one, as tapes have them.

use super::unusable::Unusable;
use flate2::{Crc, Decompress, FlushDecompress, Status};

/// What every member begins with: its mark, and the one method there is.
const MARK: [u8; 3] = [0x1f, 0x8b, 8];
/// Extra fields and names before a member; nobody needs more.
const MOST_HEADER: usize = 128 << 10;

const HAS_CHECK: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;

/// Reads members.
pub struct Gunzip {
    part: Part,
    /// The bytes of a header or a trailer that have come.
    open: Vec<u8>,
    decoder: Decompress,
    check: Crc,
    members: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Header,
    Body,
    Trailer,
    /// Zeros up to the end.
    Padding,
}

impl Default for Gunzip {
    fn default() -> Self {
        Self {
            part: Part::Header,
            open: Vec::new(),
            decoder: Decompress::new(false),
            check: Crc::new(),
            members: 0,
        }
    }
}

impl Gunzip {
    /// True where a member has begun and has not ended, or none has begun.
    pub fn is_open(&self) -> bool {
        match self.part {
            Part::Header => !self.open.is_empty() || self.members == 0,
            Part::Body | Part::Trailer => true,
            Part::Padding => false,
        }
    }

    /// Takes some bytes and writes at most `most`; tells how many it took.
    ///
    /// # Errors
    /// `compression`.
    pub fn step(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        most: usize,
    ) -> Result<usize, Unusable> {
        match self.part {
            Part::Header => self.header(bytes),
            Part::Body => self.body(bytes, out, most),
            Part::Trailer => self.trailer(bytes),
            Part::Padding if bytes.iter().all(|byte| *byte == 0) => Ok(bytes.len()),
            Part::Padding => Err(broken("something follows the compressed file")),
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Result<usize, Unusable> {
        if self.members > 0 && self.open.is_empty() && bytes.first() == Some(&0) {
            self.part = Part::Padding;
            return Ok(0);
        }
        let before = self.open.len();
        self.open
            .extend_from_slice(&bytes[..bytes.len().min(MOST_HEADER)]);
        let shared = self.open.len().min(MARK.len());
        if self.open[..shared] != MARK[..shared] {
            return Err(broken("what follows a compressed part is none"));
        }
        let Some(length) = header_length(&self.open) else {
            let is_endless = self.open.len() > MOST_HEADER;
            return if is_endless {
                Err(broken("the header has no end"))
            } else {
                Ok(self.open.len() - before)
            };
        };
        self.open.clear();
        self.part = Part::Body;
        self.decoder.reset(false);
        self.check.reset();
        Ok(length - before)
    }

    fn body(&mut self, bytes: &[u8], out: &mut Vec<u8>, most: usize) -> Result<usize, Unusable> {
        let (read, start) = (self.decoder.total_in(), out.len());
        out.resize(start + most, 0);
        let written = self.decoder.total_out();
        let status = self
            .decoder
            .decompress(bytes, &mut out[start..], FlushDecompress::None);
        out.truncate(start + (self.decoder.total_out() - written) as usize);
        self.check.update(&out[start..]);
        match status {
            Ok(Status::StreamEnd) => self.part = Part::Trailer,
            Ok(_) => {}
            Err(_) => return Err(broken("the data is broken")),
        }
        Ok((self.decoder.total_in() - read) as usize)
    }

    fn trailer(&mut self, bytes: &[u8]) -> Result<usize, Unusable> {
        let count = (8 - self.open.len()).min(bytes.len());
        self.open.extend_from_slice(&bytes[..count]);
        if let [a, b, c, d, ..] = self.open[..]
            && self.open.len() == 8
        {
            if u32::from_le_bytes([a, b, c, d]) != self.check.sum() {
                return Err(broken("its check sum does not fit"));
            }
            self.open.clear();
            self.members += 1;
            self.part = Part::Header;
        }
        Ok(count)
    }
}

/// The bytes of a header; `None` where more are to come.
fn header_length(header: &[u8]) -> Option<usize> {
    let flags = *header.get(3)?;
    let mut at = 10;
    if flags & HAS_EXTRA != 0 {
        at += 2 + usize::from(u16::from_le_bytes([*header.get(at)?, *header.get(at + 1)?]));
    }
    for flag in [HAS_NAME, HAS_COMMENT] {
        if flags & flag != 0 {
            at += memchr::memchr(0, header.get(at..)?)? + 1;
        }
    }
    at += if flags & HAS_CHECK != 0 { 2 } else { 0 };
    (header.len() >= at).then_some(at)
}

fn broken(what: &str) -> Unusable {
    Unusable::of(
        "compression",
        format!("the gzip file can't be read on: {what}"),
    )
}
