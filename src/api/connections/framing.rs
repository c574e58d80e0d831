//! Where requests begin and end in the bytes of a connection (RFC 9112, sections 2.2, 6 and 7.1), told without keeping them.
//!
//! Told as actix's parser tells it, so that of a second request not a byte gets there before the first is answered. What that parser
//! refuses is the end: nobody's request follows.

use std::mem;

/// Enough of a line for the names and values that say how long a body is.
const KEPT_OF_A_LINE: usize = 64;

/// How far the bytes of a connection have come.
#[derive(Debug)]
pub struct Framing {
    part: Part,
    line: Line,
    head_bytes: usize,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// To the next request, which empty lines may precede.
    Between,
    Head(Length),
    /// To a body, of which so many bytes are left.
    Body(u64),
    ChunkSize,
    /// To a chunk and the end of its last line, of which so many bytes are left.
    Chunk(u64),
    Trailers,
    /// To nothing that can be told.
    Broken,
}

/// How long a body is, by what was seen of its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Nothing,
    Bytes(u64),
    Chunked,
}

/// A line up to its end, or as much of it as matters.
#[derive(Debug)]
struct Line {
    kept: [u8; KEPT_OF_A_LINE],
    length: usize,
}

/// What some bytes held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// So many of them belong to what had begun; those that are left, to a next request.
    pub bytes: usize,
    /// A head ended in them.
    pub ends_head: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            part: Part::Between,
            line: Line::default(),
            head_bytes: 0,
        }
    }
}

impl Framing {
    /// Goes through bytes as far as a request ends in them.
    pub fn pass(&mut self, bytes: &[u8]) -> Passed {
        let mut passed = Passed {
            bytes: 0,
            ends_head: false,
        };
        while passed.bytes < bytes.len() {
            let before = self.part;
            passed.bytes += self.step(&bytes[passed.bytes..]);
            passed.ends_head |= matches!(before, Part::Head(_)) && !self.is_head_or_broken();
            if self.part == Part::Between && before != Part::Between {
                break;
            }
        }
        passed
    }

    /// Every request that began has ended.
    pub fn is_between(&self) -> bool {
        self.part == Part::Between && self.head_bytes == 0
    }

    /// So much was seen of a head that has not ended.
    pub fn head_bytes(&self) -> usize {
        self.head_bytes
    }

    /// What follows is no request.
    pub fn is_broken(&self) -> bool {
        self.part == Part::Broken
    }

    fn is_head_or_broken(&self) -> bool {
        matches!(self.part, Part::Head(_) | Part::Broken)
    }

    /// Takes at least one of the bytes.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match self.part {
            Part::Body(left) => self.skip(bytes, left, Part::Body, Part::Between),
            Part::Chunk(left) => self.skip(bytes, left, Part::Chunk, Part::ChunkSize),
            Part::Broken => bytes.len(),
            Part::Between | Part::Head(_) | Part::ChunkSize | Part::Trailers => self.read(bytes),
        }
    }

    fn skip(&mut self, bytes: &[u8], left: u64, same: fn(u64) -> Part, next: Part) -> usize {
        let some = left.min(bytes.len() as u64);
        self.part = if some < left { same(left - some) } else { next };
        some as usize
    }

    /// Reads a line, or the part of one that is there.
    fn read(&mut self, bytes: &[u8]) -> usize {
        let end = memchr::memchr(b'\n', bytes);
        let read = end.map_or(bytes.len(), |end| end + 1);
        self.line.extend(&bytes[..end.unwrap_or(read)]);
        let before = self.part;
        if end.is_some() {
            self.part = mem::take(&mut self.line).ends(before);
        }
        let is_blank_between = (before, self.part) == (Part::Between, Part::Between);
        self.head_bytes = match self.part {
            Part::Head(_) => self.head_bytes + read,
            Part::Between if is_blank_between => self.head_bytes + read,
            _ => 0,
        };
        read
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            kept: [0; KEPT_OF_A_LINE],
            length: 0,
        }
    }
}

impl Line {
    fn extend(&mut self, bytes: &[u8]) {
        let free = &mut self.kept[self.length.min(KEPT_OF_A_LINE)..];
        let some = bytes.len().min(free.len());
        free[..some].copy_from_slice(&bytes[..some]);
        self.length += bytes.len();
    }

    /// What there is of it, without the white space around.
    fn text(&self) -> &[u8] {
        self.kept[..self.length.min(KEPT_OF_A_LINE)].trim_ascii()
    }

    fn is_empty(&self) -> bool {
        self.length == 0 || self.length == 1 && self.kept[0] == b'\r'
    }

    /// What follows this line, where `part` had it.
    fn ends(&self, part: Part) -> Part {
        match part {
            Part::Between if self.is_empty() => Part::Between,
            Part::Between => Part::Head(Length::Nothing),
            Part::Head(length) if self.is_empty() => length.begins(),
            Part::Head(length) => self.header(length).map_or(Part::Broken, Part::Head),
            Part::ChunkSize => self.chunk_size().map_or(Part::Broken, begins_chunk),
            Part::Trailers if self.is_empty() => Part::Between,
            part => part,
        }
    }

    /// The length of the body after one more header; `None` where that can't be.
    fn header(&self, length: Length) -> Option<Length> {
        let text = self.text();
        let colon = memchr::memchr(b':', text);
        let Some((name, value)) = colon.map(|colon| (&text[..colon], &text[colon + 1..])) else {
            return Some(length);
        };
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let bytes = str::from_utf8(value).ok()?.parse().ok()?;
            (length == Length::Nothing).then_some(Length::Bytes(bytes))
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_known = value.eq_ignore_ascii_case(b"chunked") && length == Length::Nothing;
            is_known.then_some(Length::Chunked)
        } else {
            Some(length)
        }
    }

    /// The bytes of a chunk; extensions behind them say nothing.
    fn chunk_size(&self) -> Option<u64> {
        let text = self.text();
        let digits = text.iter().position(|byte| !byte.is_ascii_hexdigit());
        let digits = str::from_utf8(&text[..digits.unwrap_or(text.len())]).ok()?;
        u64::from_str_radix(digits, 16).ok()
    }
}

impl Length {
    fn begins(self) -> Part {
        match self {
            Self::Nothing | Self::Bytes(0) => Part::Between,
            Self::Bytes(bytes) => Part::Body(bytes),
            Self::Chunked => Part::ChunkSize,
        }
    }
}

fn begins_chunk(bytes: u64) -> Part {
    match bytes {
        0 => Part::Trailers,
        bytes => bytes
            .checked_add("\r\n".len() as u64)
            .map_or(Part::Broken, Part::Chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = String> {
        let before = prop_oneof![8 => Just(""), 1 => Just("\r\n"), 1 => Just("\n\n")];
        let headers = prop::collection::vec("[a-z]{1,9}: ?[ -~]{0,90}", 0..4);
        let chunks = prop::collection::vec("[a-z\r\n]{1,40}", 0..4);
        let body = prop_oneof![
            Just(String::new()),
            "[ -~\r\n]{0,200}"
                .prop_map(|body| format!("Content-Length:  {} \r\n\r\n{body}", body.len())),
            (chunks, "(x: y\r\n)?").prop_map(|(chunks, trailers)| chunked(&chunks, &trailers)),
        ];
        (before, headers, body).prop_map(|(before, headers, body)| {
            let mut text = format!("{before}POST /v1/batch HTTP/1.1\r\n");
            headers
                .iter()
                .for_each(|line| text += &format!("x-{line}\r\n"));
            text + if body.is_empty() { "\r\n" } else { &body }
        })
    }

    fn chunked(chunks: &[String], trailers: &str) -> String {
        let mut text = "transfer-Encoding: Chunked\r\n\r\n".to_owned();
        for chunk in chunks {
            text += &format!("{:X};a=b\r\n{chunk}\r\n", chunk.len());
        }
        text + "0\r\n" + trailers + "\r\n"
    }

    proptest! {
        #[test]
        fn requests_end_where_they_do_however_they_are_cut(
            requests in prop::collection::vec(request(), 1..6),
            cuts in prop::collection::vec(1..97_usize, 1..9),
        ) {
            let bytes = requests.concat().into_bytes();
            let (mut framing, mut left, mut ends, mut heads) = (Framing::default(), &bytes[..], Vec::new(), 0);
            for size in cuts.iter().cycle() {
                if left.is_empty() {
                    break;
                }
                let passed = framing.pass(&left[..left.len().min(*size)]);
                left = &left[passed.bytes..];
                heads += usize::from(passed.ends_head);
                if framing.is_between() {
                    ends.push(bytes.len() - left.len());
                }
            }
            let mut sum = 0;
            let expected: Vec<usize> = requests.iter().map(|text| { sum += text.len(); sum }).collect();
            prop_assert_eq!(ends, expected);
            prop_assert_eq!(heads, requests.len());
        }
    }

    #[test]
    fn what_no_parser_takes_is_the_end() {
        for head in [
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: +5x",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip",
        ] {
            let mut framing = Framing::default();
            let text = format!("POST / HTTP/1.1\r\n{head}\r\n\r\nGET / HTTP/1.1\r\n\r\n");
            let passed = framing.pass(text.as_bytes());
            assert!(framing.is_broken() && !passed.ends_head, "{head}");
        }
    }

    #[test]
    fn an_unfinished_head_is_measured() {
        let mut framing = Framing::default();
        framing.pass(b"\r\nGET / HTTP/1.1\r\nx-long: ");
        framing.pass(&[b'x'; 1_000]);
        assert_eq!(framing.head_bytes(), 26 + 1_000);
        framing.pass(b"\r\n\r\n");
        assert!(framing.is_between());
    }
}
