//! From a readable body to its items: a command for each call that is valid, a record of each that is not.

use super::call::{Source, Surroundings};
use super::envelope::{self, Batch, Call};
use super::signed::redacted;
use crate::api::charge::Charge;
use crate::api::document::Document;
use crate::api::error::ApiError;
use crate::domain::sizes::beginning;
use crate::domain::{Code, Item, Json, Limits, Rejected, Rejection, Warning, Warnings};
use serde_json::value::RawValue;
use uuid::Uuid;

/// What a body holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// One call, whose type the path names.
    Single(String),
    /// A list named `batch`.
    Batch,
}

/// What an answer says of an item beside what became of it.
#[derive(Debug, Default)]
pub struct Told {
    /// Its own, where it has one.
    pub message_id: Option<String>,
    /// What was mended.
    pub warnings: Vec<Warning>,
}

/// Reads all items of a body, each charged for before the next is made.
///
/// # Errors
/// Where the body as a whole can't be taken: see `envelope::single`, `envelope::batch` and `Charge::take`.
pub fn items(
    document: &Document,
    source: &Source,
    limits: &Limits,
    charge: &mut Charge,
) -> Result<Vec<Item>, ApiError> {
    let text = document.text()?;
    if source.path_type.is_some() {
        let call = envelope::single(text)?;
        let reader = Reader::new(document, source, limits, &Batch::default());
        let item = reader.item(Some(&call), None, || text);
        charge.take(&item, &document.bytes)?;
        return Ok(vec![item]);
    }
    let batch = envelope::batch(text, limits.batch_items)?;
    let reader = Reader::new(document, source, limits, &batch);
    // Found only if a call is refused, and once.
    let texts = std::cell::OnceCell::<Vec<&RawValue>>::new();
    let text_of = |index: usize| {
        let texts = texts.get_or_init(|| envelope::texts_of_calls(text));
        texts.get(index).map_or("null", |raw| raw.get())
    };
    let mut items = Vec::with_capacity(batch.calls.len());
    for (index, call) in batch.calls.iter().enumerate() {
        let item = reader.item(call.as_ref(), Some(index), || text_of(index));
        charge.take(&item, &document.bytes)?;
        items.push(item);
    }
    Ok(items)
}

/// What is told of each item, for those who ask for results.
pub fn told(items: &[Item]) -> Vec<Told> {
    let one = |item: &Item| match item {
        Item::Command(command) => Told {
            message_id: command.event().map(|event| event.message_id.clone()),
            warnings: command.warnings().to_vec(),
        },
        Item::Rejected(rejected) => Told {
            message_id: rejected.message_id.clone(),
            warnings: Vec::new(),
        },
    };
    items.iter().map(one).collect()
}

struct Reader<'a> {
    surroundings: Surroundings<'a>,
    source: &'a Source,
    limits: &'a Limits,
}

impl<'a> Reader<'a> {
    fn new(
        document: &'a Document,
        source: &'a Source,
        limits: &'a Limits,
        batch: &Batch<'_>,
    ) -> Self {
        Self {
            surroundings: Surroundings::new(source, limits, document, batch),
            source,
            limits,
        }
    }

    fn item<'t>(
        &self,
        call: Option<&Call<'_>>,
        index: Option<usize>,
        text: impl Fn() -> &'t str,
    ) -> Item {
        let command = match call {
            Some(call) => self.surroundings.command(call, index),
            None => Err(not_an_object()),
        };
        match command {
            Ok(mut command) => {
                command.keep_item(|| kept(text().trim(), self.limits));
                Item::Command(command)
            }
            Err(rejection) => {
                // A number reads as an object without fields under serde_json's arbitrary precision.
                let mut rejection = if text().starts_with('{') {
                    rejection
                } else {
                    not_an_object()
                };
                let message_id = call.and_then(|call| self.message_id(call, index));
                Item::Rejected(Rejected {
                    project_id: self.source.project_id,
                    id: Uuid::now_v7(),
                    received_at: self.source.received_at,
                    names: std::mem::take(&mut rejection.names),
                    rejection,
                    message_id,
                    warnings: None,
                    item: kept(text().trim(), self.limits),
                })
            }
        }
    }

    /// The id of a refused call, cut to what it may have.
    fn message_id(&self, call: &Call<'_>, index: Option<usize>) -> Option<String> {
        let mut unheard = Warnings::default();
        let own = self.surroundings.message_id(call, index, &mut unheard)?;
        Some(beginning(&own.value, self.limits.message_id_bytes).to_owned())
    }
}

fn not_an_object() -> Rejection {
    Rejection {
        names: Vec::new(),
        code: Code::NotAnObject,
        field: None,
        message: "the item is no JSON object".to_owned(),
    }
}

/// What is kept of a refused item: itself where it is small and both databases take it, else its beginning as a text.
fn kept(text: &str, limits: &Limits) -> Json {
    let text = &*redacted(text);
    let beginning = beginning(text, limits.rejected_item_bytes);
    let whole = (beginning.len() == text.len())
        .then(|| RawValue::from_string(text.to_owned()).ok())
        .flatten();
    match whole.map(|raw| Json::of(&raw)) {
        Some(json) if json.check("item", limits.depth).is_ok() => json,
        _ => Json::of(&beginning),
    }
}

#[cfg(test)]
#[path = "items_tests.rs"]
mod tests;
