//! One request from its key to its answer: authenticate, read, decode, parse, submit, answer.
//!
//! A key in a header or the query is checked before a byte of the body is read, so that a stranger's bomb is never inflated.

use super::call::Source;
use super::envelope::{self, Document};
use super::items::{self, Form};
use super::reply;
use crate::api::State;
use crate::api::answer::charged;
use crate::api::body::{self, LIGHT_BYTES, heavily};
use crate::api::buffer::Body;
use crate::api::credentials::{Candidates, query_value};
use crate::api::error::ApiError;
use crate::api::lane::Lane;
use crate::config::millis;
use crate::domain::{Caller, Item, Receipt, Timestamp};
use crate::ingest::Reservation;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use tokio::time::{Instant, timeout_at};

/// A body that can be read, and the key in it where nothing before it had one.
struct Readable {
    document: Document,
    lane: Lane,
    key: Option<String>,
}

/// Takes a request and answers it after the commit.
///
/// # Errors
/// Everything in `ApiError` but what has to do with paths.
pub async fn receive(
    request: &HttpRequest,
    payload: Payload,
    state: &State,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    let known = by(deadline(state), Candidates::of(request).caller(&state.keys)).await?;
    let body = body::read(request, payload, state, known.is_some()).await?;
    let until = deadline(state);
    by(until, take(request, body, state, form, known)).await
}

/// Submits items of one form and makes the answer of it.
///
/// # Errors
/// `Rejected` where a single call was refused; what `Ingest` says otherwise.
pub async fn store(
    state: &State,
    items: Vec<Item>,
    form: &Form,
    want_results: bool,
) -> Result<HttpResponse, ApiError> {
    let names = want_results.then(|| items::names(&items));
    let receipts = if items.is_empty() {
        Vec::new()
    } else {
        state.ingest.submit(items).await?
    };
    match (form, receipts.as_slice()) {
        (Form::Single(_), [Receipt::Rejected(rejection)]) => {
            Err(ApiError::Rejected(rejection.clone()))
        }
        _ => Ok(names.map_or_else(reply::success, |names| reply::results(&names, &receipts))),
    }
}

/// Waits no longer than a sender does.
///
/// # Errors
/// `Timeout`; whether anything was stored is not known then, and sending it again is safe.
pub async fn by<T>(
    until: Instant,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    timeout_at(until, work)
        .await
        .unwrap_or(Err(ApiError::Timeout))
}

/// The end of the time for a request that starts now.
pub fn deadline(state: &State) -> Instant {
    Instant::now() + millis(state.server.request_timeout_ms)
}

async fn take(
    request: &HttpRequest,
    body: Body,
    state: &State,
    form: Form,
    known: Option<Caller>,
) -> Result<HttpResponse, ApiError> {
    let received_at = (state.now)();
    let readable = read(body, known.is_none(), state).await?;
    let caller = match known {
        Some(caller) => caller,
        None => caller_of_body(readable.key.as_deref(), state).await?,
    };
    let source = source(request, caller, received_at, &form);
    let lane = readable.lane.clone();
    let (items, room) = parse(readable, source, state).await?;
    let want_results =
        query_value(request.query_string(), "results").is_some_and(|it| it == "true");
    let answer = store(state, items, &form, want_results).await;
    // The items were views of the body: its room is free only now.
    drop(room);
    answer.and_then(|answer| charged(answer, &lane))
}

/// Mends the body and, where it has to, finds the key in it.
async fn read(body: Body, want_key: bool, state: &State) -> Result<Readable, ApiError> {
    let (size, limit) = (body.bytes.len(), state.server.max_body_bytes);
    let lane = body.lane.clone();
    work(&lane.clone(), size, move || {
        let document = Document::new(body, limit)?;
        let key = if want_key {
            envelope::key_of(document.text()?)?
        } else {
            None
        };
        Ok(Readable {
            document,
            lane,
            key,
        })
    })
    .await
}

async fn parse(
    readable: Readable,
    source: Source,
    state: &State,
) -> Result<(Vec<Item>, Option<Reservation>), ApiError> {
    let limits = state.limits.clone();
    let size = readable.document.bytes.len();
    work(&readable.lane.clone(), size, move || {
        let items = items::items(&readable.document, &source, &limits)?;
        Ok((items, readable.document.room))
    })
    .await
}

/// Does the work here where it is light, else where it keeps nobody waiting.
async fn work<T: Send + 'static>(
    lane: &Lane,
    size: usize,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    if size <= LIGHT_BYTES {
        work()
    } else {
        heavily(&lane.decoders, work).await
    }
}

async fn caller_of_body(key: Option<&str>, state: &State) -> Result<Caller, ApiError> {
    let key = key.ok_or(ApiError::MissingKey)?;
    let found = state
        .keys
        .find(key)
        .await
        .map_err(|_| ApiError::Unavailable)?;
    found.ok_or(ApiError::UnknownKey)
}

fn source(request: &HttpRequest, caller: Caller, received_at: Timestamp, form: &Form) -> Source {
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then_some(value)
    };
    Source {
        project_id: caller.project_id,
        kinds: caller.kinds,
        received_at,
        sent_at: header("SentAt").and_then(Timestamp::parse),
        idempotency_key: header("Idempotency-Key").map(str::to_owned),
        path_type: match form {
            Form::Single(call) => Some(call.clone()),
            Form::Batch => None,
        },
    }
}
