//! Decoding of compressed bodies with a hard stop: nothing is written beyond the limit, whatever the stream promises.
//!
//! The decoders' own windows are bounded too: 32 KiB for gzip and deflate, 8 MiB for zstd, 16 MiB for brotli.

use super::error::ApiError;
use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use std::io::Read;

/// Bytes decoded in one step.
const STEP: usize = 16 * 1024;
/// The largest window that RFC 8878 asks every zstd decoder to take.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Members of one gzip body, or frames of one zstd body. Each costs the making of a decoder, so that a million empty ones would
/// keep a thread for seconds; senders write one, and those who append to a file some hundred.
const MOST_PARTS: usize = 1_000;

/// Takes the decoded bytes, piece by piece.
pub type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), ApiError> + 'a;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// gzip, one member or several.
    Gzip,
    /// zlib, or raw deflate as some senders understand the name.
    Deflate,
    /// zstd.
    Zstd,
    /// brotli.
    Brotli,
    /// By a name that nobody knows: senders put a charset there, or what a proxy has undone.
    Unknown,
}

/// What every gzip stream begins with: its mark, and the one method there is.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
/// What every zstd frame begins with.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// So much of a body tells whether it is a text.
const BEGINNING: usize = 64;

impl Encoding {
    /// Reads `Content-Encoding`. What says nothing does not count; several at once are unknown.
    pub fn parse(names: &str) -> Self {
        let mut names = names.split(',').map(Self::parse_one);
        let first = names.find(|name| *name != Self::Identity);
        match (first, names.all(|name| name == Self::Identity)) {
            (None, _) => Self::Identity,
            (Some(only), true) => only,
            (Some(_), false) => Self::Unknown,
        }
    }

    fn parse_one(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "zstd" => Self::Zstd,
            "br" => Self::Brotli,
            _ => Self::Unknown,
        }
    }

    /// What a body is. Its own bytes go before the name, where they can't be anything else: JSON, gzip, zstd, and zlib where the
    /// name is not one whose streams may begin the same. So nothing is ever decoded on trial.
    ///
    /// # Errors
    /// `UnsupportedEncoding`.
    pub fn of_body(self, encoded: &[u8]) -> Result<Self, ApiError> {
        let may_be_zlib = !matches!(self, Self::Brotli) && has_zlib_header(encoded);
        match self {
            _ if encoded.starts_with(&GZIP) => Ok(Self::Gzip),
            _ if encoded.starts_with(&ZSTD) => Ok(Self::Zstd),
            _ if is_json(encoded) => Ok(Self::Identity),
            _ if may_be_zlib && !begins_as_text(encoded) => Ok(Self::Deflate),
            Self::Unknown if has_brace(encoded) => Ok(Self::Identity),
            Self::Unknown => Err(ApiError::UnsupportedEncoding),
            known => Ok(known),
        }
    }
}

/// Decodes `encoded` into `sink`, which holds it against its limit and takes the room in memory.
///
/// # Errors
/// `InvalidEncoding` where the stream is broken, cut short, or made of too many parts; what `sink` says where it takes no more.
pub fn inflate(encoding: Encoding, encoded: &[u8], sink: &mut Sink<'_>) -> Result<(), ApiError> {
    match encoding {
        Encoding::Identity | Encoding::Unknown => sink(encoded),
        Encoding::Gzip => in_parts(encoded, sink, inflate_member),
        Encoding::Deflate if has_zlib_header(encoded) => copy(&mut ZlibDecoder::new(encoded), sink),
        Encoding::Deflate => copy(&mut DeflateDecoder::new(encoded), sink),
        Encoding::Zstd => in_parts(encoded, sink, inflate_frame),
        Encoding::Brotli => {
            let mut reader = Decompressor::new(encoded, STEP);
            // Large windows would let a few bytes ask for a gigabyte.
            reader.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
            copy(&mut reader, sink)
        }
    }
}

/// Brotli and raw deflate may begin with a brace, but do not go on as a text and end with one.
fn is_json(body: &[u8]) -> bool {
    let has_end = matches!(body.trim_ascii_end().last(), Some(b'}' | b']'));
    has_end && has_brace(body) && begins_as_text(body)
}

fn has_brace(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// True of UTF-8 without control characters; the last character may be cut.
fn begins_as_text(body: &[u8]) -> bool {
    let beginning = &body[..body.len().min(BEGINNING)];
    let is_text = |byte: &u8| *byte >= b' ' || byte.is_ascii_whitespace();
    let is_utf8 =
        std::str::from_utf8(beginning).map_or_else(|error| error.error_len().is_none(), |_| true);
    is_utf8 && beginning.iter().all(is_text)
}

/// Decodes one part after the other; each gives back what follows it.
fn in_parts<'a>(
    encoded: &'a [u8],
    sink: &mut Sink<'_>,
    part: impl Fn(&'a [u8], &mut Sink<'_>) -> Result<&'a [u8], ApiError>,
) -> Result<(), ApiError> {
    let mut rest = encoded;
    for _ in 0..MOST_PARTS {
        rest = part(rest, sink)?;
        if rest.is_empty() {
            return Ok(());
        }
    }
    Err(ApiError::InvalidEncoding)
}

fn inflate_member<'a>(encoded: &'a [u8], sink: &mut Sink<'_>) -> Result<&'a [u8], ApiError> {
    let mut reader = GzDecoder::new(encoded);
    copy(&mut reader, sink)?;
    Ok(reader.into_inner())
}

fn inflate_frame<'a>(encoded: &'a [u8], sink: &mut Sink<'_>) -> Result<&'a [u8], ApiError> {
    let reader = zstd::stream::read::Decoder::with_buffer(encoded);
    let mut reader = reader
        .map_err(|_| ApiError::InvalidEncoding)?
        .single_frame();
    reader
        .window_log_max(ZSTD_WINDOW_LOG)
        .map_err(|_| ApiError::InvalidEncoding)?;
    copy(&mut reader, sink)?;
    Ok(reader.finish())
}

fn copy(reader: &mut impl Read, sink: &mut Sink<'_>) -> Result<(), ApiError> {
    let mut step = [0; STEP];
    loop {
        match reader.read(&mut step) {
            Ok(0) => return Ok(()),
            Ok(count) => sink(&step[..count])?,
            Err(_) => return Err(ApiError::InvalidEncoding),
        }
    }
}

/// RFC 1950: method 8, and a check that makes the first two bytes a multiple of 31. The first byte of a raw deflate stream
/// that a compressor writes can't look so: 8 in the low bits is a stored block with padding that isn't zero.
fn has_zlib_header(encoded: &[u8]) -> bool {
    matches!(encoded, [first, second, ..]
        if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

#[cfg(test)]
#[path = "inflate_tests.rs"]
mod tests;
