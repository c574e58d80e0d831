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
}

impl Encoding {
    /// Reads `Content-Encoding`.
    ///
    /// # Errors
    /// `UnsupportedEncoding` for any other name, and for several at once.
    pub fn parse(name: &str) -> Result<Self, ApiError> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            "zstd" => Ok(Self::Zstd),
            "br" => Ok(Self::Brotli),
            _ => Err(ApiError::UnsupportedEncoding),
        }
    }
}

/// Decodes `encoded` into `sink`, which holds it against its limit and takes the room in memory.
///
/// # Errors
/// `InvalidEncoding` where the stream is broken, cut short, or made of too many parts; what `sink` says where it takes no more.
pub fn inflate(encoding: Encoding, encoded: &[u8], sink: &mut Sink<'_>) -> Result<(), ApiError> {
    match encoding {
        Encoding::Identity => sink(encoded),
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
