//! A page of marks: people and their documents read, laid together, sent, and the marks of those that were taken deleted.

use super::Stop;
use super::send::{Action, Line, Sent, read, send, versioned};
use super::version;
use crate::domain::{Json, ProfileId};
use crate::legacy::{Client, Failure, Found};
use crate::mapping::{Person, Reverse};
use crate::store::{GoneName, Mark, MarkedProfile, Mirror, MirrorNote};
use crate::upkeep::frame::Turn;
use std::collections::HashMap;
use std::time::Duration;

/// A store forgets the version of a deletion after a minute: after two nothing older is on its way any more.
const SECOND_LOOK: Duration = Duration::from_secs(120);
/// Names of erased people at once.
const NAMES: i64 = 200;

/// What every page of a project is made with.
pub struct Page<'a> {
    pub client: &'a Client,
    pub reverse: &'a Reverse,
    pub mirror: &'a Mirror,
    pub note: &'a mut MirrorNote,
}

/// One person of a page.
struct Entry {
    mark: Mark,
    person: Person,
}

/// The versions that pages use: noted with the turn before they are.
#[derive(Clone, Copy)]
struct Versions {
    first: i64,
    last: i64,
}

impl Versions {
    fn of(progress: &str) -> Self {
        let mut numbers = progress.split(' ').filter_map(|number| number.parse().ok());
        let first = numbers.next().unwrap_or(0);
        let last = numbers.next().unwrap_or(first);
        Self { first, last }
    }

    /// True for a version that only a page can have used.
    fn has(self, version: i64) -> bool {
        (self.first..=self.last).contains(&version) && version % version::STEP == 0
    }
}

impl Page<'_> {
    /// Deletes the documents of erased people. Who has such a name by now is published anew.
    pub async fn gone(&mut self, turn: &mut Turn) -> Result<(), Stop> {
        let project_id = self.mirror.project_id;
        let names = turn.store.load_gone(project_id, NAMES).await?;
        if names.is_empty() {
            return Ok(());
        }
        turn.keep().await?;
        let ids: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
        let there = self.read(&ids).await?;
        let used = Versions::of(&turn.progress);
        let is_to_go = |name: &GoneName, there: Option<&Found>| {
            let is_kept = name.only_ours && there.is_some_and(|found| !used.has(found.version));
            !is_kept && (name.looks == 0 || name.owner.is_none())
        };
        let (mut going, mut settled) = (Vec::new(), Vec::new());
        for (name, there) in names.iter().zip(there) {
            if is_to_go(name, there.as_ref()) {
                going.push((name, there));
            } else {
                settled.push(name);
            }
        }
        let again = self.delete(turn, going, &mut settled).await?;
        let owners = names.iter().filter_map(|name| name.owner).collect();
        let store = &turn.store;
        store.mark_owners(turn.fence, project_id, &owners).await?;
        let settling = (&again[..], &settled[..]);
        store
            .settle_gone(turn.fence, project_id, settling, SECOND_LOOK)
            .await?;
        Ok(())
    }

    /// Deletes documents; those that are to be looked at again, beside those that are settled.
    async fn delete<'n>(
        &mut self,
        turn: &mut Turn,
        going: Vec<(&'n GoneName, Option<Found>)>,
        settled: &mut Vec<&'n GoneName>,
    ) -> Result<Vec<&'n GoneName>, Stop> {
        let Some(now) = going.first().map(|(name, _)| name.now) else {
            return Ok(Vec::new());
        };
        let (names, there): (Vec<&GoneName>, Vec<Option<Found>>) = going.into_iter().unzip();
        let actions = names
            .iter()
            .map(|name| (name.value.as_str(), Action::Delete));
        let sent = self.send(turn, now, actions.collect(), &there).await?;
        let mut again = Vec::new();
        for ((name, sent), there) in names.into_iter().zip(sent).zip(there) {
            let is_new = name.looks == 0 || there.is_some();
            match sent {
                Sent::Again => {}
                Sent::Done if name.owner.is_none() && is_new => again.push(name),
                // What no store takes, none has.
                Sent::Done | Sent::Refused(_) => settled.push(name),
            }
        }
        Ok(again)
    }

    /// Publishes the people of the oldest marks; tells how many there were.
    pub async fn profiles(&mut self, turn: &mut Turn, page: i64) -> Result<usize, Stop> {
        let project_id = self.mirror.project_id;
        turn.keep().await?;
        let marks = turn.store.load_marks(project_id, page).await?;
        let count = marks.marks.len();
        if count == 0 {
            return Ok(0);
        }
        let ids: Vec<ProfileId> = marks.marks.iter().map(|mark| mark.profile_id).collect();
        let known = turn.store.load_marked(project_id, &ids).await?;
        let (mut done, entries) = sorted(marks.marks, known);
        let ids: Vec<&str> = entries
            .iter()
            .flat_map(|entry| self.reverse.ids(&entry.person))
            .collect();
        let there = self.read(&ids).await?;
        let actions = self.actions(&entries, &there);
        let mut sent = self
            .send(turn, marks.now, actions, &there)
            .await?
            .into_iter();
        let (mut refused, mut has_again) = (Vec::new(), false);
        for entry in &entries {
            let own = self.reverse.ids(&entry.person).len();
            match worst(sent.by_ref().take(own)) {
                Sent::Done => done.push(entry.mark.clone()),
                Sent::Again => has_again = true,
                Sent::Refused(reason) => {
                    refused.push((entry.mark.profile_id, reason));
                    done.push(entry.mark.clone());
                }
            }
        }
        fail::fail_point!("mirror-published");
        self.settle(turn, &done, &refused).await?;
        if has_again {
            let told = "the legacy store did not take some documents yet";
            return Err(Stop::Other(told.to_owned()));
        }
        Ok(count)
    }

    /// The first of a person's ids keeps the document; the others' are to go.
    fn actions<'e>(&self, entries: &'e [Entry], there: &[Option<Found>]) -> Vec<(&'e str, Action)> {
        let mut there = there.iter();
        let mut actions = Vec::new();
        for entry in entries {
            for (place, id) in self.reverse.ids(&entry.person).into_iter().enumerate() {
                let found = there.next().and_then(Option::as_ref);
                let old = found.map(|found| &found.source);
                let is_whole = self.mirror.is_whole;
                let put = || Action::Put(self.reverse.document_of(&entry.person, old, is_whole));
                actions.push((id, if place == 0 { put() } else { Action::Delete }));
            }
        }
        actions
    }

    async fn read(&self, ids: &[&str]) -> Result<Vec<Option<Found>>, Stop> {
        let found = read(self.client, &self.mirror.plan.index, ids).await;
        found.map_err(|failure| self.stop(&failure))
    }

    /// Sends actions on what was read at `now`. The versions are noted first, so that whoever comes next uses higher ones.
    async fn send(
        &mut self,
        turn: &mut Turn,
        now: i64,
        actions: Vec<(&str, Action)>,
        there: &[Option<Found>],
    ) -> Result<Vec<Sent>, Stop> {
        let before = Versions::of(&turn.progress);
        let page = version::of_page(now, before.last);
        let first = if before.first == 0 {
            page
        } else {
            before.first
        };
        turn.keep_at(format!("{first} {page}")).await?;
        let mut lines = Vec::with_capacity(actions.len());
        for ((id, action), there) in actions.into_iter().zip(there) {
            let used = (first, before.last);
            let (version, is_foreign) = versioned(page, there.as_ref(), used);
            self.note.foreign_writes += i64::from(is_foreign);
            lines.push(Line {
                id,
                version,
                action,
            });
        }
        let sent = send(self.client, &self.mirror.plan.index, &lines).await;
        let sent = sent.map_err(|failure| self.stop(&failure))?;
        let done = sent.iter().filter(|sent| **sent == Sent::Done).count();
        self.note.published += done as i64;
        Ok(sent)
    }

    async fn settle(
        &self,
        turn: &Turn,
        done: &[Mark],
        refused: &[(ProfileId, String)],
    ) -> Result<(), Stop> {
        let (store, project_id) = (&turn.store, self.mirror.project_id);
        if self.mirror.has_refusals {
            store
                .forget_document_refusals(turn.fence, project_id, done)
                .await?;
        }
        if !refused.is_empty() {
            store
                .record_document_refusals(turn.fence, project_id, refused)
                .await?;
        }
        store.delete_marks(turn.fence, project_id, done).await?;
        Ok(())
    }

    fn stop(&self, failure: &Failure) -> Stop {
        Stop::Other(format!("index {}: {failure}", self.mirror.plan.index))
    }
}

/// Marks of whom nothing is left, or who lives on in somebody else, are done; of the others as many as there is room for stay.
fn sorted(
    marks: Vec<Mark>,
    mut known: HashMap<ProfileId, MarkedProfile>,
) -> (Vec<Mark>, Vec<Entry>) {
    let (mut done, mut entries) = (Vec::new(), Vec::new());
    for mark in marks {
        match known.remove(&mark.profile_id) {
            None => done.push(mark),
            Some(profile) => {
                let person = person(profile);
                entries.extend(person.map(|person| Entry { mark, person }));
            }
        }
    }
    (done, entries)
}

/// A profile as documents are made of it; `None` where there was no room for its traits.
pub fn person(profile: MarkedProfile) -> Option<Person> {
    let value = |json: &Json| serde_json::from_slice(json.as_bytes()).unwrap_or_default();
    let traits = profile.traits?.stated().into_iter();
    Some(Person {
        identities: profile.identities,
        traits: traits
            .map(|(name, (at, json))| (name, (at, value(&json))))
            .collect(),
    })
}

/// Of one person's documents what went worst; nothing to do is done.
fn worst(sent: impl Iterator<Item = Sent>) -> Sent {
    sent.fold(Sent::Done, |worst, sent| match (&worst, &sent) {
        (Sent::Again, _) | (_, Sent::Done) => worst,
        _ => sent,
    })
}
