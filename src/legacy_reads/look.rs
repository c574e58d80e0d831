//! One look at both sides: Roster first, then the documents, then who of them was erased.

use super::fetch::Failure;
use super::known::Leaving;
use super::person::{Document, Seen, as_read, document_ids, laid, read_document};
use super::{LegacyReads, Place, Reader};
use crate::domain::reads::ReadSource;
use crate::domain::time::CLOCKS_APART;
use crate::domain::{Class, Gate, KeyKind, ProfileId};
use crate::ingest::Reservation;
use crate::metric_names::LEGACY_READ_FAILURES;
use crate::store::{self, Profile, Unmirrored};
use metrics::counter;
use std::collections::HashMap;

/// Other documents of people who became one, for one question: as many as one person may have names.
const MOST_OTHERS: usize = 1_000;

/// People by their places; of some a document is there that can't be read, and why.
pub(super) type People = HashMap<usize, Result<Seen, String>>;
/// Documents by their places among those that are sought.
pub(super) type Documents = HashMap<usize, Result<Document, String>>;

/// A place of the question for which the legacy store is asked, with the id of the document.
pub(super) type Sought<'a> = (usize, &'a Place, &'a str);

/// Those whose documents have to be judged, by their places among all.
pub(super) type Doubtful<'a> = Vec<(usize, &'a Sought<'a>)>;

impl LegacyReads {
    /// The people whom the legacy store has to answer for, by their places.
    pub(super) async fn look(
        &self,
        leaving: &Leaving,
        reader: Reader<'_>,
        places: &[Place],
        room: &mut Reservation,
    ) -> Result<People, Failure> {
        let mut asked = asked(places);
        if asked.is_empty() {
            return Ok(HashMap::new());
        }
        // In this order: what is published in between stands in the document.
        let mut unmirrored = self.unmirrored(leaving, &asked).await?;
        let count = asked.len();
        let kind = leaving.reverse.document_kind();
        let others = others(kind, &asked, &unmirrored);
        asked.extend(others);
        let mut documents = self.documents(leaving, reader, &asked, room).await?;
        self.without_gone(leaving, &asked, &unmirrored, &mut documents)
            .await?;
        let mut beside = beside(&asked[count..], count, &mut documents);
        let seen = |(at, (number, ..)): (usize, &Sought<'_>)| {
            let document = match documents.remove(&at).transpose() {
                Ok(document) => document,
                Err(reason) => return Some((*number, Err(reason))),
            };
            let person = match unmirrored.remove(number) {
                Some(own) => {
                    let others = beside.remove(number).unwrap_or_default();
                    Some(laid(document.into_iter().chain(others).collect(), own))
                }
                None => document.map(Document::seen),
            };
            person.map(|person| (*number, Ok(person)))
        };
        let own = asked.iter().take(count).enumerate();
        Ok(own.filter_map(seen).collect())
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
        for (at, kept) in kept.into_iter().enumerate() {
            let read = |kept| read_document(&leaving.reverse, &kept, &gate);
            let read = kept.and_then(|kept| kept.map_or(Ok(None), read));
            if read.is_err() {
                counter!(LEGACY_READ_FAILURES, "reason" => "unreadable").increment(1);
            }
            documents.extend(read.transpose().map(|document| (at, document)));
        }
        Ok(documents)
    }

    /// What Roster has of people of whom the legacy store may lack something. Who was merged away since they were read is taken as read.
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
        found.retain(|_, own| !own.is_mirrored);
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
        let is_open = |(number, place, _): &Sought<'_>| {
            place.profile.is_none() || unmirrored.contains_key(number)
        };
        let doubtful = asked.iter().enumerate();
        let doubtful: Doubtful<'_> = doubtful
            .filter(|(at, sought)| documents.contains_key(at) && is_open(sought))
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
            received_at: reader.now.plus(CLOCKS_APART),
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

/// The other documents of people who became one. Until the mirror has laid them together, or Roster knows all, what they say is nowhere
/// else.
fn others<'a>(
    kind: &str,
    asked: &[Sought<'a>],
    unmirrored: &HashMap<usize, Unmirrored>,
) -> Vec<Sought<'a>> {
    let open = asked.iter();
    let open = open.filter(|(number, ..)| unmirrored.get(number).is_some_and(|own| !own.is_whole));
    let others = open.flat_map(|(number, place, _)| {
        let ids = place.profile.iter();
        let ids = ids.flat_map(|profile| document_ids(profile, kind));
        ids.skip(1).map(move |id| (*number, *place, id))
    });
    others.take(MOST_OTHERS).collect()
}

/// The same as they were read, by the places of their people. One that can't be read stays where it is, as in the mirror.
fn beside(
    others: &[Sought<'_>],
    first: usize,
    documents: &mut Documents,
) -> HashMap<usize, Vec<Document>> {
    let mut beside = HashMap::<usize, Vec<Document>>::new();
    for (at, (number, ..)) in others.iter().enumerate() {
        if let Some(Ok(document)) = documents.remove(&(first + at)) {
            beside.entry(*number).or_default().push(document);
        }
    }
    beside
}
