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
    /// Why no more can be unpacked: what is it that is not read; `compression` or `truncated` where it is broken. The bytes came before.
    pub failure: Option<Unusable>,
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
    pub fn take(&mut self, bytes: Bytes) -> Unpacked {
        let bytes = match self {
            Self::First(first) => {
                first.extend_from_slice(&bytes);
                if first.len() < FIRST_BYTES && !is_packed(first) {
                    return plain(Bytes::new());
                }
                self.tell()
            }
            Self::Plain | Self::Packed(..) => Ok(bytes),
        };
        match (self, bytes) {
            (_, Err(failure)) => broken(Bytes::new(), failure),
            (Self::Packed(inflater, _), Ok(bytes)) => unpacked(inflater, bytes),
            (Self::First(_) | Self::Plain, Ok(bytes)) => plain(bytes),
        }
    }

    /// The upload ends here: what is left of the file.
    pub fn end(&mut self) -> Unpacked {
        let told = match self {
            Self::First(_) => self.tell(),
            Self::Plain | Self::Packed(..) => Ok(Bytes::new()),
        };
        match (self, told) {
            (_, Err(failure)) => broken(Bytes::new(), failure),
            (Self::Packed(inflater, _), Ok(last)) => to_the_end(inflater, last),
            (Self::First(_) | Self::Plain, Ok(last)) => plain(last),
        }
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

/// True once the first bytes are those of a compressed file: its offset is 0 from there on, and may not be told as another before.
fn is_packed(first: &[u8]) -> bool {
    matches!(told(first), Ok(Told::Gzip | Told::Zstd))
}

fn plain(bytes: Bytes) -> Unpacked {
    Unpacked {
        bytes,
        rest: None,
        failure: None,
    }
}

fn broken(bytes: Bytes, failure: Unusable) -> Unpacked {
    Unpacked {
        failure: Some(failure),
        ..plain(bytes)
    }
}

fn unpacked(inflater: &mut Inflater, bytes: Bytes) -> Unpacked {
    let mut out = Vec::new();
    match fed(inflater, &bytes, &mut out) {
        Ok(taken) => Unpacked {
            rest: (taken < bytes.len()).then(|| bytes.slice(taken..)),
            ..plain(out.into())
        },
        Err(failure) => broken(out.into(), failure),
    }
}

fn fed(inflater: &mut Inflater, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Unusable> {
    let taken = inflater.feed(bytes, out, MOST)?;
    if taken == bytes.len() {
        while inflater.drain(out)? {}
    }
    Ok(taken)
}

/// Of a file of few bytes all is still to come; it may be much more than is unpacked at once.
fn to_the_end(inflater: &mut Inflater, last: Bytes) -> Unpacked {
    let (mut out, mut rest, mut failure) = (Vec::new(), Some(last), None);
    while let Some(bytes) = rest.take() {
        let unpacked = unpacked(inflater, bytes);
        out.extend_from_slice(&unpacked.bytes);
        (rest, failure) = (unpacked.rest, unpacked.failure);
    }
    let failure = failure.or_else(|| inflater.end().err());
    Unpacked {
        failure,
        ..plain(out.into())
    }
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
                let unpacked = unpack.take(bytes);
                assert_eq!(unpacked.failure, None);
                out.extend_from_slice(&unpacked.bytes);
                rest = unpacked.rest;
            }
            if let Some(kept) = unpack.kept(Vec::new) {
                unpack = Unpack::resumed(&kept).0;
            }
        }
        let end = unpack.end();
        assert_eq!(end.failure, None);
        out.extend_from_slice(&end.bytes);
        out
    }

    #[test]
    fn what_came_before_a_fault_is_handed_over_with_it() {
        let plain = b"{\"a\":1}\n".repeat(10_000);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &plain).expect("memory");
        let packed = encoder.finish().expect("memory");
        let (cut, mut wrong) = (packed[..packed.len() - 4].to_vec(), packed.clone());
        let check = packed.len() - 8;
        wrong[check] ^= 1;
        for (file, code) in [
            (cut, "truncated"),
            (wrong, "compression"),
            ([&packed[..], b"hello"].concat(), "compression"),
        ] {
            for size in [7, 100, 1 << 20] {
                let mut unpack = Unpack::resumed(&[]).0;
                let pieces = file.chunks(size).map(Bytes::copy_from_slice);
                let mut all: Vec<Unpacked> = pieces.map(|piece| unpack.take(piece)).collect();
                if all.iter().all(|own| own.failure.is_none()) {
                    all.push(unpack.end());
                }
                let out: Vec<u8> = all.iter().flat_map(|own| own.bytes.to_vec()).collect();
                let failure = all.iter().find_map(|own| own.failure.as_ref());
                assert_eq!(
                    (failure.map(|own| own.code), out == plain),
                    (Some(code), true),
                    "{size}"
                );
            }
        }
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
        let first = unpack.take(packed.into());
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

    #[test]
    fn a_compressed_file_is_told_by_a_few_bytes() {
        for (mark, name) in [(&b"\x1f\x8b"[..], "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")] {
            let mut unpack = Unpack::resumed(&[]).0;
            unpack.take(Bytes::from_static(&mark[..1]));
            assert_eq!(unpack.compression(), None);
            unpack.take(Bytes::copy_from_slice(&mark[1..]));
            assert_eq!(unpack.compression(), Some(name));
        }
    }
}
