//! One look at both sides: Roster first, then the documents, then who of them was erased.

use super::fetch::Failure;
use super::known::Leaving;
use super::person::{Document, Seen, as_read, laid, read_document};
use super::{LegacyReads, Place, Reader};
use crate::domain::reads::ReadSource;
use crate::domain::{Class, Gate, KeyKind, ProfileId};
use crate::ingest::Reservation;
use crate::metric_names::LEGACY_READ_FAILURES;
use crate::store::{self, Profile, Unmirrored};
use metrics::counter;
use std::collections::HashMap;

/// People by their places; of some a document is there that can't be read, and why.
pub(super) type People = HashMap<usize, Result<Seen, String>>;
pub(super) type Documents = HashMap<usize, Result<Document, String>>;

/// A place of the question for which the legacy store is asked, with the id of the document.
pub(super) type Sought<'a> = (usize, &'a Place, &'a str);

impl LegacyReads {
    /// The people whom the legacy store has to answer for, by their places.
    pub(super) async fn look(
        &self,
        leaving: &Leaving,
        reader: Reader<'_>,
        places: &[Place],
        room: &mut Reservation,
    ) -> Result<People, Failure> {
        let asked = asked(places);
        if asked.is_empty() {
            return Ok(HashMap::new());
        }
        // In this order: what is published in between stands in the document.
        let mut unmirrored = self.unmirrored(leaving, &asked).await?;
        let mut documents = self.documents(leaving, reader, &asked, room).await?;
        self.without_gone(leaving, &asked, &unmirrored, &mut documents)
            .await?;
        let laid = |(number, place, _): &Sought<'_>| {
            let document = match documents.remove(number).transpose() {
                Ok(document) => document,
                Err(reason) => return Some((*number, Err(reason))),
            };
            let person = match &place.profile {
                Some(_) => laid(document, unmirrored.remove(number)),
                None => document.map(Document::seen),
            };
            person.map(|person| (*number, Ok(person)))
        };
        Ok(asked.iter().filter_map(laid).collect())
    }

    /// The documents as the mapping reads them, of those who have one.
    async fn documents(
        &self,
        leaving: &Leaving,
        reader: Reader<'_>,
        asked: &[Sought<'_>],
        room: &mut Reservation,
    ) -> Result<Documents, Failure> {
        let ids: Vec<&str> = asked.iter().map(|(_, _, id)| *id).collect();
        let kept = self.legacy.documents(leaving, &ids, room).await?;
        let gate = self.gate(reader);
        let mut documents = Documents::new();
        for ((number, ..), kept) in asked.iter().zip(kept) {
            let read = |kept| read_document(&leaving.reverse, &kept, &gate);
            let read = kept.and_then(|kept| kept.map_or(Ok(None), read));
            if read.is_err() {
                counter!(LEGACY_READ_FAILURES, "reason" => "unreadable").increment(1);
            }
            documents.extend(read.transpose().map(|document| (*number, document)));
        }
        Ok(documents)
    }

    /// What Roster has of people and the legacy store may lack. Who was merged away since they were read is taken as read.
    async fn unmirrored(
        &self,
        leaving: &Leaving,
        asked: &[Sought<'_>],
    ) -> Result<HashMap<usize, Unmirrored>, Failure> {
        let known = asked.iter();
        let known = known.filter_map(|(number, place, _)| Some((*number, place.profile.as_ref()?)));
        let known: Vec<(usize, &Profile)> = known.collect();
        if known.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<(usize, ProfileId)> = known.iter().map(|(at, own)| (*at, own.id)).collect();
        let loading = self.store.load_unmirrored(leaving.project_id, &ids);
        let mut found = self.with_connection(loading).await?;
        for (number, profile) in known {
            found.entry(number).or_insert_with(|| as_read(profile));
        }
        Ok(found)
    }

    /// Forgets documents of people who were erased. What was published of somebody was judged then.
    async fn without_gone(
        &self,
        leaving: &Leaving,
        asked: &[Sought<'_>],
        unmirrored: &HashMap<usize, Unmirrored>,
        documents: &mut Documents,
    ) -> Result<(), Failure> {
        let is_open = |number: &usize| unmirrored.get(number).is_none_or(|own| !own.is_mirrored);
        let doubtful = asked.iter();
        let doubtful: Vec<&Sought<'_>> = doubtful
            .filter(|(number, ..)| documents.contains_key(number) && is_open(number))
            .collect();
        if doubtful.is_empty() {
            return Ok(());
        }
        self.without_noted(leaving, &doubtful, documents).await?;
        self.without_erased(leaving, &doubtful, documents).await
    }

    /// Asks the database with one of the connections of reads.
    pub(super) async fn with_connection<T>(
        &self,
        asking: impl Future<Output = Result<T, store::Error>>,
    ) -> Result<T, Failure> {
        let _connection = self.connections.acquire().await;
        asking.await.map_err(Failure::Store)
    }

    fn gate<'a>(&'a self, reader: Reader<'a>) -> Gate<'a> {
        Gate {
            project_id: reader.caller.project_id,
            class: Class::Backfill,
            by: KeyKind::Server,
            kinds: &reader.caller.kinds,
            limits: &self.limits,
            received_at: reader.now,
            is_measured: false,
        }
    }
}

/// The places for which the legacy store has to be asked.
fn asked(places: &[Place]) -> Vec<Sought<'_>> {
    let places = places.iter().enumerate();
    let foreign = places.filter(|(_, place)| place.source != ReadSource::Roster);
    let sought = foreign.filter_map(|(number, place)| {
        let id = place.document_id.as_deref()?;
        Some((number, place, id))
    });
    sought.collect()
}
