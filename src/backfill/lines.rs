//! Lines of files as records, for who wants to know what is in them. A file may be compressed by gzip or zstd.

use super::sample::Each;
use crate::mapping::Record;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What compressed files begin with.
const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Reads about `most` lines, of each file the same share; of a line no more than `limit` bytes are held. Tells how many lines
/// the files have, as far as one can tell by their sizes.
///
/// # Errors
/// With the file that can't be read.
pub fn lines(
    files: &[PathBuf],
    most: usize,
    limit: usize,
    each: &mut Each<'_>,
) -> Result<u64, String> {
    let share = most.div_ceil(files.len().max(1));
    let counts = files.iter().map(|path| {
        of_file(path, share, limit, each)
            .map_err(|error| format!("{} can't be read: {error}", path.display()))
    });
    counts.sum()
}

fn of_file(path: &Path, most: usize, limit: usize, each: &mut Each<'_>) -> io::Result<u64> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let used = Rc::new(Cell::new(0));
    let mut reader = opened(Counted {
        file,
        used: used.clone(),
    })?;
    let (mut number, mut records) = (0_u64, 0_u64);
    while records < most as u64 {
        let Some((line, bytes)) = next(&mut reader, limit)? else {
            return Ok(records);
        };
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        records += 1;
        let line = Bytes::from(line);
        let record = Record {
            key: None,
            value: Some(&line),
            headers: &[],
            at: None,
            from: None,
        };
        each(&format!("{}:{number}", path.display()), bytes, &record);
    }
    if reader.fill_buf()?.is_empty() {
        return Ok(records);
    }
    let whole = u128::from(records) * u128::from(size) / u128::from(used.get().max(1));
    Ok(u64::try_from(whole).unwrap_or(u64::MAX).max(records))
}

/// Decompressed where the first bytes say that it is compressed.
fn opened(mut file: Counted) -> io::Result<Box<dyn BufRead>> {
    let mut first = Vec::new();
    file.by_ref()
        .take(ZSTD.len() as u64)
        .read_to_end(&mut first)?;
    let whole = Cursor::new(first.clone()).chain(file);
    Ok(if first.starts_with(&GZIP) {
        Box::new(BufReader::new(MultiGzDecoder::new(whole)))
    } else if first.starts_with(&ZSTD) {
        Box::new(BufReader::new(zstd::stream::read::Decoder::new(whole)?))
    } else {
        Box::new(BufReader::new(whole))
    })
}

/// The next line without its end, cut to `limit` bytes, and how long it is in truth.
fn next(reader: &mut dyn BufRead, limit: usize) -> io::Result<Option<(Vec<u8>, usize)>> {
    let mut line = Vec::new();
    let mut bytes = reader.take(limit as u64 + 1).read_until(b'\n', &mut line)?;
    if bytes == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        line.pop();
        return Ok(Some((line, bytes - 1)));
    }
    while bytes > limit {
        let part = reader.fill_buf()?;
        let end = memchr::memchr(b'\n', part);
        let read = end.unwrap_or(part.len());
        let is_over = end.is_some() || part.is_empty();
        bytes += read;
        reader.consume(read + usize::from(end.is_some()));
        if is_over {
            break;
        }
    }
    line.truncate(limit);
    Ok(Some((line, bytes)))
}

/// A file that tells how much of it was read.
struct Counted {
    file: File,
    used: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.used.set(self.used.get() + read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(bytes: &[u8], most: usize, limit: usize) -> (Vec<(String, usize)>, u64) {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("written");
        let mut seen = Vec::new();
        let mut each = |place: &str, bytes: usize, record: &Record<'_>| {
            let line = record.value.expect("a line");
            let number = place.rsplit(':').next().unwrap_or_default();
            let text = String::from_utf8_lossy(line);
            seen.push((format!("{number} {text}"), bytes));
        };
        let whole = lines(&[file.path().to_owned()], most, limit, &mut each);
        let whole = whole.expect("readable");
        (seen, whole)
    }

    #[test]
    fn lines_have_numbers_and_blank_ones_are_none() {
        let (seen, whole) = read(b"{\"a\":1}\n\n  \r\n{\"a\":2}", 10, 100);
        let expected = [("1 {\"a\":1}", 7), ("4 {\"a\":2}", 7)];
        assert_eq!(seen, expected.map(|(text, bytes)| (text.to_owned(), bytes)));
        assert_eq!(whole, 2);
    }

    #[test]
    fn an_endless_line_is_not_held_and_the_next_one_is_found() {
        let text = format!("{}\nb\n{}", "x".repeat(1_000_000), "y".repeat(20));
        let (seen, _) = read(text.as_bytes(), 10, 10);
        let cut = ("1 xxxxxxxxxx".to_owned(), 1_000_000);
        assert_eq!(seen[0], cut);
        assert_eq!(seen[1], ("2 b".to_owned(), 1));
        assert_eq!(seen[2], ("3 yyyyyyyyyy".to_owned(), 20));
    }

    #[test]
    fn compressed_files_are_opened_and_the_whole_is_estimated() {
        let text = "{\"name\":\"somebody\"}\n".repeat(50_000);
        let packed = zstd::encode_all(text.as_bytes(), 1).expect("packed");
        assert_eq!(read(&packed, 3, 100).0.len(), 3);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).expect("packed");
        let packed = gzip.finish().expect("packed");
        assert_eq!(read(&packed, 60_000, 100).1, 50_000);
        let (seen, whole) = read(text.as_bytes(), 10_000, 100);
        assert_eq!(seen.len(), 10_000);
        assert!((45_000..=50_000).contains(&whole), "{whole}");
    }
}
