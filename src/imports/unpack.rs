//! The bytes of an upload as those of its file: told by the first of them, never by a name or a header.

use crate::files::{FIRST_BYTES, Inflater, Told, Unusable, told};
use bytes::Bytes;

/// What `kept` of a job begins with: first bytes that are too few to tell, or what the reader kept.
const FIRST: u8 = 0;
const READER: u8 = 1;
/// Bytes that are unpacked at once: a small piece of an upload may be a thousand times as much.
const MOST: usize = 160 << 10;

/// How far an upload is unpacked.
pub(super) enum Unpack {
    /// Too few bytes to tell.
    First(Vec<u8>),
    Plain,
    Packed(Inflater, &'static str),
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
            Self::Packed(..) => return None,
        };
        Some([&[kind], &kept[..]].concat())
    }

    /// How it is compressed, once that is known.
    pub fn compression(&self) -> Option<&'static str> {
        match self {
            Self::First(_) | Self::Plain => None,
            Self::Packed(_, name) => Some(name),
        }
    }

    /// Takes bytes of the upload.
    ///
    /// # Errors
    /// What it is that is not read; `compression` where it is broken.
    pub fn take(&mut self, bytes: Bytes) -> Result<Unpacked, Unusable> {
        let bytes = match self {
            Self::First(first) => {
                first.extend_from_slice(&bytes);
                if first.len() < FIRST_BYTES {
                    return Ok(plain(Bytes::new()));
                }
                self.tell()?
            }
            Self::Plain | Self::Packed(..) => bytes,
        };
        match self {
            Self::Packed(inflater, _) => unpacked(inflater, bytes),
            Self::First(_) | Self::Plain => Ok(plain(bytes)),
        }
    }

    /// The upload ends here: what is left of the file.
    ///
    /// # Errors
    /// `truncated` where a compressed file is cut.
    pub fn end(&mut self) -> Result<Bytes, Unusable> {
        let mut last = Bytes::new();
        if matches!(self, Self::First(_)) {
            last = self.tell()?;
        }
        let Self::Packed(inflater, _) = self else {
            return Ok(last);
        };
        // Of a file of few bytes all is still to come; it may be much more than is unpacked at once.
        let (mut out, mut rest) = (Vec::new(), Some(last));
        while let Some(bytes) = rest.take() {
            let unpacked = unpacked(inflater, bytes)?;
            out.extend_from_slice(&unpacked.bytes);
            rest = unpacked.rest;
        }
        inflater.end()?;
        Ok(out.into())
    }

    /// Tells by the first bytes, and gives them back.
    fn tell(&mut self) -> Result<Bytes, Unusable> {
        let Self::First(first) = self else {
            return Ok(Bytes::new());
        };
        let first = std::mem::take(first);
        *self = match told(&first)? {
            Told::Plain => Self::Plain,
            Told::Gzip => Self::Packed(Inflater::told(&first)?, "gzip"),
            Told::Zstd => Self::Packed(Inflater::told(&first)?, "zstd"),
        };
        Ok(first.into())
    }
}

fn plain(bytes: Bytes) -> Unpacked {
    Unpacked { bytes, rest: None }
}

fn unpacked(inflater: &mut Inflater, bytes: Bytes) -> Result<Unpacked, Unusable> {
    let mut out = Vec::new();
    let taken = inflater.feed(&bytes, &mut out, MOST)?;
    let rest = (taken < bytes.len()).then(|| bytes.slice(taken..));
    if rest.is_none() {
        while inflater.drain(&mut out)? {}
    }
    let bytes = out.into();
    Ok(Unpacked { bytes, rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file that comes out of an upload in pieces of a size, each taken by a successor of the one before where that can be.
    fn unpacked_by(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut unpack, mut out) = (Unpack::resumed(&[]).0, Vec::new());
        for piece in pieces {
            let mut rest = Some(Bytes::copy_from_slice(piece));
            while let Some(bytes) = rest.take() {
                let unpacked = unpack.take(bytes).expect("it is readable");
                out.extend_from_slice(&unpacked.bytes);
                rest = unpacked.rest;
            }
            if let Some(kept) = unpack.kept(Vec::new) {
                unpack = Unpack::resumed(&kept).0;
            }
        }
        out.extend_from_slice(&unpack.end().expect("it is whole"));
        out
    }

    #[test]
    fn however_an_upload_is_cut_it_is_the_same_file() {
        let plain = b"{\"a\":1}\n".repeat(100_000);
        let packed = zstd::encode_all(&plain[..], 3).expect("memory");
        for file in [&plain[..], &packed] {
            for size in [1, 7, 261, 262, 263, 100_000] {
                let pieces: Vec<&[u8]> = file[..file.len().min(600)].chunks(size).collect();
                let rest = &file[file.len().min(600)..];
                assert!(
                    unpacked_by(&[&pieces[..], &[rest]].concat()) == plain,
                    "{size}"
                );
            }
        }
        assert_eq!(unpacked_by(&[b"few"]), b"few");
        assert_eq!(unpacked_by(&[]), b"");
    }

    #[test]
    fn of_a_compressed_file_nothing_is_kept_and_a_little_comes_out_at_once() {
        let packed = zstd::encode_all(&vec![b'x'; 8 << 20][..], 19).expect("memory");
        let mut unpack = Unpack::resumed(&[]).0;
        let first = unpack.take(packed.into()).expect("it is readable");
        assert!(
            first.bytes.len() < MOST + (256 << 10),
            "{}",
            first.bytes.len()
        );
        assert_eq!(
            (unpack.kept(Vec::new), unpack.compression()),
            (None, Some("zstd"))
        );
    }
}
