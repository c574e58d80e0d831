//! What was mended of an item: it is stored, but not just as it came.
//!
//! A road puts down what it mended, the gate adds what it did, and both go with the command to the answer, the metric and the list
//! that a person can look into. Nearly all items have none, so none costs a pointer.

use super::{Identity, Json};
use serde::Serialize;

/// Of one item no more are kept: junk in every field must not make an answer many times as large as its request.
const MOST: usize = 16;

/// Spellings of nothing, and odd ones of something: they are told and counted, but nothing was lost that a person would look up.
const SLIGHT: [&str; 4] = ["empty_object", "no_sent_at", "no_time", "odd_time"];

/// Something that was mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Stable, for metrics.
    pub code: &'static str,
    /// As the sender spells it.
    pub field: String,
    /// A sentence; never the item's own data but for the names of its fields.
    pub message: String,
}

impl Warning {
    /// A warning about one field.
    pub fn of(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        Self {
            code,
            field,
            message,
        }
    }

    /// True where nothing was lost: it is not listed.
    pub fn is_slight(&self) -> bool {
        SLIGHT.contains(&self.code)
    }

    /// What it holds.
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.field.len() + self.message.len()
    }
}

/// The warnings about one item.
#[derive(Clone, Debug, Default)]
pub struct Warnings(Option<Box<Held>>);

#[derive(Clone, Debug, Default)]
struct Held {
    list: Vec<Warning>,
    /// The item as it came.
    item: Option<Json>,
    /// Names that it says and that do not count.
    left_out: Vec<Identity>,
}

impl Warnings {
    /// Adds one; of more than a few nothing is kept, and of one field and code the first is enough.
    pub fn push(&mut self, warning: Warning) {
        let list = &mut self.0.get_or_insert_default().list;
        let is_alike =
            |known: &Warning| (known.code, &known.field) == (warning.code, &warning.field);
        if list.len() < MOST && !list.iter().any(is_alike) {
            list.push(warning);
        }
    }

    /// Adds one about a field.
    pub fn add(&mut self, code: &'static str, field: &str, message: impl Into<String>) {
        self.push(Warning::of(code, field, message));
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Warning] {
        self.0.as_ref().map_or(&[], |held| &held.list)
    }

    /// True of nearly all items.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Keeps names that do not count: whoever has one is named in what is listed of the item all the same.
    pub fn leave_out(&mut self, names: Vec<Identity>) {
        if !names.is_empty() {
            self.0.get_or_insert_default().left_out.extend(names);
        }
    }

    /// The names that do not count.
    pub fn left_out(&self) -> &[Identity] {
        self.0.as_ref().map_or(&[], |held| &held.left_out)
    }

    /// Keeps the item as it came, for who looks it up.
    pub fn keep(&mut self, item: Json) {
        if let Some(held) = &mut self.0 {
            held.item = Some(item);
        }
    }

    /// The item as it came, where it was kept.
    pub fn item(&self) -> Option<&Json> {
        self.0.as_ref()?.item.as_ref()
    }

    /// What they hold in memory.
    pub fn bytes(&self) -> usize {
        let Some(held) = &self.0 else { return 0 };
        let item = held.item.as_ref().map_or(0, |item| item.as_bytes().len());
        let names: usize = held.left_out.iter().map(Identity::bytes).sum();
        size_of::<Held>() + item + names + self.text_bytes()
    }

    /// What their texts hold: an answer repeats them.
    pub fn text_bytes(&self) -> usize {
        self.as_slice().iter().map(Warning::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_cost_a_pointer_and_many_are_bounded() {
        assert_eq!(size_of::<Warnings>(), size_of::<usize>());
        let mut warnings = Warnings::default();
        warnings.keep(Json::null());
        assert!(warnings.is_empty() && warnings.bytes() == 0);
        for number in 0..100 {
            warnings.add("code", &format!("field{}", number / 2), "a sentence");
        }
        assert_eq!(warnings.as_slice().len(), MOST);
        assert_eq!(warnings.as_slice()[1].field, "field1");
    }
}
