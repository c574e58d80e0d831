//! Events by image: `GET /pixel/v1/{track,page}?writeKey=…&k=v`, for mails and pages without scripts (contract section 5). Beacons are
//! posted there: what their body says, as an object or as a form, counts as well.
//!
//! The answer is always the image: there is nobody to read an error. What can't be taken is counted, and listed where its
//! project is known.

use super::call::Source;
use super::items::{self, Form};
use super::receive::store;
use super::signed::Signing;
use crate::api::State;
use crate::api::body;
use crate::api::buffer::Buffer;
use crate::api::charge::{Charge, grow};
use crate::api::credentials::Candidates;
use crate::api::document::{BYTE_ORDER_MARK, Document};
use crate::api::error::ApiError;
use crate::api::work::{by, deadline};
use crate::domain::{Class, ProjectId};
use crate::ingest::{Origin, Reservation};
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::{Map, Value};
use url::form_urlencoded;

/// One transparent pixel.
const GIF: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\
\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// Dots that nest; those after them are part of the last key. A bound, since nested values are dropped one in another.
const MOST_LEVELS: usize = 32;

/// Browsers post no larger beacon.
const MOST_POSTED: usize = 64 * 1024;
/// What the tree of a call takes for each byte of its text: a dotted key makes an object for each of its levels.
const BYTES_OF_TREE: usize = 300;

/// Stores what the query says and answers with the image.
pub async fn pixel(
    request: HttpRequest,
    payload: Payload,
    call: Path<String>,
    state: Data<State>,
) -> HttpResponse {
    if let Err(error) = by(deadline(&state), take(&request, payload, &call, &state)).await {
        metrics::counter!(crate::metric_names::PIXEL_ERRORS, "code" => error.verdict().code)
            .increment(1);
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "image/gif"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(GIF)
}

async fn take(
    request: &HttpRequest,
    payload: Payload,
    call: &str,
    state: &State,
) -> Result<(), ApiError> {
    let candidates = Candidates::of(request);
    let known = candidates.writer(&state.keys).await?;
    let (caller, key) = known.ok_or(ApiError::MissingKey)?;
    state.rates.check(caller.project_id, key)?;
    let (lane, limit) = (
        state.lanes.known.of(caller.project_id),
        state.server.max_body_bytes,
    );
    let posted = posted(request, payload, state, caller.project_id).await?;
    let (posted, _room) = posted;
    let mut buffer = Buffer::new(&lane, limit, 0);
    let mut tree = lane.room.try_reserve(0).ok_or(ApiError::Overloaded)?;
    grow(
        &mut tree,
        (posted.len() + request.query_string().len()) * BYTES_OF_TREE,
    )?;
    let said = document(request.query_string(), &posted)?;
    buffer.append(said.to_string().as_bytes())?;
    drop((said, tree));
    let mut body = Document::new(buffer.into_body(), limit)?;
    let room = body.room.take().ok_or(ApiError::Overloaded)?;
    let mut charge = Charge::new(room, limit);
    let received_at = state.clock.now();
    let carried = (&lane, &body.bytes);
    let signing = Signing::of(state, &caller, request.headers(), carried, received_at).await?;
    let source = Source {
        project_id: caller.project_id,
        class: Class::Live,
        by: caller.kind,
        signing,
        kinds: caller.kinds,
        received_at,
        sent_at: None,
        idempotency_key: None,
        path_type: Some(call.to_owned()),
    };
    let items = items::items(&body, &source, &state.limits, &mut charge)?;
    let origin = Origin {
        project_id: caller.project_id,
        class: Class::Live,
    };
    let form = Form::Single(call.to_owned());
    store(state, origin, (items, charge.into_room()?), &form, false).await?;
    Ok(())
}

/// The body of a beacon with its room, an object mended as other bodies are; of the usual request nothing.
async fn posted(
    request: &HttpRequest,
    payload: Payload,
    state: &State,
    project_id: ProjectId,
) -> Result<(Bytes, Option<Reservation>), ApiError> {
    if request.method() != Method::POST {
        return Ok((Bytes::new(), None));
    }
    let body = body::read(request, payload, state, Some(project_id)).await?;
    if body.bytes.len() > MOST_POSTED {
        return Err(ApiError::BodyTooLarge {
            size: body.bytes.len() as u64,
            limit: MOST_POSTED,
        });
    }
    let text = body.bytes.strip_prefix(BYTE_ORDER_MARK);
    if !is_object(text.unwrap_or(&body.bytes)) {
        return Ok((body.bytes, body.room));
    }
    let document = Document::new(body, state.server.max_body_bytes)?;
    Ok((document.bytes, document.room))
}

fn is_object(posted: &[u8]) -> bool {
    posted.trim_ascii_start().starts_with(b"{")
}

/// What was posted and the query as a call: a dotted key names a place within.
fn document(query: &str, posted: &[u8]) -> Result<Value, ApiError> {
    let (mut document, form) = match is_object(posted) {
        true => (object(posted)?, &[][..]),
        false => (Map::new(), posted),
    };
    let pairs = form_urlencoded::parse(form).chain(form_urlencoded::parse(query.as_bytes()));
    for (key, value) in pairs {
        if key != "writeKey" {
            put(&mut document, &key, Value::String(value.into_owned()));
        }
    }
    Ok(Value::Object(document))
}

fn object(text: &[u8]) -> Result<Map<String, Value>, ApiError> {
    serde_json::from_slice(text).map_err(|error| ApiError::InvalidJson(error.to_string()))
}

fn put(document: &mut Map<String, Value>, key: &str, value: Value) {
    let mut place = document;
    let mut parts = key.splitn(MOST_LEVELS, '.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            place.insert(part.to_owned(), value);
            return;
        }
        let next = place.entry(part).or_insert(Value::Null);
        if !next.is_object() {
            *next = Value::Object(Map::new());
        }
        match next {
            Value::Object(inner) => place = inner,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dotted_keys_nest() {
        assert_eq!(
            document(
                "writeKey=k&userId=u&event=A+b&properties.a.b=1&properties.c=%7B&x=1&x.y=2",
                b""
            )
            .expect("a call"),
            json!({
                "userId": "u",
                "event": "A b",
                "properties": { "a": { "b": "1" }, "c": "{" },
                "x": { "y": "2" },
            })
        );
    }

    #[test]
    fn what_is_posted_counts_and_the_query_before_it() {
        let expected = json!({"event": "A", "userId": "u"});
        for posted in [r#"{"event":"B","userId":"u"}"#, "event=B&userId=u"] {
            let said = document("event=A", posted.as_bytes());
            assert_eq!(said.expect("a call"), expected, "{posted}");
        }
    }

    #[test]
    fn ten_thousand_dots_are_harmless() {
        let document = document(&format!("a{}=1", ".a".repeat(10_000)), b"");
        let text = document.expect("a call").to_string();
        assert!(text.matches('{').count() <= MOST_LEVELS);
    }
}
