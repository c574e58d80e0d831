//! What a sample of records would come to: counts, types, times, and an example of each thing that is wrong. Pure; nothing is written.
//!
//! What is kept is bounded, whatever the records hold: so many names of each sort, each cut.

use super::survey_counts::{Counts, printable, shortened};
use super::survey_fields::Fields;
use super::survey_places::Places;
use super::{Mapping, Reading, Record};
use crate::domain::sizes::beginning;
use crate::domain::{Code, Command, IdentityKind, Rejection, Timestamp, TraitWrite, Warning};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// Kinds of identity, fields with warnings or times, and projects that are kept of each sort: more than a report shows anybody.
const MOST_NAMES: usize = 200;
/// Bytes of a reason: some repeat what the mapping looks for.
const MOST_REASON: usize = 400;
/// The largest records that are named.
const LARGEST: usize = 5;

/// What has been seen so far.
#[derive(Debug, Serialize)]
pub struct Survey {
    pub records: u64,
    pub bytes: u64,
    pub commands: Commands,
    /// Records about nobody, by sort.
    pub control: BTreeMap<&'static str, u64>,
    /// Marks that the source was emptied; each would pause it.
    pub truncated: u64,
    /// By code.
    pub rejections: BTreeMap<&'static str, Refused>,
    pub without_identity: u64,
    pub without_time: u64,
    /// Records without a key; `None` of files, which have none.
    pub without_key: Option<u64>,
    /// By kind.
    pub identities: Counts<u64>,
    /// By name, where records say whose they are; `None` where the mapping does not tell.
    pub projects: Option<Counts<u64>>,
    /// By dotted path of the traits that would be written.
    pub fields: Fields,
    /// By code, then by field.
    pub warnings: BTreeMap<&'static str, Counts<u64>>,
    /// By place.
    pub times: Counts<Span>,
    pub largest: Vec<Large>,
    #[serde(skip)]
    mapping: Mapping,
    #[serde(rename = "never_met", serialize_with = "unmet")]
    places: Places,
}

/// Commands by form.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Commands {
    pub upsert: u64,
    pub delete: u64,
    pub event: u64,
}

/// Records that were refused for one reason.
#[derive(Debug, Serialize)]
pub struct Refused {
    pub count: u64,
    /// The first of them, and what is wrong with it.
    pub place: String,
    pub reason: String,
}

/// The earliest and the latest of some times.
#[derive(Debug, Default, Serialize)]
pub struct Span {
    #[serde(serialize_with = "shown")]
    pub earliest: Option<Timestamp>,
    #[serde(serialize_with = "shown")]
    pub latest: Option<Timestamp>,
}

/// A large record.
#[derive(Debug, Serialize)]
pub struct Large {
    pub place: String,
    pub bytes: usize,
}

/// What the whole source would come to, if the rest is like the sample. People that several records name are counted each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    pub records: u64,
    pub bytes: u64,
    pub profiles_at_most: u64,
    pub identities_at_most: u64,
    pub events: u64,
}

impl Survey {
    /// Nothing seen yet. `has_keys`: the records come from where records have keys.
    pub fn new(mapping: &Mapping, has_keys: bool) -> Self {
        Self {
            records: 0,
            bytes: 0,
            commands: Commands::default(),
            control: BTreeMap::new(),
            truncated: 0,
            rejections: BTreeMap::new(),
            without_identity: 0,
            without_time: 0,
            without_key: has_keys.then_some(0),
            identities: Counts::of(MOST_NAMES),
            projects: mapping.project.as_ref().map(|_| Counts::of(MOST_NAMES)),
            fields: Fields::default(),
            warnings: BTreeMap::new(),
            times: Counts::of(MOST_NAMES),
            largest: Vec::new(),
            places: Places::of(&mapping.form),
            mapping: mapping.clone(),
        }
    }

    /// Keys of the mapping that no record has met, with what they look for.
    pub fn never_met(&self) -> &BTreeMap<String, String> {
        self.places.unmet()
    }

    /// Takes note of a record at a place, with what the mapping makes of it.
    pub fn take(
        &mut self,
        place: &str,
        bytes: usize,
        record: &Record<'_>,
        read: Result<Reading, Rejection>,
    ) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.note_size(place, bytes);
        self.note_key(record);
        if !self.note_project(record) {
            return self.refuse(place, &of_nobody());
        }
        let sight = self.places.look(record);
        self.note_times(sight.times);
        match read {
            Ok(Reading::Command { command, warnings }) => {
                self.warn(&warnings);
                self.command(&command, sight.has_time);
            }
            Ok(Reading::Control(control)) => {
                *self.control.entry(control.as_str()).or_default() += 1;
            }
            Ok(Reading::Truncated) => self.truncated += 1,
            Err(rejection) => self.refuse(place, &rejection),
        }
    }

    /// The whole, of so many records.
    pub fn estimate(&self, records: u64) -> Estimate {
        let share = |count: u64| {
            let whole = u128::from(count) * u128::from(records);
            let whole = whole.checked_div(u128::from(self.records));
            u64::try_from(whole.unwrap_or(0)).unwrap_or(u64::MAX)
        };
        let Commands { upsert, event, .. } = self.commands;
        Estimate {
            records,
            bytes: share(self.bytes),
            profiles_at_most: share(upsert + event),
            identities_at_most: share(self.identities.by_name.values().sum()),
            events: share(event),
        }
    }

    fn note_size(&mut self, place: &str, bytes: usize) {
        let is_among = self.largest.last().is_none_or(|last| last.bytes < bytes);
        if !is_among && self.largest.len() == LARGEST {
            return;
        }
        let place = shortened(place);
        self.largest.push(Large { place, bytes });
        self.largest
            .sort_by_key(|large| std::cmp::Reverse(large.bytes));
        self.largest.truncate(LARGEST);
    }

    fn note_key(&mut self, record: &Record<'_>) {
        if let Some(count) = &mut self.without_key {
            *count += u64::from(record.key.is_none_or(<[u8]>::is_empty));
        }
    }

    /// False of a record that does not say whose it is.
    fn note_project(&mut self, record: &Record<'_>) -> bool {
        let Some(projects) = &mut self.projects else {
            return true;
        };
        let name = self.mapping.project(record);
        if let Some(name) = &name {
            projects.note(name, |count| *count += 1);
        }
        name.is_some()
    }

    fn note_times(&mut self, times: Vec<(String, Timestamp)>) {
        for (place, at) in times {
            self.times.note(&place, |span| span.take(at));
        }
    }

    fn warn(&mut self, warnings: &[Warning]) {
        for warning in warnings {
            let of_code = self.warnings.entry(warning.code);
            let of_code = of_code.or_insert_with(|| Counts::of(MOST_NAMES));
            of_code.note(&warning.field, |count| *count += 1);
            if warning.code == "not_converted" {
                self.places.meet_unconverted(&warning.field);
            }
        }
    }

    fn command(&mut self, command: &Command, has_time: bool) {
        let forms = &mut self.commands;
        let form = match (command.erases(), command.event()) {
            (true, _) => &mut forms.delete,
            (false, Some(_)) => &mut forms.event,
            (false, None) => &mut forms.upsert,
        };
        *form += 1;
        // A deletion without a time has Kafka's.
        self.without_time += u64::from(!has_time && !command.erases());
        for subject in command.subjects() {
            for identity in subject.identities {
                let kind = identity.kind.as_str();
                self.identities.note(kind, |count| *count += 1);
            }
            let is_group = subject.identities[0].kind == IdentityKind::GroupId;
            let prefix = if is_group { "group." } else { "" };
            if let Some(write) = subject.traits {
                self.traits(prefix, write);
            }
        }
    }

    fn traits(&mut self, prefix: &str, write: &TraitWrite) {
        let traits = write.traits.iter();
        let traits = traits.filter_map(|(name, json)| {
            let value = serde_json::from_slice(json.as_bytes()).ok()?;
            Some((name.clone(), value))
        });
        let traits: serde_json::Map<String, Value> = traits.collect();
        self.fields.take(prefix, &traits);
        if prefix.is_empty() {
            let times = self.places.look_at_traits(&Value::Object(traits));
            self.note_times(times);
        }
    }

    fn refuse(&mut self, place: &str, rejection: &Rejection) {
        self.without_identity += u64::from(rejection.code == Code::MissingIdentity);
        let first = || Refused {
            count: 0,
            place: shortened(place),
            reason: printable(beginning(&rejection.to_string(), MOST_REASON)),
        };
        let refused = self.rejections.entry(rejection.code.as_str());
        refused.or_insert_with(first).count += 1;
    }
}

impl Span {
    fn take(&mut self, at: Timestamp) {
        self.earliest = Some(self.earliest.map_or(at, |known| known.min(at)));
        self.latest = self.latest.max(Some(at));
    }
}

fn of_nobody() -> Rejection {
    Rejection {
        names: Vec::new(),
        code: Code::UnknownProject,
        field: None,
        message: "the record does not say whose it is".to_owned(),
    }
}

fn shown<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(serializer)
}

fn unmet<S: Serializer>(places: &Places, serializer: S) -> Result<S::Ok, S::Error> {
    places.unmet().serialize(serializer)
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
