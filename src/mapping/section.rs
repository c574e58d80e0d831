//! A table of the mapping file: what is read is taken out of it, and what is left in the end is unknown.

use super::place::{Place, Pointer};
use toml::{Table, Value};

/// A table of the file; what is left of it in the end is unknown.
pub(super) struct Section {
    pub name: String,
    pub left: Table,
    pub complaints: Vec<String>,
}

impl Section {
    pub fn complain(&mut self, complaint: impl Into<String>) {
        let complaint = complaint.into();
        let complaint = if self.name.is_empty() {
            complaint
        } else {
            format!("[{}] {complaint}", self.name)
        };
        self.complaints.push(complaint);
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.left.remove(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.complain(format!("{key} is a text"));
                None
            }
        }
    }

    pub fn flag(&mut self, key: &str) -> Option<bool> {
        match self.left.remove(key)? {
            Value::Boolean(flag) => Some(flag),
            _ => {
                self.complain(format!("{key} is true or false"));
                None
            }
        }
    }

    /// A text, or a list of texts.
    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let texts = texts(self.left.remove(key)?);
        if texts.is_none() {
            self.complain(format!("{key} is a text or a list of texts"));
        }
        texts
    }

    pub fn places(&mut self, key: &str) -> Option<Vec<Place>> {
        let texts = self.texts(key)?;
        Some(
            texts
                .iter()
                .filter_map(|text| self.place(key, text))
                .collect(),
        )
    }

    pub fn place(&mut self, key: &str, text: &str) -> Option<Place> {
        let place = Place::parse(text);
        place
            .map_err(|complaint| self.complain(format!("{key}: {complaint}")))
            .ok()
    }

    pub fn trait_at(&mut self, key: &str, text: &str) -> Option<Pointer> {
        let pointer = Pointer::of_trait(text).filter(|pointer| pointer.first().is_some());
        if pointer.is_none() {
            self.complain(format!(
                "{key}: {text:?} is neither a trait's name nor a JSON pointer"
            ));
        }
        pointer
    }

    pub fn section(&mut self, key: &str) -> Option<Self> {
        match self.left.remove(key)? {
            Value::Table(left) => {
                let name = if self.name.is_empty() {
                    key.to_owned()
                } else {
                    format!("{}.{key}", self.name)
                };
                Some(Self {
                    name,
                    left,
                    complaints: Vec::new(),
                })
            }
            _ => {
                self.complain(format!("{key} is a section"));
                None
            }
        }
    }

    pub fn finished(mut self) -> Vec<String> {
        let unknown: Vec<String> = self.left.keys().cloned().collect();
        for key in unknown {
            self.complain(format!("there is no key {key:?}"));
        }
        self.complaints
    }

    pub fn take_in(&mut self, section: Self) {
        let complaints = section.finished();
        self.complaints.extend(complaints);
    }
}

fn texts(value: Value) -> Option<Vec<String>> {
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(all) => all.into_iter().map(text).collect(),
        _ => None,
    }
}
