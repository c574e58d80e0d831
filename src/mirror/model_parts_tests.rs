//! What the model of a mirror is made of: what may happen, and a legacy store in memory.

use super::send::Action;
use crate::legacy::{Found, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const SECOND: i64 = 1_000_000;
/// For so long a store knows the version of what was deleted.
pub const REMEMBERED: i64 = 60 * SECOND;
/// So long after it began a page may have sent something.
pub const TURN: i64 = 20 * SECOND;

/// What may happen. People are named by one of six ids.
#[derive(Clone, Debug)]
pub enum Happening {
    /// Live, or a record that is so many seconds old.
    Write {
        id: u8,
        field: u8,
        value: Value,
        age: u8,
    },
    Merge {
        into: u8,
        from: u8,
    },
    Split(u8),
    Erase(u8),
    /// A legacy store says itself that it has deleted somebody whom nobody has here.
    ToldGone(u8),
    Whole,
    Walk,
    Pass(u8),
    /// The relay takes its next step.
    Step,
    /// Of what it sends so many lines arrive, the others so many seconds later or never; nothing is answered.
    SendAndFail {
        arrive: u8,
        later: Option<u8>,
    },
    /// Somebody else has the turn.
    Kill,
}

/// A legacy store: it takes what has a higher version than what it knows.
#[derive(Debug, Default)]
pub struct LegacyStore {
    pub documents: BTreeMap<String, (i64, Value)>,
    deleted: BTreeMap<String, (i64, i64)>,
}

impl LegacyStore {
    pub fn found(&self, id: &str) -> Option<Found> {
        let (version, source) = self.documents.get(id).cloned()?;
        let source = source.to_string().into();
        Some(Found {
            version,
            source,
            ..Found::default()
        })
    }

    pub fn take(&mut self, now: i64, sending: &Sending) -> Outcome {
        let document = self.documents.get(&sending.id).map(|(version, _)| *version);
        let deleted = self
            .deleted
            .get(&sending.id)
            .filter(|(_, until)| *until > now);
        let known = document.max(deleted.map(|(version, _)| *version));
        let status = match (&sending.action, known) {
            (_, Some(known)) if known >= sending.version => 409,
            (Action::Put(document), _) => {
                self.deleted.remove(&sending.id);
                let document = serde_json::from_str(document).expect("a document");
                let document = (sending.version, document);
                self.documents.insert(sending.id.clone(), document);
                200
            }
            (Action::Withheld(_), _) => 400,
            (Action::Delete | Action::DeleteAfter, _) => {
                let grave = (sending.version, now + REMEMBERED);
                self.deleted.insert(sending.id.clone(), grave);
                let was = self.documents.remove(&sending.id);
                if was.is_some() { 200 } else { 404 }
            }
        };
        let reason = String::new();
        Outcome { status, reason }
    }
}

/// A line on its way.
#[derive(Clone, Debug)]
pub struct Sending {
    pub id: String,
    pub version: i64,
    pub action: Action,
}

/// `latest`: so many seconds later at the most arrives what was sent and not answered.
pub fn happening(latest: u8) -> impl Strategy<Value = Happening> {
    let id = || 0_u8..6;
    let value = prop::sample::select(vec![json!(1), json!("x"), json!({"k": [1]}), Value::Null]);
    let write = (
        id(),
        0_u8..3,
        value,
        prop_oneof![3 => Just(0_u8), 1 => any::<u8>()],
    );
    let write = write.prop_map(|(id, field, value, age)| Happening::Write {
        id,
        field,
        value,
        age,
    });
    let later = prop::option::of(0..latest);
    let fails =
        (0_u8..3, later).prop_map(|(arrive, later)| Happening::SendAndFail { arrive, later });
    prop_oneof![
        8 => write,
        2 => (id(), id()).prop_map(|(into, from)| Happening::Merge { into, from }),
        1 => id().prop_map(Happening::Split),
        2 => id().prop_map(Happening::Erase),
        1 => id().prop_map(Happening::ToldGone),
        1 => Just(Happening::Whole),
        1 => Just(Happening::Walk),
        4 => (0_u8..100).prop_map(Happening::Pass),
        16 => Just(Happening::Step),
        3 => fails,
        2 => Just(Happening::Kill),
    ]
}
