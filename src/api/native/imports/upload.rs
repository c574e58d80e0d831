//! `HEAD`, `PATCH` and `DELETE /v1/imports/{id}`: an upload that goes on.
//!
//! Clients give a whole upload up, and begin a new one, where `HEAD` answers anything but 2xx or 423: so what can't be said at the
//! moment is 423. They go on after 409, 423 and 5xx of a `PATCH`, and end for good at any other 4xx.

use super::body::{Arrival, Arriving};
use super::{digest, headers, key_of, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::imports::{Intake, Job, JobKey, Opening, Stopped, in_one_piece, lacks_its_end, shown};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

/// Tells where an upload is.
pub async fn head(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match known(&request, &state).await {
        Ok(job) => {
            let mut reply = HttpResponse::Ok();
            headers::tell_all(&mut reply, &job);
            reply.finish()
        }
        Err(error) if error.verdict().status.is_server_error() => {
            HttpResponse::build(StatusCode::LOCKED)
                .insert_header(("retry-after", "1"))
                .insert_header(("cache-control", "no-store"))
                .finish()
        }
        Err(error) => reply::problem(&error),
    }
}

async fn known(request: &HttpRequest, state: &Data<State>) -> Result<Job, ApiError> {
    headers::is_tus(request)?;
    let key = key_of(request, state).await?;
    let job = state.imports.find(key).await?;
    let seconds = state.imports.settings().known_seconds;
    if headers::is_known(&job, state.clock.now(), seconds) {
        Ok(job)
    } else {
        Err(Stopped::Over(job.state).into())
    }
}

/// Takes the next bytes of an upload.
pub async fn patch(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    match take_piece(&request, payload, &state).await {
        Ok(job) => {
            let mut reply = HttpResponse::NoContent();
            headers::tell(&mut reply, &job);
            reply.finish()
        }
        Err(error) => reply::problem(&error),
    }
}

/// Ends an upload; what was taken in stays.
pub async fn delete(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let deleting = async {
        headers::is_tus(&request)?;
        let key = key_of(&request, &state).await?;
        Ok::<_, ApiError>(state.imports.cancel(key).await?)
    };
    match deleting.await {
        Ok(_) => HttpResponse::NoContent().finish(),
        Err(error) => reply::problem(&error),
    }
}

/// For senders whose way knows no other method than POST.
pub async fn overridden(
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> HttpResponse {
    let method = headers::text(&request, "x-http-method-override");
    match method.map(str::to_ascii_uppercase).as_deref() {
        Some("PATCH") => patch(request, payload, state).await,
        Some("DELETE") => delete(request, state).await,
        _ => reply::problem(&ApiError::MethodNotAllowed),
    }
}

async fn take_piece(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<Job, ApiError> {
    let is_tus = headers::is_tus(request)?;
    let key = key_of(request, state).await?;
    let is_piece = headers::media_type(request).is_none_or(|own| own == headers::PIECE);
    if is_tus && !is_piece {
        return Err(ApiError::NoPiece);
    }
    let offset = headers::number(request, "upload-offset")?;
    let offset = offset.ok_or_else(|| headers::invalid("Upload-Offset", "is missing"))?;
    let length = headers::length(request)?;
    let job = state.imports.find(key).await?;
    is_same_file(request, &job, offset)?;
    let length = length.or(job.length);
    let announced = headers::body_bytes(request);
    let end = offset.saturating_add(announced.unwrap_or(0));
    if let Some(length) = length.filter(|length| end > *length) {
        return Err(Stopped::OtherLength(length).into());
    }
    let is_last_again = lacks_its_end(&job) && offset + 1 == job.next_offset;
    let opening = Opening {
        offset: Some(offset + u64::from(is_last_again)),
        length,
        is_whole: offset == 0 && (announced.is_none() || announced == length),
    };
    if is_last_again {
        return ended(state.imports.open_at(key, opening).await?).await;
    }
    take(request, payload, state, (key, opening)).await
}

/// Holds what a sender says of the bytes before its piece against those that are done: another file is refused before a byte of it counts.
fn is_same_file(request: &HttpRequest, job: &Job, offset: u64) -> Result<(), ApiError> {
    let Some(said) = headers::text(request, headers::DONE) else {
        return Ok(());
    };
    let done = shown(job).checksum;
    if job.next_offset == offset && !said.eq_ignore_ascii_case(&done) {
        return Err(Stopped::Changed(offset).into());
    }
    Ok(())
}

/// Takes the body of a request at some place of an upload; ends the file where that was the last of it.
///
/// # Errors
/// Why it goes no further.
pub async fn take(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    (key, opening): (JobKey, Opening),
) -> Result<Job, ApiError> {
    let expected = digest::expected(request)?;
    let announced = headers::body_bytes(request).unwrap_or(0);
    let mut intake;
    match expected {
        Some(expected) => {
            let body = expected.read(payload, state, key.0, announced).await?;
            intake = state.imports.open_at(key, opening).await?;
            intake.take(&body.bytes).await?;
            intake.settle().await?;
        }
        None => {
            intake = state.imports.open_at(key, opening).await?;
            let idle = state.imports.settings().idle_seconds;
            let arrived = Arriving::new(&mut intake).take(payload, idle).await?;
            if arrived == Arrival::Cut {
                return Err(ApiError::BodyCut);
            }
        }
    }
    ended(intake).await
}

/// The job after a piece: over, where that was the last.
async fn ended(mut intake: Intake) -> Result<Job, ApiError> {
    let is_last = intake.length() == Some(intake.offset());
    if is_last {
        return Ok(intake.end().await?);
    }
    if intake.is_compressed() {
        // Its offset stays 0: a client that hears 204 would send the same again for ever.
        return Err(Stopped::Refused(in_one_piece()).into());
    }
    Ok(intake.job().await?)
}
