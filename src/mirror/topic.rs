//! The topic that a project is mirrored to: people as records, in Roster's own format or as documents of the legacy store.

use super::Stop;
use super::send::Sent;
use crate::backfill::{NotSent, Outlet, Published};
use crate::domain::{ProfileId, Timestamp};
use crate::mapping::{self, Person, Reverse};
use crate::store::{GoneName, TopicFormat};
use serde_json::Value;

/// The topic.
#[derive(Clone, Copy)]
pub struct Topic<'a> {
    pub outlet: &'a Outlet,
    pub name: &'a str,
    pub format: TopicFormat,
}

impl Topic<'_> {
    /// The records of people as they were at `now`, under a version.
    pub fn people<'p>(
        &self,
        people: impl Iterator<Item = (ProfileId, &'p Person)>,
        reverse: &Reverse,
        (version, now): (i64, i64),
    ) -> Vec<Vec<Published>> {
        let now = Timestamp::from_micros(now).unwrap_or(Timestamp::MIN);
        let records = |(profile_id, person): (ProfileId, &Person)| {
            let newest = person.traits.values().map(|(at, _)| *at).max();
            let record = |(key, value): (String, Option<Value>)| Published {
                key,
                value: value.map(|value| value.to_string().into_bytes()),
                version,
                at: newest.map_or(now, |newest| newest.max(now)),
            };
            let records = match self.format {
                TopicFormat::Roster => own(profile_id, person, reverse, (version, now)),
                TopicFormat::Document => documents(person, reverse, version),
            };
            records.into_iter().map(record).collect()
        };
        people.map(records).collect()
    }

    /// The records that tell that a name's person was erased.
    pub fn gone(&self, name: &GoneName, reverse: &Reverse, version: i64) -> Vec<Published> {
        let now = Timestamp::from_micros(name.now).unwrap_or(Timestamp::MIN);
        let value = match self.format {
            TopicFormat::Roster => {
                let record = mapping::deletion(&name.kind, &name.value, name.erased_at);
                Some(record.to_string().into_bytes())
            }
            TopicFormat::Document => None,
        };
        vec![Published {
            key: key(reverse, &name.kind, &name.value),
            value,
            version,
            at: now.max(name.erased_at),
        }]
    }

    /// Sends records, some for each of several things; what became of each thing.
    pub async fn send(&self, things: Vec<Vec<Published>>) -> Result<Vec<Sent>, Stop> {
        let all: Vec<Published> = things.iter().flatten().cloned().collect();
        if all.is_empty() {
            return Ok(vec![Sent::Done; things.len()]);
        }
        let sent = self.outlet.send(self.name, &all).await;
        let sent = sent.map_err(|told| Stop::Other(format!("topic {}: {told}", self.name)))?;
        let mut judged = judged(sent)?.into_iter();
        let mut fold = |records: Vec<Published>| {
            let own = judged.by_ref().take(records.len());
            own.fold(Sent::Done, |worst, sent| match worst {
                Sent::Done => sent,
                worst => worst,
            })
        };
        Ok(things.into_iter().map(&mut fold).collect())
    }
}

/// What passes has to be tried again; where nothing was taken it says why.
fn judged(sent: Vec<Result<(), NotSent>>) -> Result<Vec<Sent>, Stop> {
    let is_any_taken = sent.iter().any(Result::is_ok);
    let one = |sent| match sent {
        Ok(()) => Ok(Sent::Done),
        Err(NotSent::TooLarge) => {
            let told = "the topic takes no record of this size (max.message.bytes)";
            Ok(Sent::Refused(told.to_owned()))
        }
        Err(NotSent::Passing(text)) if is_any_taken => Ok(Sent::Again(text)),
        Err(NotSent::Passing(text) | NotSent::Lasting(text)) => Err(Stop::Other(text)),
    };
    sent.into_iter().map(one).collect()
}

/// All under one key: the id of the document, or where there is none the name known longest.
fn own(
    profile_id: ProfileId,
    person: &Person,
    reverse: &Reverse,
    (version, now): (i64, Timestamp),
) -> Vec<(String, Option<Value>)> {
    let first = person.identities.first();
    let other = || {
        first.map_or_else(
            || profile_id.0.to_string(),
            |(kind, value)| key(reverse, kind, value),
        )
    };
    let key = reverse.ids(person).first().map(|id| (*id).to_owned());
    let key = key.unwrap_or_else(other);
    let record = mapping::upsert(person, version, now);
    record
        .map(|record| (key, Some(record)))
        .into_iter()
        .collect()
}

/// The first of a person's ids keeps the document; what stands under the others is to go.
fn documents(person: &Person, reverse: &Reverse, version: i64) -> Vec<(String, Option<Value>)> {
    let record = |(place, id): (usize, &str)| {
        let put = || reverse.record_of(id, version, reverse.document_of(person, None, true));
        (id.to_owned(), (place == 0).then(put))
    };
    let ids = reverse.ids(person).into_iter();
    ids.enumerate().map(record).collect()
}

/// What stands for a name as a key: the id of a document is one by itself.
fn key(reverse: &Reverse, kind: &str, value: &str) -> String {
    if kind == reverse.document_kind() {
        value.to_owned()
    } else {
        format!("{kind}:{value}")
    }
}
