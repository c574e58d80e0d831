//! Documents held against the people whom they are about.

use super::Stop;
use super::scene::Scene;
use super::seen::{About, Outcome, Seen, is_name};
use crate::backfill::PastRecord;
use crate::domain::containment::{Contained, Difference, Direction, Kind, compared};
use crate::domain::erasure::erased_at;
use crate::domain::{
    Code, Command, Gate, Identity, IdentityKey, Json, NameByPlace, ProfileId, Rejection, Subject,
    Timestamp,
};
use crate::mapping::{Reading, Record};
use crate::mirror;
use crate::store::{AsOf, Marked, MarkedProfile};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A document as a record of it.
pub struct Document {
    pub id: String,
    /// One of its own; a document of the mirror has none.
    pub routing: Option<String>,
    pub record: Bytes,
}

impl Document {
    fn about(&self) -> About {
        About::Document(self.id.clone(), self.routing.clone())
    }
}

/// What speaks of somebody in the legacy store.
#[derive(Clone, Copy)]
enum Witness<'a> {
    Document(&'a Document),
    Record(&'a Arc<PastRecord>),
}

impl Witness<'_> {
    fn about(self) -> About {
        match self {
            Self::Document(document) => document.about(),
            Self::Record(record) => About::Record(record.clone()),
        }
    }
}

/// What a witness says.
enum Said {
    Command(Box<Command>),
    /// Nothing that is about anybody.
    Nothing,
    /// The mapping refuses it.
    Refused,
}

/// Who is there of those whom witnesses name.
struct Known<'a> {
    owners: HashMap<&'a Identity, ProfileId>,
    profiles: HashMap<ProfileId, MarkedProfile>,
}

impl Known<'_> {
    fn owner(&self, subject: &Subject<'_>) -> Option<ProfileId> {
        let mut names = subject.own().iter();
        names.find_map(|name| self.owners.get(name).copied())
    }
}

impl Scene<'_> {
    /// Judges documents as they were read.
    pub async fn judge_documents(
        &self,
        as_of: AsOf,
        documents: &[Document],
    ) -> Result<Vec<Seen>, Stop> {
        match self.due.direction {
            Direction::Forward => {
                let witnesses: Vec<_> = documents.iter().map(Witness::Document).collect();
                self.contained(as_of, &witnesses).await
            }
            Direction::Reverse => self.owned(as_of, documents).await,
        }
    }

    /// The same of records.
    pub async fn judge_records(
        &self,
        as_of: AsOf,
        records: &[Arc<PastRecord>],
    ) -> Result<Vec<Seen>, Stop> {
        let witnesses: Vec<_> = records.iter().map(Witness::Record).collect();
        self.contained(as_of, &witnesses).await
    }

    /// Whether Roster has what witnesses say.
    async fn contained(&self, as_of: AsOf, witnesses: &[Witness<'_>]) -> Result<Vec<Seen>, Stop> {
        if witnesses.is_empty() {
            return Ok(Vec::new());
        }
        let read = || witnesses.iter().map(|witness| self.said(*witness));
        let said: Vec<Said> = tokio::task::block_in_place(|| read().collect());
        let names = said.iter().flat_map(Said::names).collect::<BTreeSet<_>>();
        let names: Vec<&Identity> = names.into_iter().collect();
        let project_id = self.due.project_id;
        let owners = self.store.find_owners_as_of(as_of, project_id, &names);
        let owners = owners.await?;
        let owners = names.into_iter().zip(owners);
        let owners: HashMap<_, _> = owners
            .filter_map(|(name, owner)| Some((name, owner?)))
            .collect();
        let people: BTreeSet<ProfileId> = owners.values().copied().collect();
        let people: Vec<ProfileId> = people.into_iter().collect();
        let profiles = self.store.load_marked_as_of(as_of, project_id, &people);
        let profiles = profiles.await?;
        let is_read = |profile: &MarkedProfile| !matches!(profile.traits, Marked::NoRoom);
        let has_all = profiles.values().all(is_read);
        if !has_all && witnesses.len() > 1 {
            let (one, other) = witnesses.split_at(witnesses.len() / 2);
            let mut seen = Box::pin(self.contained(as_of, one)).await?;
            seen.extend(Box::pin(self.contained(as_of, other)).await?);
            return Ok(seen);
        }
        let known = Known { owners, profiles };
        let judge = || {
            let pairs = witnesses.iter().zip(&said);
            pairs
                .map(|(witness, said)| self.seen(*witness, said, &known))
                .collect()
        };
        let mut seen: Vec<Seen> = tokio::task::block_in_place(judge);
        self.excuse_erased(&mut seen, &said, &known).await?;
        Ok(seen)
    }

    fn said(&self, witness: Witness<'_>) -> Said {
        let read = match witness {
            Witness::Document(document) => self.read(document),
            Witness::Record(record) => match self.read_record(record) {
                Some(read) => read,
                None => return Said::Nothing,
            },
        };
        match read {
            Ok(Reading::Command { command, .. }) => Said::Command(command),
            Ok(Reading::Control(_) | Reading::Truncated) => Said::Nothing,
            Err(_) => Said::Refused,
        }
    }

    fn read(&self, document: &Document) -> Result<Reading, Rejection> {
        let record = Record {
            key: Some(document.id.as_bytes()),
            value: Some(&document.record),
            headers: &[],
            at: None,
            from: None,
        };
        let no_calls = |_: &Bytes, _: &Gate<'_>, _: Option<NameByPlace<'_>>| {
            let message = "documents are no messages";
            Err(Rejection::of(Code::NotAnObject, "value", message))
        };
        self.mapping
            .read(&record, &self.gate(), self.start, &no_calls)
    }

    fn seen(&self, witness: Witness<'_>, said: &Said, known: &Known<'_>) -> Seen {
        let about = witness.about();
        let command = match said {
            Said::Command(command) => command,
            Said::Nothing => return Seen::of(about, Outcome::Held),
            Said::Refused => return Seen::of(about, Outcome::Rejected),
        };
        let mut contained = Contained::default();
        for (place, subject) in command.subjects().enumerate() {
            let own = subject_contained(command, &subject, known);
            let differences = own.differences.into_iter();
            contained
                .differences
                .extend(differences.map(|one| in_group(place > 0, one)));
            contained.is_superseded |= own.is_superseded;
        }
        let owner = command
            .subjects()
            .next()
            .and_then(|person| known.owner(&person));
        let profile = owner.and_then(|owner| known.profiles.get(&owner));
        let outcome = if contained.differences.is_empty() {
            match contained.is_superseded {
                true => Outcome::Superseded,
                false => Outcome::Held,
            }
        } else if profile.is_some_and(|profile| self.is_as_published(witness, profile)) {
            Outcome::Held
        } else {
            Outcome::Differs(contained.differences)
        };
        Seen {
            names: said.names().cloned().collect(),
            said_at: self.said_at(command),
            people: owner.into_iter().collect(),
            ..Seen::of(about, outcome)
        }
    }

    /// When it was true, as far as it says so: the future is cut off at the present.
    fn said_at(&self, command: &Command) -> Timestamp {
        let at = Some(command.earliest());
        at.filter(|at| *at < self.now).unwrap_or(Timestamp::MIN)
    }

    /// True where the document is what Roster says of the person, beside what the mapping drops: nothing in it is unknown then.
    fn is_as_published(&self, witness: Witness<'_>, profile: &MarkedProfile) -> bool {
        let Witness::Document(document) = witness else {
            return false;
        };
        let record: Value = serde_json::from_slice(&document.record).unwrap_or_default();
        let source = &record["_source"];
        let person = mirror::person(profile.clone());
        person.ok().flatten().is_some_and(|person| {
            let ours = self.reverse.document_of(&person, Some(source), true);
            compared(&Json::of(&ours), &Json::of(source)).is_empty()
        })
    }

    /// Nothing is missed of people who were erased later than the document says it, nor is a name of whoever was.
    async fn excuse_erased(
        &self,
        seen: &mut [Seen],
        said: &[Said],
        known: &Known<'_>,
    ) -> Result<(), Stop> {
        let project_id = self.due.project_id;
        let differing = seen.iter().filter(|one| !one.differences().is_empty());
        let names = differing.flat_map(|one| &one.names);
        let asked: Vec<IdentityKey> = names.map(|name| (project_id, name.clone())).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let erased = self
            .store
            .load_erased(&asked.iter().collect::<Vec<_>>())
            .await?;
        for (one, said) in seen.iter_mut().zip(said) {
            let (Said::Command(command), Outcome::Differs(differences)) = (said, &mut one.outcome)
            else {
                continue;
            };
            let at = command.earliest();
            let is_erased = |name: &Identity| {
                let erased = erased.get(&(project_id, name.clone()));
                erased.is_some_and(|erased| erased.bars(at))
            };
            if is_of_erased(command, known, is_erased) {
                differences.clear();
            }
            let is_gone = |one: &Difference| {
                let mut names = command.identities().iter();
                names.any(|name| is_name(one, name) && is_erased(name))
            };
            differences.retain(|one| !is_gone(one));
            if differences.is_empty() {
                one.outcome = Outcome::Erased;
            }
        }
        Ok(())
    }

    /// Whether somebody has the ids of documents. One with a routing of its own stands beside the one that is mirrored.
    async fn owned(&self, as_of: AsOf, documents: &[Document]) -> Result<Vec<Seen>, Stop> {
        let kind = self.reverse.document_kind();
        let gate = self.gate();
        let name = |document: &Document| gate.kinds.identity(kind, &document.id);
        let names: Vec<Identity> = documents.iter().map(name).collect();
        let asked: Vec<&Identity> = names.iter().collect();
        let project_id = self.due.project_id;
        let owners = self.store.find_owners_as_of(as_of, project_id, &asked);
        let owners = owners.await?;
        let all = documents.iter().zip(names).zip(owners);
        let seen = |((document, name), owner): ((&Document, Identity), Option<ProfileId>)| {
            let outcome = match (owner, &document.routing) {
                (Some(_), None) => Outcome::Held,
                _ => Outcome::Differs(vec![Difference::whole(Kind::Extra)]),
            };
            Seen {
                names: vec![name],
                people: owner.into_iter().collect(),
                ..Seen::of(document.about(), outcome)
            }
        };
        Ok(all.map(seen).collect())
    }

    /// True where a document is about nobody whom Roster should have: the mapping refuses it, or it says itself that it is deleted.
    pub fn is_of_nobody(&self, document: &Document) -> Option<Outcome> {
        match self.said(Witness::Document(document)) {
            Said::Command(command) if command.erases() => Some(Outcome::Held),
            Said::Command(_) => None,
            Said::Nothing => Some(Outcome::Held),
            Said::Refused => Some(Outcome::Rejected),
        }
    }
}

impl Said {
    fn names(&self) -> impl Iterator<Item = &Identity> {
        let command = match self {
            Self::Command(command) => Some(command),
            Self::Nothing | Self::Refused => None,
        };
        let subjects = command.into_iter().flat_map(|command| command.subjects());
        subjects.flat_map(|subject| subject.own())
    }
}

fn subject_contained(command: &Command, subject: &Subject<'_>, known: &Known<'_>) -> Contained {
    let owner = known.owner(subject);
    let traits = owner.and_then(|owner| known.profiles.get(&owner)?.traits.read());
    let Some(traits) = traits else {
        let differences = match command.erases() {
            true => Vec::new(),
            false => vec![Difference::whole(Kind::Missing)],
        };
        return Contained {
            differences,
            is_superseded: false,
        };
    };
    if command.erases() {
        return Contained {
            differences: traits.older_than(command.occurred_at()),
            is_superseded: false,
        };
    }
    let write = subject.traits;
    let mut contained = write.map_or_else(Contained::default, |write| {
        traits.contains(write, |_| false)
    });
    // Nobody's here, or somebody else's.
    let others = subject.own().iter();
    let others = others.filter(|name| known.owners.get(name).copied() != owner);
    contained.differences.extend(others.map(|name| {
        let theirs = Some(Json::of(&name.value));
        Difference::of(Kind::Different, name.kind.as_str(), None, theirs)
    }));
    contained
}

/// As with records the strongest name decides, and where nobody has that one the others do.
fn is_of_erased(
    command: &Command,
    known: &Known<'_>,
    is_erased: impl Fn(&Identity) -> bool,
) -> bool {
    let names = command.identities();
    let Some(strongest) = names.first() else {
        return false;
    };
    let is_owned = known.owners.contains_key(strongest);
    let told = |name: &Identity| is_erased(name).then_some(());
    erased_at((strongest, names), is_owned, told).is_some()
}

/// A group's fields are told apart from the person's.
fn in_group(is_group: bool, mut difference: Difference) -> Difference {
    if is_group {
        let field = difference.field.unwrap_or_default();
        difference.field = Some(format!("group {field}").trim_end().to_owned());
    }
    difference
}
