//! Decoding of compressed bodies with a hard stop: nothing is written beyond the limit, whatever the stream promises.
//!
//! The decoders' own windows are bounded too: 32 KiB for gzip and deflate, 8 MiB for zstd, 16 MiB for brotli.

use super::body::Buffer;
use super::error::ApiError;
use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::Read;

/// Bytes decoded in one step.
const STEP: usize = 16 * 1024;
/// The largest window that RFC 8878 asks every zstd decoder to take.
const ZSTD_WINDOW_LOG: u32 = 23;

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

/// Decodes `encoded` into `decoded`, which holds it against its limit and takes the room in memory.
///
/// # Errors
/// `InvalidEncoding` where the stream is broken or cut short; what `decoded` says where it takes no more.
pub fn inflate(encoding: Encoding, encoded: &[u8], decoded: &mut Buffer) -> Result<(), ApiError> {
    match encoding {
        Encoding::Identity => decoded.append(encoded),
        Encoding::Gzip => copy(MultiGzDecoder::new(encoded), decoded),
        Encoding::Deflate if has_zlib_header(encoded) => copy(ZlibDecoder::new(encoded), decoded),
        Encoding::Deflate => copy(DeflateDecoder::new(encoded), decoded),
        Encoding::Zstd => inflate_zstd(encoded, decoded),
        Encoding::Brotli => {
            let mut reader = Decompressor::new(encoded, STEP);
            // Large windows would let a few bytes ask for a gigabyte.
            reader.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
            copy(reader, decoded)
        }
    }
}

fn inflate_zstd(encoded: &[u8], decoded: &mut Buffer) -> Result<(), ApiError> {
    let mut reader =
        zstd::stream::read::Decoder::with_buffer(encoded).map_err(|_| ApiError::InvalidEncoding)?;
    reader
        .window_log_max(ZSTD_WINDOW_LOG)
        .map_err(|_| ApiError::InvalidEncoding)?;
    copy(reader, decoded)
}

fn copy(mut reader: impl Read, decoded: &mut Buffer) -> Result<(), ApiError> {
    let mut step = [0; STEP];
    loop {
        match reader.read(&mut step) {
            Ok(0) => return Ok(()),
            Ok(count) => decoded.append(&step[..count])?,
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
