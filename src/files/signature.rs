//! What a file is by its first bytes, whatever its name or type says.

use super::unusable::Unusable;

/// So many first bytes are enough to tell: an archive of tar has its mark at their end.
pub const FIRST_BYTES: usize = TAR_AT + TAR.len();
const TAR: &[u8] = b"ustar";
const TAR_AT: usize = 257;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Plain,
    Gzip,
    Zstd,
}

/// Kinds of files that people send instead of one that is read.
const OTHERS: [(&[u8], &str); 20] = [
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
    (
        b"ARROW1",
        "this is an Arrow file: export it as CSV or NDJSON",
    ),
    (
        b"SQLite format 3\0",
        "this is a database of SQLite: export its table as CSV",
    ),
    (b"BZh", "this is compressed by bzip2: use gzip or zstd"),
    (b"\xfd7zXZ\0", "this is compressed by xz: use gzip or zstd"),
    (b"]\0\0", "this is compressed by lzma: use gzip or zstd"),
    (
        b"\x04\x22\x4d\x18",
        "this is compressed by lz4: use gzip or zstd",
    ),
    (
        b"\xff\x06\0\0sNaPpY",
        "this is compressed by snappy: use gzip or zstd",
    ),
    (
        b"\x1f\x9d",
        "this is compressed by compress (.Z): use gzip or zstd",
    ),
    (b"7z\xbc\xaf\x27\x1c", "this is a 7z archive: unpack it"),
    (b"Rar!\x1a\x07", "this is a rar archive: unpack it"),
    (b"%PDF-", "this is a PDF"),
    (
        b"{\\rtf",
        "this is a document of a word processor (rtf): save it as text",
    ),
    (b"\x89PNG", "this is a picture (PNG)"),
    (b"\xff\xfe\0\0", "this is text in UTF-32: save it as UTF-8"),
    (b"\0\0\xfe\xff", "this is text in UTF-32: save it as UTF-8"),
];

/// What a page of the web, or an answer of a store that is none of its files, begins with.
const PAGES: [&[u8]; 3] = [b"<!doctype", b"<html", b"<?xml"];

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
    if first
        .get(TAR_AT..)
        .is_some_and(|rest| rest.starts_with(TAR))
    {
        let message = "this is an archive of tar: unpack it, and send its files one by one";
        return Err(Unusable::of("unsupported_file", message));
    }
    if is_page(first) {
        let message = "this is a page of the web or XML, perhaps what a server said instead of the file: look into it";
        return Err(Unusable::of("unsupported_file", message));
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

fn is_page(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    let text = text.trim_ascii_start();
    let begins = |mark: &&[u8]| {
        let beginning = text.get(..mark.len());
        beginning.is_some_and(|own| own.eq_ignore_ascii_case(mark))
    };
    PAGES.iter().any(begins)
}

/// A form begins with its boundary, of up to 70 characters and on a line of its own, and a header.
fn is_multipart(first: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', first) else {
        return false;
    };
    let rest = first[end + 1..].to_ascii_lowercase();
    let header = b"content-disposition:";
    let shared = rest.len().min(header.len());
    first.starts_with(b"--") && shared > 0 && rest[..shared] == header[..shared]
}
