//! Roster's own answers beside those of the legacy store, off the way of whoever reads.
//!
//! Both sides move while people live, and they are read one after the other. So what differs is looked at again, and again, and counts
//! where each look finds it in the same place. What could not be looked at is not counted at all.

use super::known::Leaving;
use crate::domain::difference::{Difference, differences};
use crate::domain::{Caller, Json, ProfileId, Timestamp};
use crate::ingest::Reservation;
use crate::mapping::Reverse;
use crate::metric_names::{READ_MISMATCHES, READS_COMPARED, READS_NOT_COMPARED};
use crate::store::{Compared, ComparedKey, FieldMismatches, Profile, Reference};
use metrics::counter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// Pauses before what differs is looked at again.
pub(super) const LOOKS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(4)];
/// Comparisons that wait; their bytes are in the room of documents, too.
const LINE: usize = 256;
/// Fields with a name of their own in tables and metrics; the others are one.
const FIELDS: usize = 50;
const OTHER: &str = "other";
/// Where one side has nobody.
const PERSON: &str = "(person)";

/// One read that is to be compared.
pub(super) struct Compare {
    pub leaving: Arc<Leaving>,
    pub caller: Caller,
    pub now: Timestamp,
    pub reference: Reference,
    pub ours: Option<Account>,
    pub theirs: Option<Account>,
    /// What both accounts hold.
    pub _room: Reservation,
}

/// What one side says of somebody.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub id: Option<ProfileId>,
    pub traits: Json,
    /// Kinds and values.
    pub names: BTreeSet<(String, String)>,
}

/// Comparisons on their way, and what they came to.
pub(super) struct Comparisons {
    waiting: mpsc::Sender<Compare>,
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
pub(super) struct Sums {
    pub by_project: BTreeMap<ComparedKey, Compared>,
    has_news: bool,
}

impl Comparisons {
    pub fn new() -> (Self, mpsc::Receiver<Compare>) {
        let (waiting, line) = mpsc::channel(LINE);
        let sums = Mutex::default();
        (Self { waiting, sums }, line)
    }

    /// Puts a read into the line; where that is full it is left out.
    pub fn add(&self, compare: Compare) {
        if self.waiting.try_send(compare).is_err() {
            left_out();
        }
    }

    /// Counts a read that was compared, with what differed at each look.
    pub fn count(&self, leaving: &Leaving, who: Option<ProfileId>, found: &[Difference]) {
        counter!(READS_COMPARED).increment(1);
        let key = (leaving.project_id, leaving.reads.since);
        let mut sums = self.sums.lock().expect("no holder panics");
        sums.has_news = true;
        let own = sums.by_project.entry(key).or_default();
        own.reads += 1;
        own.mismatches += i64::from(!found.is_empty());
        let mut named = BTreeSet::new();
        for one in found {
            let field = field(own, one.field());
            if named.insert(field.clone()) {
                counter!(READ_MISMATCHES, "field" => field.clone()).increment(1);
                let mut seen = FieldMismatches::of(who, &one.path, &one.ours, &one.theirs);
                let before = own.fields.get(&field).map_or(0, |own| own.mismatches);
                seen.mismatches = before + 1;
                own.fields.insert(field, seen);
            }
        }
    }

    /// The sums, where there is something new in them. Those of before the last setting are forgotten once they were told.
    pub fn news(&self) -> Option<BTreeMap<ComparedKey, Compared>> {
        let mut sums = self.sums.lock().expect("no holder panics");
        std::mem::take(&mut sums.has_news).then(|| sums.by_project.clone())
    }

    /// They were not told: there still is something new.
    pub fn keep_news(&self) {
        self.sums.lock().expect("no holder panics").has_news = true;
    }

    /// Forgets the sums of settings that are over.
    pub fn forget(&self, is_over: impl Fn(&ComparedKey) -> bool) {
        let mut sums = self.sums.lock().expect("no holder panics");
        sums.by_project.retain(|key, _| !is_over(key));
    }
}

/// A read that is not compared: too many wait, or a side did not answer.
pub(super) fn left_out() {
    counter!(READS_NOT_COMPARED).increment(1);
}

/// The name under which a field is counted.
fn field(own: &Compared, name: &str) -> String {
    let is_named = own.fields.contains_key(name) || own.fields.len() < FIELDS;
    (if is_named { name } else { OTHER }).to_owned()
}

/// In what two accounts differ. Names that the mapping reads as traits too are compared as those.
pub(super) fn between(
    reverse: &Reverse,
    ours: Option<&Account>,
    theirs: Option<&Account>,
) -> Vec<Difference> {
    let (own, other) = match (ours, theirs) {
        (None, None) => return Vec::new(),
        (Some(own), Some(other)) => (own, other),
        (own, _) => {
            let told = |is_there| if is_there { "somebody" } else { "nobody" };
            return vec![Difference {
                path: PERSON.to_owned(),
                ours: told(own.is_some()).to_owned(),
                theirs: told(own.is_none()).to_owned(),
            }];
        }
    };
    let value = |json: &Json| serde_json::from_slice(json.as_bytes()).unwrap_or_default();
    let mut found = differences(&value(&own.traits), &value(&other.traits));
    let unknown = other.names.difference(&own.names);
    let unknown = unknown
        .filter(|(kind, _)| !reverse.is_trait_too(kind))
        .count();
    if unknown > 0 {
        found.push(Difference {
            path: "identities".to_owned(),
            ours: format!("{} names", own.names.len()),
            theirs: format!("{unknown} others"),
        });
    }
    found
}

/// What was found before and is found again.
pub(super) fn again(before: Vec<Difference>, now: &[Difference]) -> Vec<Difference> {
    let paths: BTreeSet<&str> = now.iter().map(|one| one.path.as_str()).collect();
    let before = before.into_iter();
    before
        .filter(|one| paths.contains(one.path.as_str()))
        .collect()
}

impl Account {
    pub fn of_profile(profile: &Profile) -> Self {
        let names = profile.identities.iter().map(|known| {
            let identity = &known.identity;
            (identity.kind.as_str().to_owned(), identity.value.clone())
        });
        Self {
            id: Some(profile.id),
            traits: profile.traits.clone(),
            names: names.collect(),
        }
    }

    pub fn bytes(&self) -> usize {
        self.traits.as_bytes().len()
    }
}
