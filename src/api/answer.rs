//! Answers that hold their room until they are read: a caller that asks and never reads takes from its own lane, not from
//! everybody's memory.
//!
//! actix copies what is ready into a buffer of its connection, so that a large answer is handed over in small pieces, and only
//! as fast as it is read. A connection on which nothing moves is closed after `server.write_timeout_ms`.

use super::error::ApiError;
use super::lane::Lane;
use crate::ingest::Reservation;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What one step hands to the connection.
const PIECE: usize = 16 * 1024;
/// Answers up to this size live in the buffer that every connection has.
const SMALL: usize = 4 * 1024;

/// A whole text on its way out, with its room.
#[derive(Debug)]
pub struct Answer {
    rest: Bytes,
    _room: Reservation,
}

impl Answer {
    /// A text for which there is room.
    pub fn new(text: Bytes, room: Reservation) -> Self {
        Self {
            rest: text,
            _room: room,
        }
    }

    /// The next piece; `None` at the end.
    pub fn piece(&mut self) -> Option<Bytes> {
        let length = self.rest.len().min(PIECE);
        (length > 0).then(|| self.rest.split_to(length))
    }
}

impl MessageBody for Answer {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.piece().map(Ok))
    }
}

/// Takes room for an answer until it is sent.
///
/// # Errors
/// `Overloaded` where there is none.
pub fn charged(response: HttpResponse, lane: &Lane) -> Result<HttpResponse, ApiError> {
    let BodySize::Sized(size) = response.body().size() else {
        return Ok(response);
    };
    if size <= SMALL as u64 {
        return Ok(response);
    }
    let room = lane.room.try_reserve(size as usize);
    let room = room.ok_or(ApiError::Overloaded)?;
    Ok(response.map_body(|_, body| match body.try_into_bytes() {
        Ok(text) => BoxBody::new(Answer::new(text, room)),
        Err(body) => body,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;

    #[tokio::test]
    async fn an_answer_holds_its_room_until_it_is_sent() {
        let lane = Lane::new(100_000, 1);
        let text = "x".repeat(40_000);
        let answer = charged(HttpResponse::Ok().body(text.clone()), &lane).expect("room");
        assert_eq!(lane.room.available_bytes(), 60_000);
        let sent = to_bytes(answer.into_body()).await.expect("memory");
        assert_eq!((sent.len(), lane.room.available_bytes()), (40_000, 100_000));
        let lane = Lane::new(10_000, 1);
        assert!(charged(HttpResponse::Ok().body(text), &lane).is_err());
    }
}
