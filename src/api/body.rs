//! From a socket to the whole, decoded body: in time, within the limits, with room reserved for every byte as it arrives.
//!
//! A slow or lying sender holds only room for what it really sent. A stranger, whose key can only be in the body itself, has
//! a little room for its beginning. Where that shows a known key the rest is inflated where there is plenty, else in the strangers' lane:
//! who fills that keeps nobody out whose key stands early.

use super::State;
use super::buffer::{Body, Buffer};
use super::credentials;
use super::error::ApiError;
use super::inflate::{Encoding, inflate};
use super::lane::Lane;
use crate::config::millis;
use crate::domain::ProjectId;
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web;
use futures_util::StreamExt;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Bytes beyond which work leaves the thread that serves other connections.
pub const LIGHT_BYTES: usize = 128 * 1024;
/// Bytes of a stranger's body in which a key counts as standing early.
const EARLY_BYTES: usize = 64 * 1024;

/// Reads and decodes the body of a request; `caller` is whose key came before it.
///
/// # Errors
/// `BodyTimeout`, `BodyCut`, `BodyTooLarge`, `DecodedTooLarge`, `UnsupportedEncoding`, `InvalidEncoding`, `Overloaded`,
/// `Timeout` where decoding found no thread in time.
pub async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    caller: Option<ProjectId>,
) -> Result<Body, ApiError> {
    read_at_most(request, payload, state, (caller, usize::MAX)).await
}

/// The same of a body that has no need of so many bytes as others.
///
/// # Errors
/// As `read`.
pub async fn read_at_most(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    (caller, most): (Option<ProjectId>, usize),
) -> Result<Body, ApiError> {
    let named = encoding_of(request);
    let limit = state.server.max_body_bytes.min(most);
    let announced = announced_bytes(request);
    if announced > limit as u64 {
        return Err(ApiError::BodyTooLarge {
            size: announced,
            limit,
        });
    }
    let lanes = &state.lanes;
    let lane = match caller {
        Some(project_id) => lanes.known.of(project_id),
        None => lanes.beginnings.clone(),
    };
    let buffer = Buffer::new(&lane, limit, announced as usize);
    let is_plain = matches!(named, Encoding::Identity | Encoding::Unknown);
    let arrival = receive(
        payload,
        buffer,
        caller.is_none().then_some((state, is_plain)),
    );
    let encoded = timeout(millis(state.server.body_timeout_ms), arrival)
        .await
        .map_err(|_| ApiError::BodyTimeout)??;
    let encoding = named.of_body(&encoded.bytes)?;
    if encoding == Encoding::Identity {
        return if caller.is_none() && !is_plain {
            moved(encoded, state).await
        } else {
            Ok(encoded)
        };
    }
    let decoding = decode(encoding, encoded, state, (caller.is_some(), limit));
    timeout(millis(state.server.request_timeout_ms), decoding)
        .await
        .unwrap_or(Err(ApiError::Timeout))
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

/// Gathers what arrives; a stranger's key is looked for once, as soon as it would have come if it came early. Of a body that is not
/// plain (false) only the length shows whether it has left its beginning.
async fn receive(
    mut payload: web::Payload,
    mut buffer: Buffer,
    mut strangers: Option<(&State, bool)>,
) -> Result<Body, ApiError> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| match error {
            PayloadError::Overflow => ApiError::Overloaded,
            _ => ApiError::BodyCut,
        })?;
        buffer.append(&chunk)?;
        let is_begun = |_: &mut _| buffer.bytes().len() >= EARLY_BYTES;
        match strangers.take_if(is_begun) {
            Some((state, true)) => buffer.change_to(&lane_of(buffer.bytes(), state).await?)?,
            Some((state, false)) => buffer.change_to(&state.lanes.strangers)?,
            None => {}
        }
    }
    if let Some((state, true)) = strangers {
        buffer.change_to(&lane_of(buffer.bytes(), state).await?)?;
    }
    Ok(buffer.into_body())
}

/// A stranger's body that turned out to be plain.
async fn moved(body: Body, state: &State) -> Result<Body, ApiError> {
    let lane = lane_of(&body.bytes, state).await?;
    let room = lane.room.try_reserve(body.bytes.len());
    let room = Some(room.ok_or(ApiError::Overloaded)?);
    Ok(Body { room, lane, ..body })
}

/// The lane for a stranger whose body begins so. It trusts what looks like a known key: whose the body is, is decided when all
/// of it is read.
async fn lane_of(beginning: &[u8], state: &State) -> Result<Lane, ApiError> {
    let beginning = &beginning[..beginning.len().min(EARLY_BYTES)];
    let Some(key) = credentials::early_key(beginning) else {
        return Ok(state.lanes.strangers.clone());
    };
    let found = state.keys.find(&key).await;
    let lanes = &state.lanes;
    Ok(match found.map_err(|_| ApiError::Unavailable)? {
        Some(caller) => lanes.known.of(caller.project_id),
        None => lanes.strangers.clone(),
    })
}

fn encoding_of(request: &HttpRequest) -> Encoding {
    let values = request.headers().get_all(CONTENT_ENCODING);
    let names: Result<Vec<&str>, _> = values.map(|value| value.to_str()).collect();
    names.map_or(Encoding::Unknown, |names| Encoding::parse(&names.join(",")))
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
    (is_known, limit): (bool, usize),
) -> Result<Body, ApiError> {
    let mut small = Buffer::new(&encoded.lane, LIGHT_BYTES.min(limit), 0);
    let is_whole = match inflate(encoding, &encoded.bytes, &mut |piece| small.append(piece)) {
        Ok(()) => true,
        Err(ApiError::DecodedTooLarge { .. }) => false,
        Err(error) => return Err(error),
    };
    let lane = if is_known {
        encoded.lane.clone()
    } else {
        lane_of(small.bytes(), state).await?
    };
    if is_whole {
        small.change_to(&lane)?;
        return Ok(small.into_body());
    }
    drop(small);
    heavily(&lane.decoders.clone(), move || {
        let mut decoded = Buffer::new(&lane, limit, 0);
        inflate(encoding, &encoded.bytes, &mut |piece| decoded.append(piece))?;
        Ok(decoded.into_body())
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
