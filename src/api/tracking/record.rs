//! One call as a record of a topic has it: read as the route for single calls reads it, with the record's own time for that of receipt.
//! The same record gives the same command whenever it is read.

use super::call::{Source, Surroundings};
use super::envelope::{self, Batch, Call};
use super::fields::id;
use crate::api::document::Document;
use crate::api::error::ApiError;
use crate::domain::{
    Code, Command, EventId, Gate, Json, NameByPlace, Rejection, Timestamp, Warnings,
};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Reads the text of a call, which was mended before. The type stands in the call. One that stands in a file has a name by its place
/// (`id`), and when it was sent says nothing of a clock: that would make what is old new.
///
/// # Errors
/// Why it can't be taken.
pub fn command(
    text: &Bytes,
    gate: &Gate<'_>,
    id: Option<NameByPlace<'_>>,
) -> Result<Command, Rejection> {
    let document = Document::of_text(text.clone());
    let text = document.text().map_err(unreadable)?;
    let mut call = envelope::single(text).map_err(unreadable)?;
    call.sent_at = call.sent_at.filter(|_| id.is_none());
    let mut source = source(gate);
    if has_no_id(&call, gate) {
        let surroundings = surroundings(&source, gate, &document);
        let mut unheard = Warnings::default();
        let at = surroundings
            .occurred_at(&call, None, &mut unheard)
            .occurred_at;
        let by_place = id.map(|id| id(text.as_bytes()));
        source.idempotency_key = Some(by_place.unwrap_or_else(|| own_id(text, at)));
    }
    surroundings(&source, gate, &document).command(&call, None)
}

fn source(gate: &Gate<'_>) -> Source {
    Source {
        project_id: gate.project_id,
        class: gate.class,
        by: gate.by,
        kinds: Arc::new(gate.kinds.clone()),
        signing: None,
        received_at: gate.received_at,
        sent_at: None,
        idempotency_key: None,
        path_type: None,
    }
}

fn surroundings<'a>(
    source: &'a Source,
    gate: &Gate<'a>,
    document: &'a Document,
) -> Surroundings<'a> {
    Surroundings::new(source, gate.limits, document, &Batch::default())
}

/// One that stands for nothing is none.
fn has_no_id(call: &Call<'_>, gate: &Gate<'_>) -> bool {
    let own = id(call.message_id, "messageId");
    !own.is_ok_and(|id| id.is_some_and(|id| !gate.is_placeholder(&id)))
}

/// What a call without an id is called: after what it says and when it happened, so that a replay makes no second event.
fn own_id(text: &str, at: Timestamp) -> String {
    let said = serde_json::from_str::<&RawValue>(text)
        .map_or_else(|_| text.to_owned(), |raw| Json::of(&raw).canonical());
    EventId::of(&format!("{} {said}", at.micros()))
        .0
        .to_string()
}

fn unreadable(error: ApiError) -> Rejection {
    match error {
        ApiError::NotAnObject => {
            let message = "the record is JSON, but no object";
            Rejection::of(Code::NotAnObject, "value", message)
        }
        other => Rejection::of(Code::NotJson, "value", other.to_string()),
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
