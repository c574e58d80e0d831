//! From a socket to the whole, decoded body: in time, within the limits, with room reserved for every byte as it arrives.
//!
//! A slow or lying sender holds only room for what it really sent. Room is given back when the body is dropped.

use super::State;
use super::error::ApiError;
use super::inflate::{Encoding, inflate};
use crate::config::millis;
use crate::ingest::{Admission, Reservation};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web;
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Bytes beyond which work leaves the thread that serves other connections.
pub const LIGHT_BYTES: usize = 128 * 1024;
const SMALLEST_STEP: usize = 1024;
const LARGEST_STEP: usize = 1024 * 1024;

/// A whole body and the room it takes.
#[derive(Debug)]
pub struct Body {
    /// The decoded bytes.
    pub bytes: Bytes,
    /// Held until the request is answered.
    pub room: Option<Reservation>,
}

/// Bytes that gather under a limit, each in room that was reserved before.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    room: Option<Reservation>,
    admission: Admission,
    limit: usize,
    expected: usize,
}

impl Buffer {
    /// An empty buffer that takes `limit` bytes at most and grows past `expected` only if it must.
    pub fn new(admission: &Admission, limit: usize, expected: usize) -> Self {
        Self {
            bytes: Vec::new(),
            room: None,
            admission: admission.clone(),
            limit,
            expected,
        }
    }

    /// Adds some bytes.
    ///
    /// # Errors
    /// `DecodedTooLarge` past the limit, `Overloaded` where there is no room.
    pub fn append(&mut self, more: &[u8]) -> Result<(), ApiError> {
        let needed = self.bytes.len() + more.len();
        if needed > self.limit {
            return Err(ApiError::DecodedTooLarge { limit: self.limit });
        }
        if needed > self.bytes.capacity() {
            self.grow(needed)?;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// Doubles while small, then goes in steps, and stops at what was announced.
    fn grow(&mut self, needed: usize) -> Result<(), ApiError> {
        let old = self.bytes.capacity();
        let stepped = old + old.clamp(SMALLEST_STEP, LARGEST_STEP);
        let bound = self.expected.max(needed).min(self.limit);
        let new = stepped.max(needed).min(bound);
        let more = self
            .admission
            .try_reserve(new - old)
            .ok_or(ApiError::Overloaded)?;
        match &mut self.room {
            Some(room) => room.absorb(more),
            None => self.room = Some(more),
        }
        self.bytes.reserve_exact(new - self.bytes.len());
        Ok(())
    }

    /// The bytes with their room.
    pub fn into_body(self) -> Body {
        Body {
            bytes: self.bytes.into(),
            room: self.room,
        }
    }
}

/// Reads and decodes the body of a request.
///
/// # Errors
/// `BodyTimeout`, `BodyCut`, `BodyTooLarge`, `DecodedTooLarge`, `UnsupportedEncoding`, `InvalidEncoding`, `Overloaded`.
pub async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    admission: &Admission,
) -> Result<Body, ApiError> {
    let encoding = encoding_of(request)?;
    let limit = state.server.max_body_bytes;
    let announced = announced_bytes(request);
    if announced > limit as u64 {
        return Err(ApiError::BodyTooLarge {
            size: announced,
            limit,
        });
    }
    let buffer = Buffer::new(admission, limit, announced as usize);
    let arrival = receive(payload, buffer);
    let encoded = timeout(millis(state.server.body_timeout_ms), arrival)
        .await
        .map_err(|_| ApiError::BodyTimeout)??;
    if encoding == Encoding::Identity {
        return Ok(encoded);
    }
    decode(encoding, encoded, state, admission.clone()).await
}

/// Reads a body to its end, or to its limit, and forgets it.
pub async fn discard(mut payload: web::Payload, state: &State) {
    let limit = state.server.max_body_bytes;
    let arrival = async {
        let mut total = 0;
        while let Some(Ok(chunk)) = payload.next().await {
            total += chunk.len();
            if total > limit {
                return;
            }
        }
    };
    // Too late or too much: the connection is closed after the answer, which is all that is needed.
    let _ = timeout(millis(state.server.body_timeout_ms), arrival).await;
}

async fn receive(mut payload: web::Payload, mut buffer: Buffer) -> Result<Body, ApiError> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| match error {
            PayloadError::Overflow => ApiError::Overloaded,
            _ => ApiError::BodyCut,
        })?;
        buffer.append(&chunk)?;
    }
    Ok(buffer.into_body())
}

fn encoding_of(request: &HttpRequest) -> Result<Encoding, ApiError> {
    match request.headers().get(CONTENT_ENCODING) {
        None => Ok(Encoding::Identity),
        Some(value) => Encoding::parse(value.to_str().map_err(|_| ApiError::UnsupportedEncoding)?),
    }
}

/// `Content-Length`, or 0 where the body is chunked: a hint, and a reason to refuse early.
fn announced_bytes(request: &HttpRequest) -> u64 {
    request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Decodes here what turns out small, and elsewhere, a few at a time, what doesn't.
async fn decode(
    encoding: Encoding,
    encoded: Body,
    state: &State,
    admission: Admission,
) -> Result<Body, ApiError> {
    let limit = state.server.max_body_bytes;
    let mut small = Buffer::new(&admission, LIGHT_BYTES.min(limit), 0);
    match inflate(encoding, &encoded.bytes, &mut small) {
        Err(ApiError::DecodedTooLarge { .. }) => drop(small),
        result => return result.map(|()| small.into_body()),
    }
    heavily(&state.decoders, move || {
        let mut decoded = Buffer::new(&admission, limit, 0);
        inflate(encoding, &encoded.bytes, &mut decoded).map(|()| decoded.into_body())
    })
    .await
}

/// Does heavy work on a thread for such work, with one of the permits.
///
/// The permit goes along: where the request is given up, the work goes on, and nobody may take its place before it ends.
pub async fn heavily<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let permit = permits
        .clone()
        .acquire_owned()
        .await
        .map_err(|_| ApiError::Draining)?;
    web::block(move || {
        let result = work();
        drop(permit);
        result
    })
    .await
    .map_err(|_| ApiError::Draining)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_follows_what_arrived() {
        let admission = Admission::new(10_000);
        let mut buffer = Buffer::new(&admission, 8_000, 600);
        buffer.append(&[1; 10]).expect("room");
        assert_eq!(admission.available_bytes(), 10_000 - 600);
        buffer.append(&[1; 590]).expect("room");
        assert_eq!(admission.available_bytes(), 10_000 - 600);
        buffer.append(&[1; 7_400]).expect("room");
        assert!(matches!(
            buffer.append(&[1]),
            Err(ApiError::DecodedTooLarge { limit: 8_000 })
        ));
        let body = buffer.into_body();
        assert_eq!(body.bytes.len(), 8_000);
        assert_eq!(admission.available_bytes(), 2_000);
        drop(body);
        assert_eq!(admission.available_bytes(), 10_000);
    }

    #[test]
    fn no_room_is_told_and_nothing_is_kept() {
        let admission = Admission::new(1_500);
        let mut buffer = Buffer::new(&admission, 8_000, 0);
        buffer.append(&[1; 1_000]).expect("room");
        assert!(matches!(
            buffer.append(&[1; 1_000]),
            Err(ApiError::Overloaded)
        ));
        drop(buffer);
        assert_eq!(admission.available_bytes(), 1_500);
    }

    #[test]
    fn a_lie_about_the_length_reserves_little() {
        let admission = Admission::new(1_000_000);
        let mut buffer = Buffer::new(&admission, 900_000, 900_000);
        buffer.append(b"{").expect("room");
        assert_eq!(admission.available_bytes(), 1_000_000 - SMALLEST_STEP);
    }
}
