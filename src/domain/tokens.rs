//! The tokens of JSON as senders write it, found in one pass without building anything.
//!
//! Malformed input yields some tokens too: whoever parses afterwards refuses it.

use memchr::memchr2;

/// Every double fits when written out: the smallest take 342 characters with the 17 digits that tell them apart, the largest 309.
/// Senders were seen to go up to `1e400`. What needs more is no measurement, and a few bytes of exponent must not become a kilobyte.
pub(super) const MAX_NUMBER_DIGITS: usize = 512;

/// True where a number is not plain, or longer than any plain one.
pub(super) fn is_exotic(digits: &[u8]) -> bool {
    digits.len() > MAX_NUMBER_DIGITS + 2 || digits.iter().any(|byte| matches!(byte, b'e' | b'E'))
}

/// What stands at a place of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    Text(Poison),
    Number,
    Word,
    Other,
}

/// What has to be mended of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Poison {
    /// It has an escaped NUL or surrogate.
    pub units: bool,
    /// It is a key that means something to our JSON library.
    pub key: bool,
}

impl Poison {
    pub fn is_there(self) -> bool {
        self.units || self.key
    }
}

/// The keys of all objects in a text: each has the one colon that stands outside of texts.
pub fn count_keys(bytes: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        let (token, end) = next_token(bytes, at);
        count += usize::from(token == Token::Other && bytes[at] == b':');
        at = end;
    }
    count
}

/// Tells the token at `at` and where it ends.
pub(super) fn next_token(bytes: &[u8], at: usize) -> (Token, usize) {
    match bytes[at] {
        b'"' => text_token(bytes, at),
        b'{' | b'[' => (Token::Open, at + 1),
        b'}' | b']' => (Token::Close, at + 1),
        b'-' if bytes.get(at + 1) == Some(&b'I') => (
            Token::Word,
            run_end(bytes, at + 1, u8::is_ascii_alphanumeric),
        ),
        b'-' | b'0'..=b'9' => (
            Token::Number,
            run_end(bytes, at + 1, |byte| {
                matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
            }),
        ),
        byte if byte.is_ascii_alphabetic() => (
            Token::Word,
            run_end(bytes, at + 1, u8::is_ascii_alphanumeric),
        ),
        _ => (Token::Other, at + 1),
    }
}

fn run_end(bytes: &[u8], from: usize, belongs: impl Fn(&u8) -> bool) -> usize {
    bytes[from..]
        .iter()
        .position(|byte| !belongs(byte))
        .map_or(bytes.len(), |length| from + length)
}

fn text_token(bytes: &[u8], start: usize) -> (Token, usize) {
    let (mut at, mut units) = (start + 1, false);
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            let key = is_reserved(&bytes[start..=at]) && is_key(&bytes[at + 1..]);
            return (Token::Text(Poison { units, key }), at + 1);
        }
        units |= matches!(escaped_unit(bytes, at), Some(0 | 0xD800..=0xDFFF));
        at += 2;
    }
    (Token::Text(Poison::default()), bytes.len())
}

/// What our JSON library's own keys begin with: with them it hands numbers and raw text to itself.
const RESERVED: &str = "$serde_json::private::";

/// True of a text, quotes included, that begins as our library's own keys do, however it is spelled.
fn is_reserved(text: &[u8]) -> bool {
    match text[1] {
        b'$' | b'\\' if text.contains(&b'\\') => {
            serde_json::from_slice::<String>(text).is_ok_and(|text| text.starts_with(RESERVED))
        }
        b'$' => text[1..].starts_with(RESERVED.as_bytes()),
        _ => false,
    }
}

pub(super) fn is_key(behind: &[u8]) -> bool {
    behind.trim_ascii_start().first() == Some(&b':')
}

/// The UTF-16 unit of the `\uXXXX` escape at `at`, if one stands there.
pub(super) fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
