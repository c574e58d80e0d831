//! One request from its key to its answer: authenticate, read, decode, parse, submit, answer.
//!
//! A key in a header or the query is checked before a byte of the body is read, so that a stranger's bomb is never inflated.

use super::call::Source;
use super::envelope;
use super::holes;
use super::items::{self, Form};
use super::reply;
use super::signed::Signing;
use crate::api::State;
use crate::api::answer::charged;
use crate::api::body;
use crate::api::buffer::Body;
use crate::api::charge::Charge;
use crate::api::credentials::{Candidates, query_value};
use crate::api::document::Document;
use crate::api::error::ApiError;
use crate::api::lane::Lane;
use crate::api::planned;
use crate::api::work::{by, deadline, work};
use crate::domain::loose_time::Claim;
use crate::domain::type_check::Terms;
use crate::domain::{Caller, Class, Item, Receipt, Timestamp};
use crate::ingest::{Origin, Reservation};
use actix_web::http::header::HeaderMap;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

/// What an answer with a result for each item takes, for one item.
const RESULT_BYTES: usize = 256;

/// A body that can be read, and the key in it where nothing before it had one.
struct Readable {
    document: Document,
    lane: Lane,
    key: Option<String>,
}

/// Items and what they hold.
type Held = (Vec<Item>, Reservation);

/// What a path says about the requests that come by it.
#[derive(Clone, Debug)]
pub struct Road {
    pub form: Form,
    pub class: Class,
}

/// Takes a request and answers it after the commit.
///
/// # Errors
/// Everything in `ApiError` but what has to do with paths.
pub async fn receive(
    request: &HttpRequest,
    payload: Payload,
    state: &State,
    road: Road,
) -> Result<HttpResponse, ApiError> {
    let candidates = Candidates::of(request);
    let known = by(deadline(state), candidates.writer(&state.keys)).await?;
    if let Some((caller, key)) = &known {
        state.rates.check(caller.project_id, key)?;
    }
    let known = known.map(|(caller, _)| caller);
    let project_id = known.as_ref().map(|caller| caller.project_id);
    let body = body::read(request, payload, state, project_id).await?;
    let until = deadline(state);
    by(until, take(request, body, state, road, known)).await
}

/// Submits items of one form and makes the answer of it.
///
/// # Errors
/// `Rejected` where a single call was refused; what `Ingest` says otherwise.
pub async fn store(
    state: &State,
    origin: Origin,
    (items, room): Held,
    form: &Form,
    want_results: bool,
) -> Result<HttpResponse, ApiError> {
    let told = want_results.then(|| items::told(&items));
    let receipts = if items.is_empty() {
        Vec::new()
    } else {
        state.ingest.submit(origin, items, Some(room)).await?
    };
    match (form, receipts.as_slice()) {
        (Form::Single(_), [Receipt::Rejected(rejection)]) => {
            Err(ApiError::Rejected(rejection.clone()))
        }
        _ => Ok(told.map_or_else(reply::success, |told| reply::results(&told, &receipts))),
    }
}

async fn take(
    request: &HttpRequest,
    body: Body,
    state: &State,
    road: Road,
    known: Option<Caller>,
) -> Result<HttpResponse, ApiError> {
    let received_at = state.clock.now();
    let is_batch = road.form == Form::Batch;
    let readable = read(body, known.is_none(), is_batch, state).await?;
    let caller = match known {
        Some(caller) => caller,
        None => caller_of_body(readable.key.as_deref(), state).await?,
    };
    let origin = Origin {
        project_id: caller.project_id,
        class: road.class,
    };
    let lane = readable.lane.clone();
    let carried = (&lane, &readable.document.bytes);
    let signing = Signing::of(state, &caller, request.headers(), carried, received_at).await?;
    let source = source(request, (caller, signing), received_at, &road);
    let mut held = parse(readable, source, state).await?;
    let fitting = (&mut *held.0, &mut held.1);
    planned::check(state, origin.project_id, fitting, &Terms::default()).await?;
    let want_results =
        query_value(request.query_string(), "results").is_some_and(|it| it == "true");
    let answer_bytes = if want_results {
        result_bytes(&held.0)
    } else {
        0
    };
    let answer_room = lane.room.try_reserve(answer_bytes);
    let _answer_room = answer_room.ok_or(ApiError::Overloaded)?;
    let answer = store(state, origin, held, &road.form, want_results).await;
    answer.and_then(|answer| charged(answer, &lane))
}

/// What an answer with results takes. What is told of mendings is held twice: beside the items, and in the answer.
fn result_bytes(items: &[Item]) -> usize {
    let warnings = items.iter().filter_map(Item::command);
    let warnings = warnings.map(|command| 2 * command.warning_bytes());
    RESULT_BYTES * items.len() + warnings.sum::<usize>()
}

/// Mends the body and, where it has to, finds the key in it.
async fn read(
    body: Body,
    want_key: bool,
    is_batch: bool,
    state: &State,
) -> Result<Readable, ApiError> {
    let (size, limit) = (body.bytes.len(), state.server.max_body_bytes);
    let lane = body.lane.clone();
    work(&lane.decoders.clone(), size, move || {
        let mut document = Document::new(body, limit)?;
        let key = match key_in(&document, want_key) {
            Err(ApiError::InvalidJson(reason)) if is_batch => {
                document = without_holes(&document, &lane, limit, reason)?;
                key_in(&document, want_key)?
            }
            key => key?,
        };
        Ok(Readable {
            document,
            lane,
            key,
        })
    })
    .await
}

fn key_in(document: &Document, want_key: bool) -> Result<Option<String>, ApiError> {
    match want_key {
        true => envelope::key_of(document.text()?),
        false => Ok(None),
    }
}

async fn parse(readable: Readable, source: Source, state: &State) -> Result<Held, ApiError> {
    let limits = state.limits.clone();
    let most_stored = state.server.max_body_bytes;
    let size = readable.document.bytes.len();
    let lane = readable.lane.clone();
    work(&lane.decoders, size, move || {
        let Readable { document, lane, .. } = readable;
        let held = |mut document: Document| {
            let room = document.room.take().or_else(|| lane.room.try_reserve(0));
            let mut charge = Charge::new(room.ok_or(ApiError::Overloaded)?, most_stored);
            let items = items::items(&document, &source, &limits, &mut charge)?;
            Ok((items, charge.into_room()?))
        };
        let is_batch = source.path_type.is_none();
        let copy = document.without_room();
        match held(document) {
            Err(ApiError::InvalidJson(reason)) if is_batch => {
                held(without_holes(&copy, &lane, most_stored, reason)?)
            }
            held => held,
        }
    })
    .await
}

/// A batch that can't be read as it stands, with something in its holes.
fn without_holes(
    document: &Document,
    lane: &Lane,
    limit: usize,
    reason: String,
) -> Result<Document, ApiError> {
    let text = document.text()?;
    // A hole becomes "null,".
    let most = limit.min(text.len().saturating_mul(5));
    let room = lane.room.try_reserve(most).ok_or(ApiError::Overloaded)?;
    let filled = holes::filled(text, most).ok_or(ApiError::InvalidJson(reason))?;
    let body = Body {
        bytes: filled.into(),
        room: Some(room),
        lane: lane.clone(),
    };
    Document::new(body, limit)
}

async fn caller_of_body(key: Option<&str>, state: &State) -> Result<Caller, ApiError> {
    let key = key.ok_or(ApiError::MissingKey)?;
    let found = state
        .keys
        .find(key)
        .await
        .map_err(|_| ApiError::Unavailable)?;
    let caller = found.ok_or(ApiError::UnknownKey)?;
    if !caller.kind.may_write() {
        return Err(ApiError::WriteKeyNeeded);
    }
    state.rates.check(caller.project_id, key)?;
    Ok(caller)
}

/// A header of what is no time says nothing.
fn sent_at(text: &str) -> Option<Timestamp> {
    match Claim::of_text(text) {
        Claim::At(at) | Claim::Odd(at) => Some(at),
        Claim::Nothing | Claim::Unreadable => None,
    }
}

/// A key in any script: as UTF-8, else byte by byte, so that each request with it is told to be the same.
fn idempotency_key(headers: &HeaderMap) -> Option<String> {
    let bytes = headers.get("Idempotency-Key")?.as_bytes();
    let in_utf8 = std::str::from_utf8(bytes).map(str::to_owned);
    let key = in_utf8.unwrap_or_else(|_| bytes.iter().copied().map(char::from).collect());
    let key = key.trim();
    (!key.is_empty()).then(|| key.to_owned())
}

fn source(
    request: &HttpRequest,
    (caller, signing): (Caller, Option<Signing>),
    received_at: Timestamp,
    road: &Road,
) -> Source {
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then_some(value)
    };
    Source {
        project_id: caller.project_id,
        class: road.class,
        by: caller.kind,
        signing,
        kinds: caller.kinds,
        received_at,
        sent_at: header("SentAt").and_then(sent_at),
        idempotency_key: idempotency_key(request.headers()),
        path_type: match &road.form {
            Form::Single(call) => Some(call.clone()),
            Form::Batch => None,
        },
    }
}
