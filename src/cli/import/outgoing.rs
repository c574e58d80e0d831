//! The bytes of one request, on their way.

use crate::imports::Checksum;
use bytes::Bytes;
use futures_util::stream;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a file that are read at once.
const BLOCK: u64 = 256 << 10;

/// What one request sends.
pub struct Outgoing {
    /// The byte of the upload behind its last.
    pub end: u64,
    /// The upload ends there.
    pub is_last: bool,
    pub bytes: Source,
    /// The checksum of all bytes before it, where the service is to hold it against its own.
    pub done: Option<Checksum>,
}

/// Where its bytes are.
pub enum Source {
    Held(Bytes),
    /// In a file, from one of its bytes to another: none of them is in memory before it is sent.
    File(Arc<File>, u64, u64),
}

impl Source {
    /// How many they are.
    pub const fn size(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::File(_, from, to) => *to - *from,
        }
    }

    /// As the body of a request, which counts what it has given out.
    pub fn body(self, given: Arc<AtomicU64>) -> reqwest::Body {
        match self {
            Self::Held(bytes) => bytes.into(),
            Self::File(file, from, to) => {
                reqwest::Body::wrap_stream(stream::try_unfold(from, move |at| {
                    let (file, given) = (file.clone(), given.clone());
                    async move {
                        if at == to {
                            return Ok::<_, io::Error>(None);
                        }
                        let read = tokio::task::spawn_blocking(move || block(&file, at, to));
                        let block = read.await.map_err(io::Error::other)??;
                        given.fetch_add(block.len() as u64, Ordering::Relaxed);
                        let next = at + block.len() as u64;
                        Ok(Some((block, next)))
                    }
                }))
            }
        }
    }
}

fn block(file: &File, at: u64, to: u64) -> io::Result<Bytes> {
    let size = usize::try_from(BLOCK.min(to - at)).map_err(io::Error::other)?;
    let mut block = vec![0; size];
    file.read_exact_at(&mut block, at)?;
    Ok(block.into())
}
