//! The bytes of a file as they are sent: plain, from any place that was not passed yet.
//!
//! A compressed file is opened here: so its upload can go on in the middle, which no server could do with it.

use super::inflated::{self, Inflated};
use super::outgoing::{Outgoing, Source};
use super::parts::Part;
use crate::imports::Checksum;
use anyhow::{Context, Error, Result, bail};
use bytes::Bytes;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Bytes of a compressed file in one request: they are held until the service has them.
pub const PIECE: usize = 8 << 20;

/// Bytes of a plain file in one request, which are read as they are sent. Between two requests the database waits for a moment; and there are
/// proxies that let 100 MB pass, and no more.
const STRETCH: u64 = 64 << 20;

/// Bytes that are looked at at once, of what the service has already.
const BLOCK: usize = 1 << 20;
const SHORTER: &str =
    "the file is shorter than what the service has of it: it is another one by now";

/// Where bytes come from.
enum Origin {
    /// From a byte of the file on.
    Plain(Arc<File>, u64),
    Stream(Box<dyn Read + Send>),
}

/// The bytes of one file.
pub struct Content {
    origin: Origin,
    /// The place of the first byte that is held.
    at: u64,
    held: Vec<u8>,
    /// Of the bytes before a place: in a stream all that are passed.
    sum: Checksum,
    summed: u64,
    is_at_end: bool,
    /// Why no more can be read, once what is held is sent.
    broken: Option<Error>,
    /// Bytes in all, where that is known before the end.
    pub length: Option<u64>,
}

impl Content {
    /// Opens a file.
    ///
    /// # Errors
    /// With the name of the file.
    pub fn open(path: &Path) -> Result<Self> {
        let told = || format!("{} can't be read", path.display());
        let file = File::open(path).with_context(told)?;
        let length = file.metadata().with_context(told)?.len();
        let (inflater, all) = inflated::told(file).with_context(told)?;
        if !inflater.is_plain() {
            let reader = Inflated::new(inflater, all);
            return Ok(Self::of(Origin::Stream(Box::new(reader)), None));
        }
        let (_, mut file) = all.into_inner();
        file.rewind().with_context(told)?;
        Ok(Self::of(Origin::Plain(Arc::new(file), 0), Some(length)))
    }

    /// Opens a part of a plain file, as if it were one.
    ///
    /// # Errors
    /// With the name of the file.
    pub fn part(path: &Path, part: &Part) -> Result<Self> {
        let told = || format!("{} can't be read", path.display());
        let mut file = File::open(path).with_context(told)?;
        file.seek(SeekFrom::Start(part.from)).with_context(told)?;
        let origin = Origin::Plain(Arc::new(file), part.from);
        Ok(Self::of(origin, Some(part.to - part.from)))
    }

    /// What comes through the standard input.
    ///
    /// # Errors
    /// Where nothing can be read from it.
    pub fn standard_input() -> Result<Self> {
        let (inflater, all) = inflated::told(std::io::stdin())?;
        let reader = Inflated::new(inflater, all);
        Ok(Self::of(Origin::Stream(Box::new(reader)), None))
    }

    const fn of(origin: Origin, length: Option<u64>) -> Self {
        Self {
            origin,
            at: 0,
            held: Vec::new(),
            sum: Checksum::EMPTY,
            summed: 0,
            is_at_end: false,
            broken: None,
            length,
        }
    }

    /// The next bytes from a place on, and whether they are the last. What was sent and not taken is still there.
    ///
    /// # Errors
    /// Where the file can't be read, or is shorter than that.
    pub fn piece(&mut self, from: u64) -> Result<(&[u8], bool)> {
        self.pass(from)?;
        while self.held.len() < PIECE && !self.is_at_end && self.broken.is_none() {
            let missing = PIECE - self.held.len();
            match self.read(missing) {
                Ok(count) => self.is_at_end = count == 0,
                Err(error) => self.broken = Some(error),
            }
        }
        if let Some(error) = self.broken.take_if(|_| self.held.is_empty()) {
            return Err(error);
        }
        // One more byte tells whether a whole piece is the last: the length does, or the next reading.
        let end = self.at + self.held.len() as u64;
        let is_last = self.is_at_end || self.length == Some(end);
        Ok((&self.held, is_last))
    }

    /// What the next request sends, from a place on.
    ///
    /// # Errors
    /// As `piece`.
    pub fn next(&mut self, from: u64) -> Result<Outgoing> {
        let Origin::Plain(file, start) = &self.origin else {
            let (bytes, is_last) = self.piece(from)?;
            return Ok(Outgoing {
                end: from + bytes.len() as u64,
                is_last,
                bytes: Source::Held(Bytes::copy_from_slice(bytes)),
                done: None,
            });
        };
        let length = self.length.unwrap_or_default();
        if file.metadata()?.len() < start + length || from > length {
            bail!("{SHORTER}");
        }
        let end = length.min(from + STRETCH);
        Ok(Outgoing {
            end,
            is_last: end == length,
            bytes: Source::File(file.clone(), start + from, start + end),
            done: None,
        })
    }

    /// The checksum of the bytes before a place; in a stream only of one that is being passed, or comes later.
    ///
    /// # Errors
    /// Where the file can't be read, or is shorter than that.
    pub fn checksum(&mut self, bytes: u64) -> Result<Checksum> {
        if let Origin::Plain(file, start) = &self.origin {
            if bytes < self.summed {
                (self.sum, self.summed) = (Checksum::EMPTY, 0);
            }
            let mut block = vec![0; BLOCK];
            while self.summed < bytes {
                let most = BLOCK.min(usize::try_from(bytes - self.summed).unwrap_or(BLOCK));
                let read = file.read_at(&mut block[..most], start + self.summed);
                match read.context("the file can't be read")? {
                    0 => bail!("{SHORTER}"),
                    count => {
                        self.sum.add(&block[..count]);
                        self.summed += count as u64;
                    }
                }
            }
        } else {
            self.pass(bytes)?;
        }
        Ok(self.sum)
    }

    fn pass(&mut self, from: u64) -> Result<()> {
        if from < self.at {
            let Origin::Plain(..) = self.origin else {
                bail!("the server has less than it said before; begin again");
            };
            self.held.clear();
        }
        let held = self.at + self.held.len() as u64;
        if (self.at..=held).contains(&from) {
            self.drop_held((from - self.at) as usize);
            self.at = from;
            return Ok(());
        }
        self.drop_held(self.held.len());
        if let Origin::Plain(file, start) = &self.origin {
            (&**file).seek(SeekFrom::Start(*start + from))?;
        } else {
            self.pass_unheld(from - held)?;
        }
        (self.at, self.is_at_end) = (from, false);
        Ok(())
    }

    /// Passes bytes of a stream that were not read yet.
    fn pass_unheld(&mut self, mut bytes: u64) -> Result<()> {
        while bytes > 0 {
            self.read(BLOCK.min(usize::try_from(bytes).unwrap_or(BLOCK)))?;
            if self.held.is_empty() {
                bail!("{SHORTER}");
            }
            bytes -= self.held.len() as u64;
            self.drop_held(self.held.len());
        }
        Ok(())
    }

    fn drop_held(&mut self, count: usize) {
        if let Origin::Stream(_) = self.origin {
            self.sum.add(&self.held[..count]);
            self.summed += count as u64;
        }
        self.held.drain(..count);
    }

    fn read(&mut self, most: usize) -> Result<usize> {
        // What was written behind its end meanwhile is none of the file.
        let end = self.at + self.held.len() as u64;
        let left = self.length.unwrap_or(u64::MAX).saturating_sub(end);
        let held = &mut self.held;
        let read = match &mut self.origin {
            Origin::Plain(file, _) => (&**file).take(left.min(most as u64)).read_to_end(held),
            Origin::Stream(reader) => reader.take(most as u64).read_to_end(held),
        };
        read.context("the file can't be read to its end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn all(content: &mut Content, mut from: u64) -> Vec<u8> {
        let mut read = Vec::new();
        loop {
            let (bytes, is_last) = content.piece(from).expect("bytes");
            read.extend_from_slice(bytes);
            from += bytes.len() as u64;
            if is_last {
                return read;
            }
        }
    }

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        (folder, path)
    }

    #[test]
    fn a_plain_file_is_read_from_anywhere() {
        let bytes: Vec<u8> = (0..PIECE + 7).map(|place| place as u8).collect();
        let (_folder, path) = written("x", &bytes);
        let mut content = Content::open(&path).expect("a file");
        assert_eq!(content.length, Some(bytes.len() as u64));
        assert!(all(&mut content, 0) == bytes);
        assert!(all(&mut content, 5) == bytes[5..]);
        assert!(all(&mut content, bytes.len() as u64).is_empty());
    }

    #[test]
    fn a_compressed_file_is_opened_and_gone_on_with_in_the_middle() {
        let bytes: Vec<u8> = (0..PIECE + 1_000).map(|place| (place / 3) as u8).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).expect("memory");
        let zstd = zstd::encode_all(&bytes[..], 1).expect("memory");
        for packed in [gzip.finish().expect("memory"), zstd] {
            let (_folder, path) = written("x", &packed);
            let mut content = Content::open(&path).expect("a file");
            assert!(content.length.is_none());
            let (piece, is_last) = content.piece(100).expect("bytes");
            assert!(!is_last && piece == &bytes[100..100 + PIECE]);
            // Of what was sent the server took only a part.
            assert!(all(&mut content, 150) == bytes[150..]);
            let mut whole = Checksum::EMPTY;
            whole.add(&bytes);
            let passed = content.checksum(bytes.len() as u64).expect("bytes");
            assert_eq!(passed, whole);
            let mut again = Content::open(&path).expect("a file");
            assert!(again.piece(bytes.len() as u64 + 1).is_err());
        }
    }

    #[test]
    fn row_38_all_members_count_padding_does_not_and_a_cut_is_told() {
        let packed = |text: &[u8]| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(text).expect("memory");
            gzip.finish().expect("memory")
        };
        let both = [packed(b"one"), packed(b"two"), vec![0; 512]].concat();
        let (_folder, path) = written("x", &both);
        assert!(all(&mut Content::open(&path).expect("a file"), 0) == b"onetwo");
        let (_folder, path) = written("x", &both[..both.len() - 520]);
        let mut cut = Content::open(&path).expect("a file");
        let (piece, is_last) = cut.piece(0).expect("what came before");
        assert!(piece == b"onetwo" && !is_last);
        assert!(cut.piece(6).is_err());
        let (_folder, path) = written("x.xlsx", b"PK\x03\x04 and more");
        assert!(Content::open(&path).is_err());
    }

    #[test]
    fn what_the_service_has_is_compared_and_passed() {
        let (_folder, path) = written("x", b"foobar and more");
        let mut content = Content::open(&path).expect("a file");
        let checksum = content.checksum(6).expect("bytes");
        assert_eq!(checksum.to_text(), "85944171f73967e8");
        assert!(all(&mut content, 6) == b" and more");
        let mut short = Content::open(&path).expect("a file");
        assert!(short.checksum(100).is_err());
    }

    #[test]
    fn an_empty_file_ends_at_once() {
        let (_folder, path) = written("x", b"");
        let mut content = Content::open(&path).expect("a file");
        let (piece, is_last) = content.piece(0).expect("bytes");
        assert!(piece.is_empty() && is_last);
    }
}
