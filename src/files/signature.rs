//! What a file is by its first bytes, whatever its name or type says.

use super::unusable::Unusable;

/// So many first bytes are enough to tell.
pub const FIRST_BYTES: usize = 64;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Plain,
    Gzip,
    Zstd,
}

/// Kinds of files that people send instead of one that is read.
const OTHERS: [(&[u8], &str); 9] = [
    (
        b"PK\x03\x04",
        "this is a zip archive or an xlsx workbook: unpack it, or save the sheet as CSV",
    ),
    (b"PK\x05\x06", "this is an empty zip archive"),
    (
        b"\xd0\xcf\x11\xe0",
        "this is a workbook of an old Excel (xls): save the sheet as CSV",
    ),
    (
        b"PAR1",
        "this is a Parquet file: export it as CSV or NDJSON",
    ),
    (b"Obj\x01", "this is an Avro file: export it as NDJSON"),
    (b"BZh", "this is compressed by bzip2: use gzip or zstd"),
    (b"\xfd7zXZ\0", "this is compressed by xz: use gzip or zstd"),
    (b"%PDF-", "this is a PDF"),
    (
        b"{\\rtf",
        "this is a document of a word processor (rtf): save it as text",
    ),
];

/// Tells by the first bytes; `FIRST_BYTES` of them, or all where the file has fewer.
///
/// # Errors
/// `unsupported_file` with what it is and what to do.
pub fn told(first: &[u8]) -> Result<Told, Unusable> {
    if first.starts_with(&[0x1f, 0x8b]) {
        return Ok(Told::Gzip);
    }
    if first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || is_skippable_frame(first) {
        return Ok(Told::Zstd);
    }
    let other = OTHERS.iter().find(|(mark, _)| first.starts_with(mark));
    if let Some((_, message)) = other {
        return Err(Unusable::of("unsupported_file", *message));
    }
    if is_multipart(first) {
        let message =
            "this is a form (multipart): send the file itself as the body, as curl -T does";
        return Err(Unusable::of("unsupported_file", message));
    }
    Ok(Told::Plain)
}

/// zstd files may begin with a frame that holds no data.
fn is_skippable_frame(first: &[u8]) -> bool {
    matches!(first, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// A form begins with its boundary, on a line of its own, and a header.
fn is_multipart(first: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', first) else {
        // Boundaries have up to 70 characters.
        return first.starts_with(b"------") && first.len() >= FIRST_BYTES;
    };
    let rest = first[end + 1..].to_ascii_lowercase();
    let header = b"content-disposition:";
    let shared = rest.len().min(header.len());
    first.starts_with(b"--") && shared > 0 && rest[..shared] == header[..shared]
}
