//! Any JSON document, by what a mapping file says of it.

use super::debezium;
use super::envelope::Envelope;
use super::event::EventAt;
use super::extended;
use super::moment::Moments;
use super::names::{self, Sought};
use super::opened::{Action, Content, Opened};
use super::place::{Place, Pointer, View};
use super::shape::{Dots, Shape};
use super::{Control, Reading, Record, done, earliest, judged};
use crate::domain::{
    Code, Draft, Gate, GroupDraft, Json, Mode, Name, Rejection, Stamp, Timestamp, Warning,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a mapping file says.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub envelope: Envelope,
    pub identities: Sought,
    pub time: Time,
    pub delete: Delete,
    pub shape: Shape,
    pub group: Option<GroupAt>,
    pub event: Option<EventAt>,
    /// What stands between the values of a kind of identity, where a text may have several: the first counts.
    pub splits: Vec<(String, String)>,
}

/// When a record was true.
#[derive(Clone, Debug, Default)]
pub struct Time {
    pub at: Vec<Place>,
    pub moments: Moments,
    /// A record of a file whose time can't be read is as one without a time, instead of being refused.
    pub is_lenient: bool,
    /// What decides among records of one time.
    pub sequence: Vec<Place>,
    /// Traits with times of their own.
    pub traits: Vec<(String, Place)>,
}

/// Which records delete.
#[derive(Clone, Debug, Default)]
pub struct Delete {
    pub mark: Vec<Place>,
    /// What the mark is then, as text.
    pub values: Vec<String>,
    /// A record without a value deletes whom its key names.
    pub tombstones: bool,
    pub at: Vec<Place>,
}

/// Where the group stands that somebody belongs to.
#[derive(Clone, Debug)]
pub struct GroupAt {
    pub id: Place,
    pub traits: Option<Pointer>,
}

/// One record on its way through a mapping.
struct Reader<'a> {
    document: &'a Document,
    record: &'a Record<'a>,
    gate: &'a Gate<'a>,
    start: Timestamp,
    warnings: Vec<Warning>,
}

impl Document {
    /// True where what is made of a record may be many times as large: texts of the mapping's own, names that stand for paths, properties
    /// that say one place again and again.
    pub fn may_multiply(&self) -> bool {
        let properties = self.event.as_ref().map_or(0, |event| event.named.len());
        !self.shape.defaults.is_empty() || self.shape.dots != Dots::Keep || properties > 0
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Why it can't be taken.
    pub fn read(
        &self,
        record: &Record<'_>,
        gate: &Gate<'_>,
        start: Timestamp,
    ) -> Result<Reading, Rejection> {
        let opened = self.envelope.open(record, gate.limits.depth)?;
        let (document, warnings) = (self, Vec::new());
        let reader = Reader {
            document,
            record,
            gate,
            start,
            warnings,
        };
        match opened {
            Opened::Control(control) => Ok(Reading::Control(control)),
            Opened::Truncated => Ok(Reading::Truncated),
            Opened::Tombstone(key) if self.delete.tombstones => reader.tombstone(key),
            Opened::Tombstone(_) => Ok(Reading::Control(Control::Tombstone)),
            Opened::Content(content) => reader.content(content),
        }
    }

    /// True where a record says that it deletes.
    pub fn marks(&self, view: View<'_>) -> bool {
        let marks = self.delete.mark.iter().filter_map(|place| place.find(view));
        let mut marks = marks.filter_map(|mark| match mark {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Bool(_) | Value::Number(_) => Some(mark.to_string()),
            _ => None,
        });
        let is_one = |mark: &str| self.delete.values.iter().any(|own| own == mark);
        marks.any(|mark| is_one(&mark))
    }
}

impl Reader<'_> {
    /// The key stands for the row, since there is no other.
    fn tombstone(mut self, key: Option<Value>) -> Result<Reading, Rejection> {
        let none = Value::Null;
        let row = key.as_ref().unwrap_or(&none);
        let view = View {
            row,
            record: &none,
            key: key.as_ref(),
            headers: self.record.headers,
        };
        let at = self.record.at.unwrap_or(self.start);
        self.erase(view, at)
    }

    fn content(mut self, mut content: Content) -> Result<Reading, Rejection> {
        if content.action == Action::Upsert && self.document.marks(view(&content, self.record)) {
            content.action = Action::Delete;
            if self.document.envelope == Envelope::Debezium {
                content.row = debezium::deleted(content.key.as_ref(), Some(content.row));
            }
        }
        let view = view(&content, self.record);
        match &content.action {
            Action::Delete => {
                let at = self.deleted_at(view, content.at);
                self.erase(view, at)
            }
            Action::Rename(new_key) => self.rename(view, new_key, content.at),
            Action::Upsert => self.write(view, content.at),
        }
    }

    fn erase(&mut self, view: View<'_>, at: Timestamp) -> Result<Reading, Rejection> {
        let names = self.names(view)?;
        self.finish(Draft {
            names,
            erases: true,
            ..Draft::at(at)
        })
    }

    /// Both names are one person's by the source's word: nobody is erased.
    fn rename(
        &mut self,
        view: View<'_>,
        new_key: &Value,
        at: Option<Timestamp>,
    ) -> Result<Reading, Rejection> {
        let mut names = self.names(view)?;
        let (row, key) = (new_key, Some(new_key));
        names.extend(self.names(View {
            row,
            record: new_key,
            key,
            ..view
        })?);
        let at = at.or(self.record.at).unwrap_or(self.start);
        let explicit = names.len();
        self.finish(Draft {
            names,
            explicit,
            sequence: i64::MIN,
            ..Draft::at(at)
        })
    }

    fn write(&mut self, view: View<'_>, at: Option<Timestamp>) -> Result<Reading, Rejection> {
        let names = self.names(view)?;
        let at = self.written_at(view, at)?;
        let sequence = self.sequence(view);
        let shape = &self.document.shape;
        let (root, is_there) = root(&shape.root, view.row)?;
        let is_row = self.record.from.is_some_and(|from| from.is_row);
        let depth = self.gate.limits.depth;
        let shaped = shape.apply(root, is_row, depth, &mut self.warnings);
        if let Some(rejection) = shaped.refused {
            return Err(rejection);
        }
        let (record, gate, warnings) = (self.record, self.gate, &mut self.warnings);
        let event = self.document.event.as_ref();
        let event = event.map(|event| event.read(view, record, gate, warnings));
        let event = event.transpose()?;
        let is_whole = shape.whole && is_there && !shaped.has_unchanged;
        let times = self.times(view, &shaped.traits);
        let says_traits = event.is_none() || !shaped.traits.is_empty();
        let draft = Draft {
            names,
            traits: says_traits.then(|| Json::of(&shaped.traits)),
            event,
            mode: if is_whole {
                Mode::Document
            } else {
                Mode::Single
            },
            sequence,
            times,
            group: self.group(view),
            earliest: earliest(self.gate, at),
            ..Draft::at(at.unwrap_or(self.start))
        };
        self.finish(draft)
    }

    fn finish(&mut self, draft: Draft) -> Result<Reading, Rejection> {
        let warnings = std::mem::take(&mut self.warnings);
        Ok(done(judged(self.gate, draft)?, warnings))
    }

    fn names(&mut self, view: View<'_>) -> Result<Vec<Name>, Rejection> {
        let splits = self.record.from.map(|_| &*self.document.splits);
        self.document
            .identities
            .find(self.gate, view, splits, &mut self.warnings)
    }

    fn written_at(
        &mut self,
        view: View<'_>,
        envelope: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, Rejection> {
        let (document, before) = (self.document, self.warnings.len());
        let at = self.time_at(&document.time.at, view).or(envelope);
        if at.is_none()
            && self.record.from.is_some()
            && !document.time.is_lenient
            && let Some(warning) = self.warnings.get(before)
        {
            let message = warning.message.clone();
            return Err(Rejection::of(Code::InvalidTime, &warning.field, message));
        }
        if at.is_none() && !document.time.at.is_empty() {
            let message = "the record has no time: it counts as true since its source's start, or the file's time";
            self.warnings.push(Warning::of("no_time", "time", message));
        }
        Ok(at)
    }

    /// A row that a connector deleted carries the time of its last change, which is not that of its end.
    fn deleted_at(&mut self, view: View<'_>, envelope: Option<Timestamp>) -> Timestamp {
        let document = self.document;
        let own = self.time_at(&document.delete.at, view).or(envelope);
        let of_row = |reader: &mut Self| reader.time_at(&document.time.at, view);
        let found = own.or_else(|| match document.envelope {
            Envelope::Debezium => self.record.at.or_else(|| of_row(self)),
            Envelope::Bare | Envelope::Elasticsearch => of_row(self).or(self.record.at),
        });
        found.unwrap_or(self.start)
    }

    /// The first place that has a time. A time of 0 is none: sources write it where they have nothing.
    fn time_at(&mut self, places: &[Place], view: View<'_>) -> Option<Timestamp> {
        for place in places {
            let value = place.find(view).map(extended::plain);
            let Some(value) = value.filter(|value| !is_nothing(value)) else {
                continue;
            };
            match self.document.time.moments.read(&value) {
                Some(at) if at.micros() != 0 => return Some(at),
                Some(_) => {}
                None => {
                    let message = "it does not read as a time of the mapping's formats";
                    self.warnings
                        .push(Warning::of("not_a_time", place.to_string(), message));
                }
            }
        }
        None
    }

    fn sequence(&mut self, view: View<'_>) -> i64 {
        let places = self.document.time.sequence.iter();
        let found = places
            .filter_map(|place| Some((place, place.find(view)?)))
            .find(|(_, value)| !value.is_null());
        let Some((place, value)) = found else {
            return self.record.from.map_or(i64::MIN, |from| from.sequence());
        };
        sequence_of(&extended::plain(value)).unwrap_or_else(|| {
            let message = "it is no whole number: it decides nothing";
            self.warnings
                .push(Warning::of("not_a_sequence", place.to_string(), message));
            i64::MIN
        })
    }

    fn times(
        &mut self,
        view: View<'_>,
        traits: &Map<String, Value>,
    ) -> BTreeMap<String, Timestamp> {
        let document = self.document;
        let stated = document.time.traits.iter();
        let stated = stated.filter(|(name, _)| traits.contains_key(name));
        stated
            .filter_map(|(name, place)| {
                let at = self.time_at(std::slice::from_ref(place), view)?;
                Some((name.clone(), at))
            })
            .collect()
    }

    fn group(&mut self, view: View<'_>) -> Option<GroupDraft> {
        let places = self.document.group.as_ref()?;
        let (texts, _) = names::texts(places.id.find(view)?);
        let id = texts.into_iter().next()?;
        let traits = places
            .traits
            .as_ref()
            .and_then(|pointer| pointer.find(view.row));
        let traits = traits.filter(|traits| traits.is_object());
        let name = self.gate.name("group_id", &id, places.id.to_string());
        Some(GroupDraft {
            name,
            traits: traits.map(Json::of),
        })
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => {
            text.trim().is_empty() || text.starts_with("0000-00-00") || text.trim() == "0"
        }
        Value::Number(number) => number.as_f64() == Some(0.0),
        _ => false,
    }
}

/// Below that of live traffic, to which ties go.
pub fn sequence_of(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let number: i128 = text.parse().ok()?;
    let most = i128::from(Stamp::LIVE - 1);
    i64::try_from(number.clamp(i128::from(i64::MIN), most)).ok()
}

/// The object of traits; a record that does not have it says nothing of them.
fn root(pointer: &Pointer, row: &Value) -> Result<(Map<String, Value>, bool), Rejection> {
    match pointer.find(row) {
        Some(Value::Object(members)) => Ok((members.clone(), true)),
        None | Some(Value::Null) => Ok((Map::new(), false)),
        Some(_) => {
            let message = "the root of the traits is no object";
            Err(Rejection::of(
                Code::NotAnObject,
                &pointer.to_string(),
                message,
            ))
        }
    }
}

/// The text at a place of a record that nobody has read yet.
pub fn text_at(envelope: Envelope, place: &Place, record: &Record<'_>) -> Option<String> {
    /// Only to find the project: the gate holds records against the limit of their depth later.
    const DEPTH: usize = 100;
    let Ok(Opened::Content(content)) = envelope.open(record, DEPTH) else {
        return None;
    };
    let view = view(&content, record);
    names::texts(place.find(view)?).0.into_iter().next()
}

/// What places of a record are looked up in.
pub fn view<'v>(content: &'v Content, record: &'v Record<'_>) -> View<'v> {
    View {
        row: &content.row,
        record: content.record(),
        key: content.key.as_ref(),
        headers: record.headers,
    }
}
