//! A body that can be read, whatever dialect it is written in.

use super::buffer::Body;
use super::error::ApiError;
use crate::domain::mend::{mend, survey};
use crate::ingest::Reservation;
use bytes::Bytes;

/// What some put before a text.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body that can be read: without byte order mark, mended (`domain::mend`), and valid UTF-8.
pub struct Document {
    /// What all values are views of.
    pub bytes: Bytes,
    /// Held until the last view is gone.
    pub room: Option<Reservation>,
    depth: usize,
    has_exotic_number: bool,
}

impl Document {
    /// Makes a body readable; what that adds counts against `limit` and needs room too.
    ///
    /// # Errors
    /// `DecodedTooLarge` where it is larger than `limit` once it is readable, `Overloaded` where there is no room for that.
    pub fn new(mut body: Body, limit: usize) -> Result<Self, ApiError> {
        if body.bytes.starts_with(BYTE_ORDER_MARK) {
            body.bytes = body.bytes.slice(BYTE_ORDER_MARK.len()..);
        }
        let too_large = ApiError::DecodedTooLarge { limit };
        let survey = survey(&body.bytes, limit).ok_or(too_large)?;
        if let Some(length) = survey.mended_bytes {
            body = replaced(body, length, |bytes| mend(bytes, length))?;
        }
        if std::str::from_utf8(&body.bytes).is_err() {
            let length = lossy_length(&body.bytes);
            if length > limit {
                return Err(ApiError::DecodedTooLarge { limit });
            }
            let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into();
            body = replaced(body, length, lossy)?;
        }
        Ok(Self {
            bytes: body.bytes,
            room: body.room,
            depth: survey.depth,
            has_exotic_number: survey.has_exotic_number,
        })
    }

    /// A text that was made readable elsewhere, in room that somebody else holds. What its values hold is still to be measured.
    pub fn of_text(bytes: Bytes) -> Self {
        Self {
            bytes,
            room: None,
            depth: usize::MAX,
            has_exotic_number: true,
        }
    }

    /// The same text, of which somebody else holds the room.
    pub fn without_room(&self) -> Self {
        Self {
            bytes: self.bytes.clone(),
            room: None,
            ..*self
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

/// The body rewritten, in room of its own that is taken before; the old one is given back.
fn replaced(
    body: Body,
    length: usize,
    rewrite: impl FnOnce(&[u8]) -> Bytes,
) -> Result<Body, ApiError> {
    let room = body.lane.room.try_reserve(length);
    Ok(Body {
        room: Some(room.ok_or(ApiError::Overloaded)?),
        bytes: rewrite(&body.bytes),
        lane: body.lane,
    })
}

/// The bytes of a text in which each broken sequence has become U+FFFD.
fn lossy_length(bytes: &[u8]) -> usize {
    let broken = char::REPLACEMENT_CHARACTER.len_utf8();
    let lengths = bytes.utf8_chunks().map(|chunk| {
        let mark = if chunk.invalid().is_empty() {
            0
        } else {
            broken
        };
        chunk.valid().len() + mark
    });
    lengths.sum()
}
