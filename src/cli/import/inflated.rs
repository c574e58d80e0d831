//! A compressed file as it is read: all of its members and frames, and an error where it was cut off.

use crate::files::{FIRST_BYTES, Inflater};
use std::io::{self, Cursor, Read};

/// Bytes that are read and unpacked in one step.
const BLOCK: usize = 256 << 10;

/// The first bytes of a file, and all of it.
pub type Begun<R> = (Inflater, io::Chain<Cursor<Vec<u8>>, R>);

/// Tells by its first bytes how a file is compressed.
///
/// # Errors
/// Where it can't be read, or is of a kind that is not taken.
pub fn told<R: Read>(mut reader: R) -> anyhow::Result<Begun<R>> {
    let mut first = Vec::with_capacity(FIRST_BYTES);
    reader
        .by_ref()
        .take(FIRST_BYTES as u64)
        .read_to_end(&mut first)?;
    let inflater = Inflater::told(&first)?;
    Ok((inflater, Cursor::new(first).chain(reader)))
}

/// What is in a compressed file.
pub struct Inflated<R> {
    inflater: Inflater,
    reader: R,
    packed: Vec<u8>,
    taken: usize,
    out: Vec<u8>,
    given: usize,
    is_at_end: bool,
    /// Why no more can be unpacked, once what came before is read.
    broken: Option<io::Error>,
}

impl<R: Read> Inflated<R> {
    pub const fn new(inflater: Inflater, reader: R) -> Self {
        Self {
            inflater,
            reader,
            packed: Vec::new(),
            taken: 0,
            out: Vec::new(),
            given: 0,
            is_at_end: false,
            broken: None,
        }
    }

    /// One step; false at the end.
    fn step(&mut self) -> io::Result<bool> {
        if self.taken == self.packed.len() && !self.is_at_end {
            (self.taken, self.packed) = (0, vec![0; BLOCK]);
            let count = self.reader.read(&mut self.packed)?;
            self.packed.truncate(count);
            self.is_at_end = count == 0;
        }
        let rest = &self.packed[self.taken..];
        if !rest.is_empty() {
            let fed = self.inflater.feed(rest, &mut self.out, BLOCK);
            self.taken += fed.map_err(io::Error::other)?;
            return Ok(true);
        }
        if self
            .inflater
            .drain(&mut self.out)
            .map_err(io::Error::other)?
        {
            return Ok(true);
        }
        self.inflater.end().map_err(io::Error::other)?;
        Ok(false)
    }
}

impl<R: Read> Read for Inflated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.out.len() {
            self.out.clear();
            self.given = 0;
            if let Some(error) = self.broken.take() {
                return Err(error);
            }
            match self.step() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => self.broken = Some(error),
            }
        }
        let rest = &self.out[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}
