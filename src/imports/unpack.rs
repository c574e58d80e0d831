//! The bytes of an upload as those of its file: told by the first of them, never by a name or a header.

use crate::files::{FIRST_BYTES, Told, Unusable, told};
use bytes::Bytes;

/// What `kept` of a job begins with: first bytes that are too few to tell, or what the reader kept.
const FIRST: u8 = 0;
const READER: u8 = 1;

/// How far an upload is unpacked.
pub(super) enum Unpack {
    /// Too few bytes to tell.
    First(Vec<u8>),
    Plain,
}

/// Bytes of the file.
pub(super) struct Unpacked {
    pub bytes: Bytes,
    /// Bytes of the upload that are left for the next time.
    pub rest: Option<Bytes>,
}

impl Unpack {
    /// Goes on with what a job kept: and with what its reader did.
    pub fn resumed(kept: &[u8]) -> (Self, Option<&[u8]>) {
        match kept.split_first() {
            None => (Self::First(Vec::new()), None),
            Some((&READER, reader)) => (Self::Plain, Some(reader)),
            Some((_, first)) => (Self::First(first.to_vec()), None),
        }
    }

    /// What a successor needs; nothing of a compressed file, which he reads from its start.
    pub fn kept(&self, reader: impl FnOnce() -> Vec<u8>) -> Option<Vec<u8>> {
        let (kind, kept) = match self {
            Self::First(first) => (FIRST, first.clone()),
            Self::Plain => (READER, reader()),
        };
        Some([&[kind], &kept[..]].concat())
    }

    pub fn compression(&self) -> Option<&'static str> {
        None
    }

    /// Takes bytes of the upload.
    ///
    /// # Errors
    /// What it is that is not read.
    pub fn take(&mut self, bytes: Bytes) -> Result<Unpacked, Unusable> {
        let bytes = match self {
            Self::First(first) => {
                first.extend_from_slice(&bytes);
                if first.len() < FIRST_BYTES {
                    return Ok(plain(Bytes::new()));
                }
                let first = std::mem::take(first);
                self.tell(&first)?;
                first.into()
            }
            Self::Plain => bytes,
        };
        Ok(plain(bytes))
    }

    /// The upload ends here: what is left of the file.
    ///
    /// # Errors
    /// `truncated` where a compressed file is cut.
    pub fn end(&mut self) -> Result<Bytes, Unusable> {
        let Self::First(first) = self else {
            return Ok(Bytes::new());
        };
        let first = std::mem::take(first);
        self.tell(&first)?;
        Ok(first.into())
    }

    fn tell(&mut self, first: &[u8]) -> Result<(), Unusable> {
        match told(first)? {
            Told::Plain => *self = Self::Plain,
            Told::Gzip | Told::Zstd => {
                return Err(Unusable::of(
                    "unsupported_file",
                    "compressed files are to come",
                ));
            }
        }
        Ok(())
    }
}

fn plain(bytes: Bytes) -> Unpacked {
    Unpacked { bytes, rest: None }
}
