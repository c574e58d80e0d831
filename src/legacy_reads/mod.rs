//! Profiles of projects that leave a legacy store, read where the project says: from that store, from Roster, or from both.
//!
//! Roster is asked first, in any case: who a name leads to, and what of the person the legacy store does not have yet. Only then is the
//! document read. Whatever was published before the first question stands in the document, whatever was not is laid over it, so that a
//! read sees every write that was answered before it.

mod compare;
mod erased;
mod fetch;
mod known;
mod look;
mod person;
mod recheck;

pub use fetch::Failure;
pub use known::{Leaving, Unknown};
pub use person::LegacyPerson;
pub use recheck::Line;

use crate::config::Config;
use crate::domain::reads::ReadSource;
use crate::domain::{Caller, Limits, ProjectId, Timestamp};
use crate::ingest::{Admission, Reservation};
use crate::metric_names::{PROFILE_READS, READS_FALLEN_BACK};
use crate::store::{Profile, Reference, Store};
use compare::{Account, Compare, Comparisons};
use fetch::Legacy;
use known::Known;
use metrics::counter;
use person::Seen;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// How often a node asks where projects are read from.
const EVERY: Duration = Duration::from_secs(1);
/// A profile is in memory as it came, as single traits, with what is laid over it, and as the answer.
const COPIES: usize = 4;

/// What one read asks for, and what Roster knows under that name.
#[derive(Debug)]
pub struct Asked {
    pub reference: Reference,
    pub profile: Option<Profile>,
}

/// What one read is answered with.
#[derive(Debug)]
pub enum Answer {
    Roster(Box<Profile>),
    Legacy(Box<LegacyPerson>),
    Nobody,
    /// A document is there that can't be read, and why.
    Unreadable(String),
}

/// The way to read people of projects that leave a legacy store.
pub struct LegacyReads {
    store: Store,
    limits: Limits,
    legacy: Legacy,
    known: Known,
    room: Admission,
    /// Of the database, which all reads share.
    connections: Arc<Semaphore>,
    comparisons: Comparisons,
    /// Of a hundred reads so many are compared.
    compare_percent: u8,
}

/// One person of a question, with the document that stands for them.
struct Place {
    reference: Reference,
    profile: Option<Profile>,
    document_id: Option<String>,
    source: ReadSource,
}

/// Who reads, and when.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub caller: &'a Caller,
    pub now: Timestamp,
}

impl LegacyReads {
    /// Prepares it; nothing is asked yet.
    ///
    /// # Errors
    /// One sentence that names the setting.
    pub fn new(
        config: &Config,
        store: Store,
        connections: Arc<Semaphore>,
    ) -> Result<(Self, Line), String> {
        let (comparisons, line) = Comparisons::new();
        let own = Self {
            store,
            limits: config.limits.clone(),
            legacy: Legacy::new(config)?,
            known: Known::default(),
            room: Admission::new(config.reads.legacy_bytes_in_flight),
            connections,
            comparisons,
            compare_percent: config.reads.compare_percent,
        };
        Ok((own, Line(line)))
    }

    /// Asks the database again and again where projects are read from, for as long as the process lives.
    pub async fn watch(&self) {
        loop {
            self.refresh().await;
            sleep(EVERY).await;
        }
    }

    /// Asks once. A database that does not answer says nothing: what was known stays.
    pub async fn refresh(&self) {
        if let Err(error) = self.known.refresh(&self.store).await {
            tracing::warn!(reason = %error.full_text(), "could not ask where profiles are read from");
        }
    }

    /// How a project is read; `None` where Roster answers, as it does without a migration.
    ///
    /// # Errors
    /// This node does not know yet.
    pub fn of(&self, project_id: ProjectId) -> Result<Option<Arc<Leaving>>, Unknown> {
        self.known.of(project_id)
    }

    /// Answers reads of one project, with the room that the answers hold.
    ///
    /// # Errors
    /// Why there is no answer: nothing is made up where the legacy store has to say it.
    pub async fn read(
        &self,
        leaving: &Arc<Leaving>,
        reader: Reader<'_>,
        asked: Vec<Asked>,
    ) -> Result<(Vec<Answer>, Reservation), Failure> {
        let bytes = asked.iter().filter_map(|asked| asked.profile.as_ref());
        let bytes: usize = bytes.map(|profile| profile.traits.as_bytes().len()).sum();
        let room = self.room.try_reserve(COPIES * bytes);
        let mut room = room.ok_or(Failure::NoRoom)?;
        let places = asked.into_iter();
        let places: Vec<Place> = places.map(|asked| Place::of(leaving, asked)).collect();
        let looked = self.look(leaving, reader, &places, &mut room).await;
        let answers: Vec<Answer> = match looked {
            Ok(mut people) => {
                let places = places.into_iter().enumerate();
                let answer =
                    |(number, place)| self.answer(leaving, reader, place, people.remove(&number));
                places.map(answer).collect()
            }
            Err(failure) if self.falls_back(leaving, &places, &failure) => {
                places.into_iter().map(Place::by_roster).collect()
            }
            Err(failure) => return Err(failure),
        };
        answers.iter().for_each(Answer::count);
        Ok((answers, room))
    }

    fn answer(
        &self,
        leaving: &Arc<Leaving>,
        reader: Reader<'_>,
        place: Place,
        person: Option<Result<Seen, String>>,
    ) -> Answer {
        if place.source == ReadSource::Roster {
            return place.by_roster();
        }
        let person = match person.transpose() {
            Ok(person) => person,
            Err(reason) => return self.without_document(leaving, place, reason),
        };
        if place.source == ReadSource::Compare {
            self.compare(leaving, reader, &place, person.as_ref());
        }
        let of = |person: Seen| Answer::Legacy(Box::new(person.of(place.profile)));
        person.map_or(Answer::Nobody, of)
    }

    /// The answer about somebody whose document can't be read.
    fn without_document(&self, leaving: &Leaving, place: Place, reason: String) -> Answer {
        if place.source != ReadSource::Compare || !place.is_known(leaving) {
            return Answer::Unreadable(reason);
        }
        compare::left_out();
        counter!(READS_FALLEN_BACK).increment(1);
        place.by_roster()
    }

    /// Puts a read aside to be compared, if there is room for it.
    fn compare(
        &self,
        leaving: &Arc<Leaving>,
        reader: Reader<'_>,
        place: &Place,
        person: Option<&Seen>,
    ) {
        if rand::random_range(0..100) >= self.compare_percent {
            return;
        }
        let ours = place.profile.as_ref().map(Account::of_profile);
        let theirs = person.map(Seen::account);
        let bytes = ours
            .iter()
            .chain(&theirs)
            .map(Account::bytes)
            .sum::<usize>();
        let Some(room) = self.room.try_reserve(COPIES * bytes) else {
            return compare::left_out();
        };
        self.comparisons.add(Compare {
            leaving: leaving.clone(),
            caller: reader.caller.clone(),
            now: reader.now,
            reference: place.reference.clone(),
            ours,
            theirs,
            _room: room,
        });
    }

    /// While reads are compared a legacy store that is away harms nobody whom Roster knows.
    fn falls_back(&self, leaving: &Leaving, places: &[Place], failure: &Failure) -> bool {
        let falls = leaving.reads.source == ReadSource::Compare
            && !matches!(failure, Failure::Store(_) | Failure::NoRoom)
            && places.iter().all(|place| place.is_known(leaving));
        if falls {
            counter!(READS_FALLEN_BACK).increment(places.len() as u64);
        }
        falls
    }
}

impl Place {
    fn of(leaving: &Leaving, asked: Asked) -> Self {
        let kind = leaving.reverse.document_kind();
        let document_id = match (&asked.profile, &asked.reference) {
            (Some(profile), _) => {
                let ids = person::document_ids(profile, kind);
                ids.first().map(|id| (*id).to_owned())
            }
            (None, Reference::Name(name)) if name.kind.as_str() == kind => Some(name.value.clone()),
            (None, _) => None,
        };
        let of_id = |id: &String| leaving.reads.source_of(leaving.project_id, id);
        // Who has no id of a document has none: Roster knows more.
        let source = document_id.as_ref().map_or(ReadSource::Roster, of_id);
        Self {
            reference: asked.reference,
            profile: asked.profile,
            document_id,
            source,
        }
    }

    /// Whether somebody whom Roster does not know is there can be said once it knows everybody.
    fn is_known(&self, leaving: &Leaving) -> bool {
        self.profile.is_some() || leaving.state.is_whole()
    }

    fn by_roster(self) -> Answer {
        let own = self.profile.map(Box::new);
        own.map_or(Answer::Nobody, Answer::Roster)
    }
}

impl Answer {
    fn count(&self) {
        let source = match self {
            Self::Roster(_) => "roster",
            Self::Legacy(_) => "legacy",
            Self::Nobody => "nobody",
            Self::Unreadable(_) => "unreadable",
        };
        counter!(PROFILE_READS, "source" => source).increment(1);
    }
}
