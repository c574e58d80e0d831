//! Where requests begin and end in the bytes of a connection (RFC 9112, sections 2.2, 6 and 7.1), told without keeping them.
//!
//! Told as actix's parser tells it, so that of a second request not a byte gets there before the first is answered. What that parser
//! refuses is the end: nobody's request follows.

use std::mem;

/// Enough of a line for the names and values that say how long a body is.
const KEPT_OF_A_LINE: usize = 64;
/// A body may have so many chunks of any size, and more only of so many bytes on average: each is an object of its own until it is read.
const CHUNKS: u64 = 4_096;
const CHUNK_BYTES: u64 = 16;

/// How far the bytes of a connection have come.
#[derive(Debug)]
pub struct Framing {
    part: Part,
    line: Line,
    head_bytes: usize,
    /// Of the body that is being passed.
    chunks: u64,
    chunk_bytes: u64,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// To the next request.
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
    /// That can't be: the parser refuses the head once it is whole.
    Refused,
}

/// A line up to its end, or as much of it as matters.
#[derive(Debug)]
struct Line {
    kept: [u8; KEPT_OF_A_LINE],
    kept_bytes: usize,
    bytes: usize,
    last: u8,
}

/// What some bytes held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// So many of them belong to what had begun; those that are left, to a next request.
    pub bytes: usize,
    /// A head ended in them.
    pub ends_head: bool,
    /// The chunks of a body are too many: the next byte would begin one more.
    pub is_crumbled: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            part: Part::Between,
            line: Line::default(),
            head_bytes: 0,
            chunks: 0,
            chunk_bytes: 0,
        }
    }
}

impl Framing {
    /// Goes through bytes as far as a request ends in them. Empty lines before one are not for here.
    pub fn pass(&mut self, bytes: &[u8]) -> Passed {
        let mut passed = Passed {
            bytes: 0,
            ends_head: false,
            is_crumbled: false,
        };
        while passed.bytes < bytes.len() {
            if self.is_crumbled() {
                self.part = Part::Broken;
                passed.is_crumbled = true;
                break;
            }
            let before = self.part;
            passed.bytes += self.step(&bytes[passed.bytes..]);
            passed.ends_head |= matches!(before, Part::Head(_)) && !self.is_head_or_broken();
            if self.part == Part::Between {
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

    /// A head has ended, its body not.
    pub fn is_in_body(&self) -> bool {
        matches!(
            self.part,
            Part::Body(_) | Part::ChunkSize | Part::Chunk(_) | Part::Trailers
        )
    }

    /// What follows is no request.
    pub fn is_broken(&self) -> bool {
        self.part == Part::Broken
    }

    fn is_head_or_broken(&self) -> bool {
        matches!(self.part, Part::Head(_) | Part::Broken)
    }

    fn is_crumbled(&self) -> bool {
        let is_next = self.part == Part::ChunkSize && self.line.bytes == 0;
        is_next && self.chunks.saturating_sub(CHUNKS) * CHUNK_BYTES > self.chunk_bytes
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
        if end.is_some() && self.is_end_of_line() {
            let line = mem::take(&mut self.line);
            self.part = line.ends(self.part);
            self.count_chunk();
        }
        self.head_bytes = match self.part {
            Part::Between if self.line.bytes == 0 => 0,
            Part::Between | Part::Head(_) => self.head_bytes + read,
            _ => 0,
        };
        read
    }

    /// In trailers a line feed alone ends no line.
    fn is_end_of_line(&self) -> bool {
        self.part != Part::Trailers || self.line.last == b'\r'
    }

    fn count_chunk(&mut self) {
        match self.part {
            Part::Chunk(bytes) => {
                self.chunks += 1;
                self.chunk_bytes = self.chunk_bytes.saturating_add(bytes);
            }
            Part::ChunkSize => (self.chunks, self.chunk_bytes) = (0, 0),
            _ => {}
        }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            kept: [0; KEPT_OF_A_LINE],
            kept_bytes: 0,
            bytes: 0,
            last: 0,
        }
    }
}

impl Line {
    fn extend(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.last = bytes.last().copied().unwrap_or(self.last);
        let mut bytes = bytes.iter();
        while self.kept_bytes < KEPT_OF_A_LINE
            && let Some(byte) = bytes.next()
        {
            self.keep(*byte);
        }
    }

    /// Keeps a byte that says something: no blanks and no zeros before a value.
    fn keep(&mut self, byte: u8) {
        let kept = &self.kept[..self.kept_bytes];
        if kept.ends_with(b":0") && byte.is_ascii_digit() {
            self.kept[self.kept_bytes - 1] = byte;
        } else if !(kept.ends_with(b":") && matches!(byte, b' ' | b'\t')) {
            self.kept[self.kept_bytes] = byte;
            self.kept_bytes += 1;
        }
    }

    /// What is kept of it, without the white space around.
    fn text(&self) -> &[u8] {
        self.kept[..self.kept_bytes].trim_ascii()
    }

    fn is_empty(&self) -> bool {
        self.bytes == 0 || self.bytes == 1 && self.kept[0] == b'\r'
    }

    /// What follows this line, where `part` had it.
    fn ends(&self, part: Part) -> Part {
        match part {
            Part::Between => Part::Head(Length::Nothing),
            Part::Head(length) if self.is_empty() => length.begins(),
            Part::Head(length) => Part::Head(self.header(length).unwrap_or(Length::Refused)),
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
        let is_whole = digits.len() < KEPT_OF_A_LINE;
        u64::from_str_radix(digits, 16).ok().filter(|_| is_whole)
    }
}

impl Length {
    fn begins(self) -> Part {
        match self {
            Self::Nothing | Self::Bytes(0) => Part::Between,
            Self::Bytes(bytes) => Part::Body(bytes),
            Self::Chunked => Part::ChunkSize,
            Self::Refused => Part::Broken,
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
        let headers = prop::collection::vec("[a-z]{1,9}: ?[ -~]{0,90}", 0..4);
        let chunks = prop::collection::vec("[a-z\r\n]{1,40}", 0..4);
        let blanks = prop_oneof![Just(0_usize), 0..3_usize, 40..90_usize];
        let body = prop_oneof![
            Just("\r\n".to_owned()),
            (blanks, "[ -~\r\n]{0,200}").prop_map(|(blanks, body)| sized(blanks, &body)),
            (chunks, "(x: y\n?z\r\n)?").prop_map(|(chunks, trailers)| chunked(&chunks, &trailers)),
        ];
        (headers, body).prop_map(|(headers, body)| {
            let headers: String = headers.iter().map(|line| format!("x-{line}\r\n")).collect();
            format!("POST /v1/batch HTTP/1.1\r\n{headers}{body}")
        })
    }

    fn sized(blanks: usize, body: &str) -> String {
        let (length, blank) = (body.len(), " ");
        format!("Content-Length:{blank:blanks$}{length:0blanks$} \r\n\r\n{body}")
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

    /// Up to the end of their heads: only then the parser says what is wrong.
    #[test]
    fn what_no_parser_takes_is_passed_and_is_the_end() {
        for head in [
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5x",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "0content-length: 100\r\nTransfer-Encoding: x",
        ] {
            let text = format!(
                "POST / HTTP/1.1\r\n{head}\r\nCookie: {}\r\n\r\n",
                "x".repeat(99)
            );
            let mut framing = Framing::default();
            for (place, byte) in text.as_bytes().iter().enumerate() {
                let is_over = place + 1 == text.len();
                let passed = framing.pass(&[*byte]);
                assert_eq!((passed.bytes, passed.ends_head), (1, false), "{head}");
                assert_eq!(framing.is_broken(), is_over, "{head}, {place}");
            }
        }
    }

    #[test]
    fn an_unfinished_head_is_measured() {
        let mut framing = Framing::default();
        framing.pass(b"GET / HTTP/1.1\r\nx-long: ");
        framing.pass(&[b'x'; 1_000]);
        assert_eq!(framing.head_bytes(), 24 + 1_000);
        framing.pass(b"\r\n\r\n");
        assert!(framing.is_between());
        framing.pass(b"GET");
        assert_eq!((framing.is_between(), framing.head_bytes()), (false, 3));
    }

    #[test]
    fn a_body_of_crumbs_has_an_end() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let passed = |chunk: &str, count: usize| {
            let text = format!("{head}{}", chunk.repeat(count));
            let mut framing = Framing::default();
            framing.pass(text.as_bytes())
        };
        assert!(!passed("1\r\nx\r\n", 4_000).is_crumbled);
        assert!(!passed("e\r\nabcdefghijklmn\r\n", 40_000).is_crumbled);
        let crumbled = passed("1\r\nx\r\n", 9_000);
        let chunks = (crumbled.bytes - head.len()) / 6;
        assert!(
            crumbled.is_crumbled && (5_000..5_100).contains(&chunks),
            "{crumbled:?}"
        );
    }
}
