//! A compressed file as it comes, piece by piece: all members of gzip and all frames of zstd, with bounded memory, and an end that is one.

use super::gunzip::Gunzip;
use super::signature::{Told, told};
use super::unusable::Unusable;
use zstd::stream::raw::{DParameter, Decoder, Operation};

/// The largest window that RFC 8878 asks every zstd decoder to take: 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Bytes written in one step.
const STEP: usize = 32 << 10;

/// Decompresses one file.
pub struct Inflater(Kind);

enum Kind {
    Plain,
    Gzip(Box<Gunzip>),
    Zstd(Box<Unzstd>),
}

struct Unzstd {
    decoder: Decoder<'static>,
    /// A frame has begun and has not ended.
    is_open: bool,
}

impl Inflater {
    /// For a file that begins so: `FIRST_BYTES` of it, or all where it has fewer.
    ///
    /// # Errors
    /// Where the file is of a kind that is not read.
    pub fn told(first: &[u8]) -> Result<Self, Unusable> {
        Ok(Self(match told(first)? {
            Told::Plain => Kind::Plain,
            Told::Gzip => Kind::Gzip(Box::default()),
            Told::Zstd => {
                let failed = |_| Unusable::of("compression", "the decoder of zstd can't be set up");
                let mut decoder = Decoder::new().map_err(failed)?;
                decoder
                    .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))
                    .map_err(failed)?;
                let is_open = false;
                Kind::Zstd(Box::new(Unzstd { decoder, is_open }))
            }
        }))
    }

    /// True of a file that is not compressed: its bytes can be taken as they are.
    pub fn is_plain(&self) -> bool {
        matches!(self.0, Kind::Plain)
    }

    /// Decompresses into `out`, about `most` bytes at a time, and tells how many bytes it took: with those that are left it is called
    /// again.
    ///
    /// # Errors
    /// `compression` where the stream is broken, or its window is over the limit.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        most: usize,
    ) -> Result<usize, Unusable> {
        let limit = out.len().saturating_add(most.max(1));
        let mut taken = 0;
        while taken < bytes.len() && out.len() < limit {
            let rest = &bytes[taken..];
            taken += match &mut self.0 {
                Kind::Plain => {
                    let count = rest.len().min(limit - out.len());
                    out.extend_from_slice(&rest[..count]);
                    count
                }
                Kind::Gzip(gunzip) => gunzip.step(rest, out, STEP)?,
                Kind::Zstd(unzstd) => unzstd.step(rest, out)?,
            };
        }
        Ok(taken)
    }

    /// Writes what is still inside of a decoder; true where that may not be all. Call it when all bytes are taken.
    ///
    /// # Errors
    /// As `feed`.
    pub fn drain(&mut self, out: &mut Vec<u8>) -> Result<bool, Unusable> {
        let before = out.len();
        match &mut self.0 {
            Kind::Plain => {}
            Kind::Gzip(gunzip) => _ = gunzip.step(&[], out, STEP)?,
            Kind::Zstd(unzstd) => _ = unzstd.step(&[], out)?,
        }
        Ok(out.len() > before)
    }

    /// The file ends here.
    ///
    /// # Errors
    /// `truncated` where a member or a frame has not ended.
    pub fn end(&self) -> Result<(), Unusable> {
        let is_open = match &self.0 {
            Kind::Plain => false,
            Kind::Gzip(gunzip) => gunzip.is_open(),
            Kind::Zstd(unzstd) => unzstd.is_open,
        };
        if is_open {
            let message = "the compressed file was cut off: what came before is stored";
            return Err(Unusable::of("truncated", message));
        }
        Ok(())
    }
}

impl Unzstd {
    fn step(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Unusable> {
        let mut step = [0; STEP];
        let status = self.decoder.run_on_buffers(bytes, &mut step);
        let status = status.map_err(|error| refused(&error))?;
        out.extend_from_slice(&step[..status.bytes_written]);
        if status.bytes_read > 0 || status.bytes_written > 0 {
            self.is_open = status.remaining > 0;
        }
        Ok(status.bytes_read)
    }
}

fn refused(error: &std::io::Error) -> Unusable {
    if error.to_string().contains("too much memory") {
        let message = "the window of the zstd file is over the limit of 8 MiB: compress it without --long and --ultra";
        return Unusable::of("compression", message);
    }
    if error.to_string().contains("Dictionary") {
        let message = "the zstd file was compressed with a dictionary, which is not here: compress it without one";
        return Unusable::of("compression", message);
    }
    Unusable::of(
        "compression",
        "the zstd file is broken, or something follows it",
    )
}

#[cfg(test)]
#[path = "inflater_tests.rs"]
mod tests;
