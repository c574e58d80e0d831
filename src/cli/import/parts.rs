//! Parts of a large file of lines, to be sent side by side.
//!
//! A part begins with a line, and says which line and which record of the file that is. So each is an import of its own, and yet ids of
//! events, the order of records of one time, and the lines of rejections are those of the whole file.

use super::asked::Upload;
use crate::files::{FIRST_BYTES, FileLimits, FileReader, Format, is_of_rejections};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

const MIB: u64 = 1 << 20;
/// Parts of one file: each is an import that is listed.
const MOST: u64 = 64;
/// Bytes that are looked at in one step.
const BLOCK: usize = 1 << 20;

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its first byte, and the one behind its last.
    pub from: u64,
    pub to: u64,
    /// The numbers of its first line and record, from 1.
    pub line: u64,
    pub record: u64,
    /// Bytes of the whole file.
    pub all: u64,
    /// The file was sent whole before: parts of then are not those of this time.
    pub is_of_new_run: bool,
}

impl Part {
    /// No part follows.
    pub const fn is_last(&self) -> bool {
        self.to == self.all
    }
}

/// Cuts a file into parts, one after the other: the first can be sent before the second is known.
pub struct Cutter {
    file: File,
    reader: FileReader,
    /// Bytes that the reader has passed, and those of the parts that are known.
    passed: u64,
    cut: u64,
    length: u64,
    size: u64,
    is_new_run: bool,
}

impl Cutter {
    /// For a file that is worth it: plain lines of JSON that are records, and at least two parts of `size` bytes. The same file is always cut in the same
    /// way.
    ///
    /// # Errors
    /// Where it can't be read, or what is said of it can't be.
    pub fn new(upload: &Upload, size: u64) -> Result<Option<Self>> {
        let Some(path) = &upload.path else {
            return Ok(None);
        };
        let layout = upload.layout()?;
        let told = || format!("{} can't be read", path.display());
        let mut file = File::open(path).with_context(told)?;
        let length = file.metadata().with_context(told)?.len();
        let size = size.max(length.div_ceil(MOST).next_multiple_of(MIB));
        let is_of_lines = layout.format == Format::Ndjson && !layout.is_wide();
        if length < size * 2 || !is_of_lines || !is_plain(&mut file)? {
            return Ok(None);
        }
        Ok(Some(Self {
            file,
            reader: FileReader::new(&layout, FileLimits::default())?,
            passed: 0,
            cut: 0,
            length,
            size,
            is_new_run: false,
        }))
    }

    /// The file was sent whole before, and is sent anew.
    pub const fn begin_anew(&mut self) {
        self.is_new_run = true;
    }

    /// Bytes of the file.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The next part.
    ///
    /// # Errors
    /// Where the file can't be read, or is none of lines.
    pub fn part(&mut self) -> Result<Option<Part>> {
        if self.cut == self.length {
            return Ok(None);
        }
        self.pass()?;
        let from = self.cut;
        self.cut = self.end_from(from + self.size)?;
        let seen = self.reader.seen();
        Ok(Some(Part {
            from,
            to: self.cut,
            line: seen.lines + 1,
            record: seen.records + 1,
            all: self.length,
            is_of_new_run: self.is_new_run,
        }))
    }

    /// Counts the lines and records of the parts that are known.
    fn pass(&mut self) -> Result<()> {
        self.file.seek(SeekFrom::Start(self.passed))?;
        let mut records = Vec::new();
        let mut block = vec![0; BLOCK];
        while self.passed < self.cut {
            let most = BLOCK.min(usize::try_from(self.cut - self.passed).unwrap_or(BLOCK));
            let count = self.file.read(&mut block[..most])?;
            if count == 0 {
                bail!("the file has become shorter");
            }
            self.reader.feed(&block[..count], &mut records)?;
            records.clear();
            self.passed += count as u64;
        }
        Ok(())
    }

    /// Where the line ends that is there; at the end of the file, where only half a part would follow.
    fn end_from(&mut self, place: u64) -> Result<u64> {
        if place + self.size / 2 >= self.length {
            return Ok(self.length);
        }
        // The line feed may be the last byte before it.
        let mut at = place - 1;
        self.file.seek(SeekFrom::Start(at))?;
        let mut block = vec![0; BLOCK];
        loop {
            let count = self.file.read(&mut block)?;
            if count == 0 {
                return Ok(self.length);
            }
            if let Some(end) = memchr::memchr(b'\n', &block[..count]) {
                return Ok((at + end as u64 + 1).min(self.length));
            }
            at += count as u64;
        }
    }
}

/// Neither compressed, nor in an encoding whose line ends are no single bytes, nor of rejections, whose rows may have line ends in them.
fn is_plain(file: &mut File) -> Result<bool> {
    let mut first = Vec::new();
    file.take(FIRST_BYTES as u64).read_to_end(&mut first)?;
    file.rewind()?;
    let (inflater, _) = super::inflated::told(&mut *file)?;
    file.rewind()?;
    let has_mark = first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff");
    Ok(inflater.is_plain() && !has_mark && !is_of_rejections(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(text: &[u8], said: &[(&str, &str)]) -> (tempfile::TempDir, Upload) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.ndjson");
        std::fs::write(&path, text).expect("a file");
        let said = said.iter();
        let upload = Upload {
            path: Some(path),
            name: "x.ndjson".to_owned(),
            time: None,
            said: said
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        (folder, upload)
    }

    fn parts(text: &[u8], said: &[(&str, &str)]) -> Vec<Part> {
        let (_folder, upload) = upload(text, said);
        let Some(mut cutter) = Cutter::new(&upload, MIB).expect("a file") else {
            return Vec::new();
        };
        std::iter::from_fn(|| cutter.part().expect("a part")).collect()
    }

    #[test]
    fn parts_begin_with_lines_and_know_their_numbers() {
        let mut text = Vec::new();
        // Blank lines are no records, and a line may have several.
        while text.len() < 5 << 20 {
            text.extend_from_slice(b"{\"a\":1}\n\n{\"a\":2}{\"a\":3}\r\n{\"long\":\"");
            text.extend_from_slice(&vec![b'x'; 100_000 + text.len() % 7]);
            text.extend_from_slice(b"\"}\n");
        }
        let parts = parts(&text, &[]);
        assert_eq!(parts.len(), 5);
        let (mut at, mut lines) = (0, 0);
        for part in &parts {
            assert_eq!((part.from, part.line), (at, lines + 1), "{part:?}");
            assert_eq!(part.record, lines + 1, "four of four lines: {part:?}");
            let own = &text[part.from as usize..part.to as usize];
            assert!(own.ends_with(b"\n"));
            lines += own.iter().filter(|byte| **byte == b'\n').count() as u64;
            at = part.to;
        }
        assert_eq!(at, text.len() as u64);
        assert!(parts[4].is_last() && !parts[3].is_last());
    }

    #[test]
    fn what_is_small_or_no_plain_lines_is_not_cut() {
        let lines = b"{\"a\":1}\n".repeat(3 << 17);
        assert_eq!(parts(&lines, &[]).len(), 3);
        assert!(parts(&lines[..2 << 20][1..], &[]).is_empty());
        assert!(parts(&lines, &[("format", "json")]).is_empty());
        assert!(parts(&[&b"\xff\xfe"[..], &lines].concat(), &[]).is_empty());
        for encoding in ["utf-16le", "utf-16be", "utf-16"] {
            assert!(parts(&lines, &[("encoding", encoding)]).is_empty());
        }
        assert_eq!(parts(&lines, &[("encoding", "windows-1252")]).len(), 3);
        for first in [
            "line_number,code,field,reason,line\r\n",
            "\u{feff}{\"line_number\":\"1\",\"code\":\"\"}\n",
        ] {
            assert!(parts(&[first.as_bytes(), &lines].concat(), &[]).is_empty());
        }
        let packed = zstd::encode_all(
            &rand::random_iter::<u8>().take(4 << 20).collect::<Vec<_>>()[..],
            1,
        );
        assert!(parts(&packed.expect("memory"), &[]).is_empty());
    }

    #[test]
    fn one_line_of_many_parts_is_one_part() {
        let text = [&vec![b'x'; 4 << 20][..], b"\n", &b"{}\n".repeat(1 << 20)].concat();
        let parts = parts(&text, &[]);
        assert_eq!(parts[0].to, (4 << 20) + 1);
        assert_eq!((parts[1].line, parts[1].record), (2, 2));
    }
}
