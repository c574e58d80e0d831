//! A body that can be read, whatever dialect it is written in.

use super::error::ApiError;
use crate::domain::json::mend;
use bytes::Bytes;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body that can be read: without byte order mark, mended (`domain::json::mend`), and valid UTF-8.
pub struct Document {
    /// What all values are views of.
    pub bytes: Bytes,
    depth: usize,
    has_exotic_number: bool,
}

impl Document {
    /// Makes a body readable.
    pub fn new(body: Bytes) -> Self {
        let body = if body.starts_with(BYTE_ORDER_MARK) {
            body.slice(BYTE_ORDER_MARK.len()..)
        } else {
            body
        };
        let mended = mend(body);
        let bytes = match std::str::from_utf8(&mended.body) {
            Ok(_) => mended.body,
            Err(_) => String::from_utf8_lossy(&mended.body).into_owned().into(),
        };
        Self {
            bytes,
            depth: mended.depth,
            has_exotic_number: mended.has_exotic_number,
        }
    }

    /// The text.
    ///
    /// # Errors
    /// Never: `new` made it UTF-8.
    pub fn text(&self) -> Result<&str, ApiError> {
        std::str::from_utf8(&self.bytes).map_err(|error| ApiError::InvalidJson(error.to_string()))
    }

    /// True where nothing in it can be too deep or have too large a number.
    pub fn is_within(&self, depth: usize) -> bool {
        self.depth <= depth && !self.has_exotic_number
    }
}
